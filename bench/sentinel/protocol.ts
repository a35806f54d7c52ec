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
 */
import {
  type Attack,
  type AttackerKind,
  attackerKinds,
  drawAttack,
} from "./generator/attackers.ts";
import type { Visit } from "./generator/logins.ts";
import { attackerRates, yearDays } from "./generator/rates.ts";
import { findFirstFrom, type Strangers } from "./generator/strangers.ts";
import type { Random } from "./random.ts";

export const protocols = ["matched", "operation", "first"] as const;
export type Protocol = (typeof protocols)[number];
export const periods = ["validation", "test"] as const;
export type Period = (typeof periods)[number];

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** The days of the year on which the periods begin. Before them only the population grows. */
const validationFrom = 212;
const testFrom = 273;
const [minHours, maxHours] = attackerRates.hoursAfter;
/** Attacks of each kind in each period of "operation". */
const maxInOperation = 3000;
/** Attackers that know nothing about the victim. */
const ignorantKinds: readonly AttackerKind[] = ["naive", "stuffing"];

/** A login or an attack to score, with its position among the real logins. */
export interface Trial {
  readonly protocol: Protocol;
  readonly period: Period;
  /** Null: a real login. */
  readonly attack: Attack | null;
  /** It is scored after every login before this position was observed. */
  readonly position: number;
  readonly visit: Visit;
  /** The number of earlier logins of the user. */
  readonly logins: number;
  readonly sinceLastMs: number;
}

export function periodOf(at: number, yearFrom: number): Period | undefined {
  const day = (at - yearFrom) / dayMs;
  if (day < validationFrom || day >= yearDays) return undefined;
  return day < testFrom ? "validation" : "test";
}

/** A real login with the user's earlier logins. */
interface Course {
  readonly position: number;
  readonly period: Period;
  readonly visit: Visit;
  readonly known: readonly Visit[];
  readonly last: Visit | undefined;
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

function createTrial(protocol: Protocol, course: Course, attack: Attack | null, at: number): Trial {
  const { position, period, known, last, visit } = course;
  return {
    protocol,
    period,
    attack,
    position,
    visit: attack?.visit ?? visit,
    logins: known.length,
    sinceLastMs: last === undefined ? Number.POSITIVE_INFINITY : at - last.at,
  };
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
  strangers: Strangers,
  random: Random,
): Trial[] {
  const strata = Map.groupBy(courses, stratumOf);
  return courses.flatMap((course) => {
    const { visit, last, known } = course;
    if (last === undefined) return [];
    const attacks = attackerKinds.flatMap((kind) => {
      const model = random.pick(strata.get(stratumOf(course)) ?? [course]);
      const gap = model.visit.at - (model.last?.at ?? model.visit.at);
      // An attacker that knows the victim this well logs in at the victim's own hours.
      const at = kind === "veryTargeted" ? visit.at : last.at + gap;
      const attack = drawAttack(kind, visit.user, known, at, strangers, random);
      return attack === undefined ? [] : [createTrial("matched", course, attack, at)];
    });
    return [createTrial("matched", course, null, visit.at), ...attacks];
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
      const attack = drawAttack(kind, visit.user, [], visit.at, strangers, random);
      return attack === undefined ? [] : [createTrial("first", course, attack, visit.at)];
    });
    return [createTrial("first", course, null, visit.at), ...attacks];
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
    attackerKinds.flatMap((kind) =>
      Array.from({ length: Math.min(maxInOperation, victims.length) }, () => {
        const { visit } = random.pick(victims);
        const at = Math.round(visit.at + random.between(minHours, maxHours) * hourMs);
        const known = (byUser.get(visit.user) ?? []).filter((other) => other.at < at);
        const attack = drawAttack(kind, visit.user, known, at, strangers, random);
        const course = {
          position: findFirstFrom(visits, at),
          period,
          visit,
          known,
          last: known.at(-1),
        };
        return attack === undefined ? [] : [createTrial("operation", course, attack, at)];
      }).flat(),
    ),
  );
  const real = courses.filter(({ last }) => last !== undefined);
  return [
    ...real.map((course) => createTrial("operation", course, null, course.visit.at)),
    ...attacks,
  ];
}

/** All trials of a year, ordered by position. */
export function createTrials(
  visits: readonly Visit[],
  yearFrom: number,
  strangers: Strangers,
  random: Random,
): Trial[] {
  const courses = collectCourses(visits, yearFrom);
  return [
    ...createMatchedTrials(courses.filter(isSoon), strangers, random),
    ...createOperationTrials(courses, visits, strangers, random),
    ...createFirstTrials(
      courses.filter(({ last }) => last === undefined),
      strangers,
      random,
    ),
  ].toSorted((left, right) => left.position - right.position);
}
