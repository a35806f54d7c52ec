/** The steps of a hierarchy (pure): from the probabilities of its levels to those of the places in it. */

import type { BehaviourPart } from "../behaviour/attacker-model.ts";
import { courseOf, findPlacesIn } from "../behaviour/attacker-model.ts";
import type { OrderedPlaces } from "../behaviour/order.ts";
import { type HierarchyName, hierarchies, type Level } from "../context.ts";
import type { BehaviourEvidence, FinerLevel, LevelEvidence } from "../evidence.ts";
import { attackerKinds } from "../weights.ts";
import {
  type CourseNames,
  explainCourse,
  explainLevel,
  explainSkipped,
  nothingSkipped,
  type OutcomeNames,
  pathOfLevel,
  type Skipped,
} from "./explain-level.ts";
import { productOf, type Sheet, sumOf } from "./sheet.ts";

/** Places from one to another; null: that of sessions that are known in everything. */
type Range = OrderedPlaces["network"];

/** The probabilities along the way down to a level. */
interface Way {
  readonly users: readonly string[];
  readonly attackers: readonly string[];
  readonly asUsual: readonly string[];
}

const start: Way = { users: [], attackers: [], asUsual: [] };

function goOn(way: Way, outcome: OutcomeNames | undefined): Way {
  if (outcome === undefined) return way;
  return {
    users: [...way.users, outcome.user],
    attackers: [...way.attackers, outcome.attacker],
    asUsual: [...way.asUsual, outcome.asUsual],
  };
}

type PassedLevel = FinerLevel & Partial<LevelEvidence>;

/** Below the first new level, no value is compared: only how often the user is new there counts. */
function toFiner({ level, novelty, changes, ownNovelty, block }: PassedLevel): PassedLevel {
  return {
    level,
    novelty,
    ...(changes && { changes }),
    ...(ownNovelty && { ownNovelty }),
    ...(block && { block }),
  };
}

/** The levels as `findPlaces` goes through them: those that are passed, and the skipped ones before each. */
function listPassed(
  hierarchy: HierarchyName,
  { [hierarchy]: compared, finer }: BehaviourEvidence,
): readonly { readonly evidence: PassedLevel; readonly skipped: readonly Level[] }[] {
  const all: readonly Level[] = hierarchies[hierarchy];
  let before = 0;
  const passed = compared.map((evidence) => {
    const depth = all.indexOf(evidence.level);
    const skipped = all.slice(before, depth);
    before = depth + 1;
    return { evidence, skipped };
  });
  return [
    ...passed,
    ...(finer?.[hierarchy] ?? []).map((evidence) => ({ evidence: toFiner(evidence), skipped: [] })),
  ];
}

/** Explains one hierarchy of one comparison. The names of its steps begin with `path`. */
export class HierarchySteps {
  readonly #sheet: Sheet;
  readonly #path: string;
  readonly #own: number;
  readonly #end: number;
  readonly #ways: { way: Way; stop: OutcomeNames | undefined }[] = [];

