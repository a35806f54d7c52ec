/**
 * Chooses the logins and attacks that are compared (pure).
 *
 * "matched": real logins 2 to 72 hours after the previous one and, for each of them and each kind of
 * attacker, one attack at the same position. The attack has the same user and the same history, and its delay
 * is that of another real login with a history of similar length whose previous login was at the same hour.
 * So neither history nor time distinguishes an attack from a login; only its network and agent do.
 *
 * "operation": every real login that has a history, and attacks 2 to 72 hours after any login. A service sees
 * this mixture, but most logins come later than that, so the time alone reveals attacks.
 *
 * "first": real first logins and, at the position of each, an attack on an identity without history.
 *
 * "experience": logins of real users in which exactly one thing changes (experiences.ts).
 *
 * The attackers that sentinel-2's evaluation lacked are in "matched" alone, and have random numbers of their own, so
 * the data of the others stays what it was.
 */
import { createExperienceTrials } from "./experiences.ts";
import type { AgentPool } from "./generator/agents.ts";
import { type AttackerKind, drawAttack, earlierKinds, laterKinds } from "./generator/attackers.ts";
import type { Visit } from "./generator/logins.ts";
import { attackerRates, yearDays } from "./generator/rates.ts";
import { findFirstFrom, type Strangers } from "./generator/strangers.ts";
import { Random } from "./random.ts";
import { type Course, createRealTrial, createTrial, type Period, type Trial } from "./trial.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** The days of the year on which the periods begin. Before them only the population grows. */
const validationFrom = 212;
const testFrom = 273;
const [minHours, maxHours] = attackerRates.hoursAfter;
/** Attacks of each kind in each period of "operation". */
const maxInOperation = 3000;
/**
 * Attackers that come when the victim logs in: one that knows the victim well, and a relay, whose page the victim
 * is using.
 */
const kindsAtOwnHours: ReadonlySet<AttackerKind> = new Set([
  "veryTargeted",
  "relayHoster",
  "relayResidential",
]);
/** Attackers that know nothing about the victim. */
const ignorantKinds: readonly AttackerKind[] = ["naive", "stuffing"];

export function periodOf(at: number, yearFrom: number): Period | undefined {
  const day = (at - yearFrom) / dayMs;
  if (day < validationFrom || day >= yearDays) return undefined;
  return day < testFrom ? "validation" : "test";
}

function collectCourses(visits: readonly Visit[], yearFrom: number): Course[] {
  const histories = new Map<number, Visit[]>();
  return visits.flatMap((visit, position) => {
    const known = histories.get(visit.user) ?? [];
    histories.set(visit.user, [...known, visit]);
    const period = periodOf(visit.at, yearFrom);
    return period === undefined ? [] : [{ position, period, visit, known, last: known.at(-1) }];
  });
}

function isSoon({ last, visit }: Course): boolean {
  if (last === undefined) return false;
  const hours = (visit.at - last.at) / hourMs;
  return hours >= minHours && hours <= maxHours;
}

/** Groups logins with a history of similar length and the same hour of the previous login. */
function stratumOf({ known, period, last }: Course): string {
  const size = [2, 3, 5, 10, 20, 40].filter((bound) => known.length >= bound).length;
  const hour = Math.floor((last?.at ?? 0) / hourMs) % 24;
  return `${period}/${size}/${hour}`;
}

function createMatchedTrials(
  courses: readonly Course[],
  kinds: readonly AttackerKind[],
  strangers: Strangers,
  random: Random,
): Trial[] {
  const strata = Map.groupBy(courses, stratumOf);
  return courses.flatMap((course) => {
    const { visit, last, known } = course;
    if (last === undefined) return [];
    return kinds.flatMap((kind) => {
      const model = random.pick(strata.get(stratumOf(course)) ?? [course]);
      const gap = model.visit.at - (model.last?.at ?? model.visit.at);
      const at = kindsAtOwnHours.has(kind) ? visit.at : last.at + gap;
      const target = { user: visit.user, known, at, browser: visit };
      const attack = drawAttack(kind, target, strangers, random);
      return attack === undefined ? [] : [createTrial("matched", course, attack)];
    });
  });
}

function createFirstTrials(
  courses: readonly Course[],
  strangers: Strangers,
  random: Random,
): Trial[] {
  return courses.flatMap((course) => {
    const { visit } = course;
    const attacks = ignorantKinds.flatMap((kind) => {
      const target = { user: visit.user, known: [], at: visit.at, browser: undefined };
      const attack = drawAttack(kind, target, strangers, random);
      return attack === undefined ? [] : [createTrial("first", course, attack)];
    });
    return [createRealTrial("first", course), ...attacks];
  });
}

function createOperationTrials(
  courses: readonly Course[],
  visits: readonly Visit[],
  strangers: Strangers,
  random: Random,
): Trial[] {
  const byUser = Map.groupBy(visits, ({ user }) => user);
  const byPeriod = Map.groupBy(courses, ({ period }) => period);
  const attacks = [...byPeriod].flatMap(([period, victims]) =>
    earlierKinds.flatMap((kind) =>
      Array.from({ length: Math.min(maxInOperation, victims.length) }, () => {
        const { visit } = random.pick(victims);
        const at = Math.round(visit.at + random.between(minHours, maxHours) * hourMs);
        const known = (byUser.get(visit.user) ?? []).filter((other) => other.at < at);
        const target = { user: visit.user, known, at, browser: undefined };
        const attack = drawAttack(kind, target, strangers, random);
        const course = {
          position: findFirstFrom(visits, at),
          period,
          visit,
          known,
          last: known.at(-1),
        };
        return attack === undefined ? [] : [createTrial("operation", course, attack)];
      }).flat(),
    ),
  );
  const real = courses.filter(({ last }) => last !== undefined);
  return [...real.map((course) => createRealTrial("operation", course)), ...attacks];
}

/** All trials of a year, ordered by position. */
export function createTrials(
  visits: readonly Visit[],
  yearFrom: number,
  strangers: Strangers,
  agents: AgentPool,
  seed: number,
): Trial[] {
  const courses = collectCourses(visits, yearFrom);
  const soon = courses.filter(isSoon);
  const random = new Random(`attackers/${seed}`);
  const later = new Random(`later attackers/${seed}`);
  const experiences = new Random(`experiences/${seed}`);
  return [
    ...soon.map((course) => createRealTrial("matched", course)),
    ...createMatchedTrials(soon, earlierKinds, strangers, random),
    ...createMatchedTrials(soon, laterKinds, strangers, later),
    ...createExperienceTrials(courses, visits, strangers, agents, experiences),
    ...createOperationTrials(courses, visits, strangers, random),
    ...createFirstTrials(
      courses.filter(({ last }) => last === undefined),
      strangers,
      random,
    ),
  ].toSorted((left, right) => left.position - right.position);
}
