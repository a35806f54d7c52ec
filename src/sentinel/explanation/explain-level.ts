/** The steps of one level of a hierarchy (pure): how probable its value is for the user, and for each kind of attacker. */

import { countsInOne } from "../behaviour/likelihood.ts";
import type { Course } from "../behaviour/newness.ts";
import type { HierarchyName, Level } from "../context.ts";
import type { Counted, FinerLevel, LevelEvidence } from "../evidence.ts";
import { levelNames } from "../signals/level-names.ts";
import {
  attackerKinds,
  attackers,
  behaviourBounds,
  chance,
  newness,
  trust,
  versionSteps,
} from "../weights.ts";
import { productOf, type Sheet } from "./sheet.ts";

const dayMs = 24 * 60 * 60 * 1000;
const nothingCounted: Counted = { count: 0, all: 0 };

/** The names of levels in steps. "agent" is the name of the hierarchy, and the API writes names in lower case. */
export function pathOfLevel(level: Level): string {
  return level === "agent"
    ? "agent_text"
    : level.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The names of the steps that say what was known before the session. */
export interface CourseNames {
  readonly logins: string;
  readonly days: string;
}

/** @param prefix distinguishes a second comparison of the same session */
export function explainCourse(
  sheet: Sheet,
  prefix: string,
  { logins, sinceMs }: Course,
  isNeeded: boolean,
): CourseNames {
  const names = { logins: `${prefix}.logins`, days: `${prefix}.days` };
  if (!isNeeded) return names;
  sheet.read(
    names.logins,
    logins,
    "sessions that were known; one that nobody confirmed counts as a part of one",
  );
  sheet.read(names.days, sinceMs / dayMs, "days since the last of them");
  return names;
}

/** What anybody's login brings: how often it is new on the level. */
function explainUsualNewness(
  sheet: Sheet,
  path: string,
  level: Level,
  course: CourseNames,
  counted: Counted,
): void {
  const { immediate, longTerm, halfwayMs, fewLogins } = newness[level];
  const { logins, days } = course;
  const drift = `${immediate} + (${longTerm} - ${immediate}) * ${days} / (${days} + ${halfwayMs / dayMs})`;
  const assumed = `1 - (1 - (${drift})) * ${logins} / (${logins} + ${fewLogins})`;
  const meaning = "how often anybody's login is new here, after this time and so many logins";
  if (counted.all === 0) {
    sheet.compute(`${path}.usually_new`, assumed, meaning);
    return;
  }
  sheet.compute(`${path}.assumed_new`, assumed, "the same, as the model assumes");
  sheet.read(`${path}.new_of_tenant`, counted.count, "the tenant's sessions that were new here");
  sheet.read(`${path}.all_of_tenant`, counted.all, "of so many after a similar time");
  sheet.compute(
    `${path}.usually_new`,
    `(${trust.novelty} * ${path}.assumed_new + ${path}.new_of_tenant) / (${trust.novelty} + ${path}.all_of_tenant)`,
    meaning,
  );
}

/** A share of the population: assumed, and corrected by what was counted. */
function explainShare(
  sheet: Sheet,
  name: string,
  level: Level,
  { count, all }: Counted,
  meaning: string,
): void {
  const { assumed, max } = chance[level];
  if (all === 0) {
    sheet.weigh(name, Math.min(max, assumed), `${meaning}, as the model assumes`);
    return;
  }
  sheet.read(`${name}_count`, count, "sessions of the population that have it");
  sheet.read(`${name}_all`, all, "of so many");
  sheet.compute(
    name,
    `min(${max}, (${trust.shares} * ${assumed} + ${name}_count) / (${trust.shares} + ${name}_all))`,
    meaning,
  );
}

function explainImitation(sheet: Sheet, path: string, level: Level): void {
  sheet.weigh(
    `${path}.imitates`,
    attackerKinds.map((kind) => attackers[kind].imitates[level]),
    "how often each kind of attacker has the user's value deliberately",
  );
}

/** Levels that could not be compared: the names of what they say until the next one that could. */
export interface Skipped {
  readonly users: readonly string[];
  readonly attackers: readonly string[];
}

export const nothingSkipped: Skipped = { users: [], attackers: [] };

export function explainSkipped(
  sheet: Sheet,
  path: string,
  level: Level,
  course: CourseNames,
  { users, attackers: names }: Skipped,
  needsUser: boolean,
): Skipped {
  const { minNewness, maxSkippedNewness } = behaviourBounds;
  if (needsUser) {
    explainUsualNewness(sheet, path, level, course, nothingCounted);
    sheet.compute(
      `${path}.user_agrees`,
      `1 - min(${maxSkippedNewness}, max(${minNewness}, ${path}.usually_new))`,
      `the probability that the user's ${levelNames[level]}, which could not be compared, was known`,
    );
  }
  explainImitation(sheet, path, level);
  explainShare(
    sheet,
    `${path}.share`,
    level,
    nothingCounted,
    "the share of the population that has it by chance",
  );
  sheet.compute(
    `${path}.attacker_agrees`,
    `${path}.imitates + (1 - ${path}.imitates) * ${path}.share`,
    "the same for each kind of attacker",
  );
  return {
    users: [...users, `${path}.user_agrees`],
    attackers: [...names, `${path}.attacker_agrees`],
  };
}

function explainNewness(
  sheet: Sheet,
  path: string,
  hierarchy: HierarchyName,
  evidence: FinerLevel & Partial<LevelEvidence>,
  course: CourseNames,
): void {
  const { level, novelty, changes, ownNovelty, block } = evidence;
  explainUsualNewness(sheet, path, level, course, novelty);
  const { count = 0, all = 0 } = ownNovelty ?? {};
  sheet.read(
    `${path}.was_new`,
    changes === undefined ? count : changes.observed / countsInOne,
    "how often this user was new here before",
  );
  if (changes === undefined) {
    sheet.compute(
      `${path}.expected_new`,
      `${all} * ${path}.usually_new`,
      "how often anybody would have been",
    );
  } else {
    sheet.read(
      `${path}.expected_new`,
      changes.expected / countsInOne,
      "how often anybody would have been",
    );
  }
  const weight = trust.changes[hierarchy];
  sheet.compute(
    `${path}.restlessness`,
    `(${weight} + ${path}.was_new) / (${weight} + ${path}.expected_new)`,
    "how much more often than others this user is new here",
  );
  const factors = [`${path}.restlessness`];
  if (block !== undefined && block.everywhere.count > 0) {
    sheet.compute(
      `${path}.new_everywhere`,
      `${block.everywhere.count} / ${block.everywhere.all}`,
      "how often the tenant's users come from a new block, by its sessions",
    );
    const { minBlock, maxBlock } = behaviourBounds;
    const here = `(${trust.block} * ${path}.new_everywhere + ${block.here.count}) / (${trust.block} + ${block.here.all})`;
    sheet.compute(
      `${path}.block`,
      `min(${maxBlock}, max(${minBlock}, ${here} / ${path}.new_everywhere))`,
      "how much more often users are new in this block",
    );
    factors.push(`${path}.block`);
  }
  const { minNewness, maxNewness } = behaviourBounds;
  const exponent = factors.length === 1 ? factors[0] : `(${productOf(factors)})`;
  sheet.compute(
    `${path}.user_is_new`,
    `min(${maxNewness}, max(${minNewness}, 1 - (1 - ${path}.usually_new) ^ ${exponent}))`,
    "the probability that this user is new here",
  );
}

/** Which of the two outcomes of a level the explanation needs, and whether it needs how probable the user's are. */
export interface Needed {
  readonly known: boolean;
  readonly new: boolean;
  readonly user: boolean;
}

/** The names of the steps that say how probable an outcome is. */
export interface OutcomeNames {
  readonly user: string;
  readonly attacker: string;
  /** The same for an attacker, if the value were as usual as that of an average session. */
  readonly asUsual: string;
}

/** Which part of the history, of the population and of the attackers has the value. */
function explainKnown(
  sheet: Sheet,
  path: string,
  evidence: Partial<LevelEvidence> & Pick<LevelEvidence, "level">,
  skipped: Skipped,
  needsUser: boolean,
): OutcomeNames {
  const { level, seen, own, population, usual } = evidence;
  const name = levelNames[level];
  const agree = timesEach(skipped.attackers);
  let byChance = `${path}.share`;
  if (seen === true && own !== undefined && population !== undefined) {
    sheet.read(`${path}.own`, own, "the value's share of the user's history");
    explainShare(
      sheet,
      `${path}.population`,
      level,
      population,
      "the value's share of the population",
    );
    byChance = `${path}.chance`;
    sheet.compute(
      byChance,
      `min(${path}.share, ${path}.population / ${path}.own)`,
      "the share of the population over the share of the history",
    );
  }
  const stays = skipped.users.map((one) => `${one} ^ ${path}.restlessness * `).join("");
  if (needsUser) {
    sheet.compute(
      `${path}.user_known`,
      stays === "" ? `1 - ${path}.user_is_new` : `${stays}(1 - ${path}.user_is_new)`,
      `the probability that the user's ${name} is known`,
    );
  }
  const imitates = `${path}.imitates`;
  const names = { user: `${path}.user_known`, attacker: `${path}.attacker_known` };
  if (usual === undefined) {
    sheet.compute(
      names.attacker,
      agree === ""
        ? `${imitates} + (1 - ${imitates}) * ${byChance}`
        : `${agree}(${imitates} + (1 - ${imitates}) * ${byChance})`,
      `the probability that an attacker's ${name} is known`,
    );
    return { ...names, asUsual: names.attacker };
  }
  sheet.read(`${path}.usual`, usual, "how usual the value is, beside that of an average session");
  sheet.compute(
    names.attacker,
    `${agree}(${imitates} * ${path}.usual + (1 - ${imitates}) * ${byChance})`,
    `the probability that an attacker's ${name} is known`,
  );
  const asUsual = `${path}.attacker_known_as_usual`;
  sheet.compute(
    asUsual,
    `${agree}(${imitates} + (1 - ${imitates}) * ${byChance})`,
    "the same, if the value were as usual as that of an average session",
  );
  return { ...names, asUsual };
}

function explainNew(
  sheet: Sheet,
  path: string,
  { level, step }: Pick<LevelEvidence, "level"> & Partial<Pick<LevelEvidence, "step">>,
  skipped: Skipped,
): OutcomeNames {
  const name = levelNames[level];
  const stays = skipped.users.map((one) => `${one} ^ ${path}.restlessness * `).join("");
  sheet.compute(
    `${path}.user_new`,
    stays === "" ? `${path}.user_is_new` : `1 - ${stays}(1 - ${path}.user_is_new)`,
    `the probability that the user's ${name} is new`,
  );
  const agrees = `${timesEach(skipped.attackers)}(${path}.imitates + (1 - ${path}.imitates) * ${path}.share)`;
  if (step !== undefined) {
    sheet.weigh(
      `${path}.direction`,
      versionSteps[step],
      `the ratio of a version that is ${step === "newer" ? "above" : "not above"} all known ones`,
    );
  }
  sheet.compute(
    `${path}.attacker_new`,
    step === undefined ? `1 - ${agrees}` : `${path}.direction * (1 - ${agrees})`,
    `the probability that an attacker's ${name} is new`,
  );
  const names = { user: `${path}.user_new`, attacker: `${path}.attacker_new` };
  return { ...names, asUsual: names.attacker };
}

function timesEach(names: readonly string[]): string {
  return names.map((one) => `${one} * `).join("");
}

/** @param evidence of a level that is compared, or of a finer one, below the first new one */
export function explainLevel(
  sheet: Sheet,
  path: string,
  hierarchy: HierarchyName,
  evidence: FinerLevel & Partial<LevelEvidence>,
  course: CourseNames,
  skipped: Skipped,
  needed: Needed,
): { readonly known?: OutcomeNames; readonly new?: OutcomeNames } {
  const { level, seen, population, known = population } = evidence;
  if (needed.user) explainNewness(sheet, path, hierarchy, evidence, course);
  explainImitation(sheet, path, level);
  explainShare(
    sheet,
    `${path}.share`,
    level,
    (seen === true ? known : population) ?? nothingCounted,
    "the share of the population that has one of the user's values",
  );
  return {
    ...(needed.known ? { known: explainKnown(sheet, path, evidence, skipped, needed.user) } : {}),
    ...(needed.new ? { new: explainNew(sheet, path, evidence, skipped) } : {}),
  };
}