  /** @param ranges the places that the explanation needs besides that of the session */
  constructor(
    sheet: Sheet,
    prefix: string,
    hierarchy: HierarchyName,
    behaviour: BehaviourEvidence,
    off: readonly BehaviourPart[],
    ranges: readonly Range[],
  ) {
    this.#sheet = sheet;
    this.#path = `${prefix}${hierarchy}`;
    const { all, own } = findPlacesIn(hierarchy, behaviour, off);
    this.#own = own;
    this.#end = all.length - 1;
    const needed = [
      own,
      ...ranges.flatMap((range) => (range === null ? [this.#end] : listRange(range))),
    ];
    this.#explain(prefix, hierarchy, behaviour, off.includes(hierarchy), needed, ranges);
  }

  #explain(
    prefix: string,
    hierarchy: HierarchyName,
    behaviour: BehaviourEvidence,
    isOff: boolean,
    needed: readonly number[],
    ranges: readonly Range[],
  ): void {
    const sheet = this.#sheet;
    const passed = isOff ? [] : listPassed(hierarchy, behaviour);
    const deepest = Math.max(...needed);
    // How probable the user is at the end does not count, unless the end is judged together with other places.
    const needsUser = this.#own !== this.#end || ranges.some((range) => range !== null);
    let way = start;
    let course: CourseNames | undefined;
    for (const [index, { evidence, skipped }] of passed.entries()) {
      if (index > deepest) break;
      if (course === undefined) {
        sheet.begin(this.#path);
        course = explainCourse(sheet, this.#path, courseOf(hierarchy, behaviour), needsUser);
      }
      let before: Skipped = nothingSkipped;
      for (const level of skipped) {
        sheet.begin(`${prefix}${pathOfLevel(level)}`);
        before = explainSkipped(
          sheet,
          `${prefix}${pathOfLevel(level)}`,
          level,
          course,
          before,
          needsUser,
        );
      }
      sheet.begin(`${prefix}${pathOfLevel(evidence.level)}`);
      const found = explainLevel(
        sheet,
        `${prefix}${pathOfLevel(evidence.level)}`,
        hierarchy,
        evidence,
        course,
        before,
        {
          known: index < deepest,
          new: needed.includes(index),
          user: needsUser,
        },
      );
      this.#ways.push({ way, stop: found.new });
      way = goOn(way, found.known);
    }
    this.#ways.push({ way, stop: undefined });
    sheet.begin(this.#path);
  }

  /** The name of the step with the ratio of each kind of attacker at the session's place. */
  explainOwn(): string {
    const name = `${this.#path}.ratio`;
    this.#explainRatio(name, this.#own === this.#end ? null : { from: this.#own, to: this.#own });
    return name;
  }

  /** The same at the places that are judged together. */
  explainJudged(range: Range): string {
    const isOwn =
      range === null ? this.#own === this.#end : range.from === this.#own && range.to === this.#own;
    const own = `${this.#path}.ratio`;
    if (isOwn && this.#sheet.has(own)) return own;
    const name = `${this.#path}.judged_ratio`;
    this.#explainRatio(name, range);
    return name;
  }

  #explainRatio(name: string, range: Range): void {
    const sheet = this.#sheet;
    const meaning =
      "the ratio: how much likelier this is of each kind of attacker than of the user";
    if (range === null) {
      const way = this.#ways.at(-1)?.way ?? start;
      if (way.asUsual.length === 0) {
        sheet.weigh(
          name,
          attackerKinds.map(() => 1),
          "nothing can be compared, which says nothing",
        );
        return;
      }
      sheet.compute(
        name,
        productOf(way.asUsual),
        `${meaning}. What is known in everything does not speak against the user, however restless the user is`,
      );
      return;
    }
    const places = listRange(range).map((index) => this.#explainPlace(index));
    const [attackers, users] = [
      places.map(({ attacker }) => attacker),
      places.map(({ user }) => user),
    ];
    const isOne = places.length === 1;
    sheet.compute(
      name,
      isOne ? `${attackers[0]} / ${users[0]}` : `(${sumOf(attackers)}) / (${sumOf(users)})`,
      isOne ? meaning : `${meaning}, in these places together`,
    );
  }

  #explainPlace(index: number): { readonly attacker: string; readonly user: string } {
    const { way, stop } = this.#ways[index] ?? { way: start, stop: undefined };
    const isEnd = stop === undefined;
    const last = stop?.user.split(".").slice(-2, -1)[0] ?? "";
    const at = isEnd ? "known" : `new_${last}`;
    const names = { attacker: `${this.#path}.attacker_${at}`, user: `${this.#path}.user_${at}` };
    const users = isEnd ? way.users : [...way.users, stop.user];
    const attackers = isEnd ? way.asUsual : [...way.attackers, stop.attacker];
    const where = isEnd ? "is known in everything" : "comes to this place";
    if (!this.#sheet.has(names.user)) {
      this.#sheet.compute(names.user, productOf(users), `the probability that the user ${where}`);
      this.#sheet.compute(
        names.attacker,
        productOf(attackers),
        `the probability that an attacker ${where}`,
      );
    }
    return names;
  }
}

function listRange({ from, to }: NonNullable<Range>): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
