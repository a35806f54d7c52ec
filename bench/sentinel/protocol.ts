/**
 * Which logins and attacks are compared (pure).
 *
 * "matched": real logins 2 to 72 hours after the one before, and for each of them, and for each kind
 * of attacker, one attack in its place: on the same user, with the same history, at a time that another
 * real login of as long a history and the same hour before it took to come. So neither the history nor
 * the time of an attack tells it from a login; only what it comes with does.
 *
 * "operation": every real login that has a history, and attacks 2 to 72 hours after any login. This is
 * what a service meets, but most logins come later than that, so the time alone gives attacks away.
 *
 * "first": real first logins, and in the place of each an attack on an identity without history.
 */
import {
  type Attack,
  type AttackerKind,
  attackerKinds,
  someAttack,
} from "./generator/attackers.ts";
import type { Visit } from "./generator/logins.ts";
import { attackerRates, yearDays } from "./generator/rates.ts";
import { firstFrom, type Strangers } from "./generator/strangers.ts";
import type { Random } from "./random.ts";

export const protocols = ["matched", "operation", "first"] as const;
export type Protocol = (typeof protocols)[number];
export const periods = ["validation", "test"] as const;
export type Period = (typeof periods)[number];

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** Days of the year from which the periods begin; before, only the population grows. */
const validationFrom = 212;
const testFrom = 273;
const [minHours, maxHours] = attackerRates.hoursAfter;
/** Attacks of each kind in each period of the operation. */
const maxInOperation = 3000;
/** Attackers who need to know nothing of the victim. */
const ignorant: readonly AttackerKind[] = ["naive", "stuffing"];

/** Something to score, at this place in the course of real logins. */
export interface Trial {
  readonly protocol: Protocol;
  readonly period: Period;
  /** Null: a real login. */
  readonly attack: Attack | null;
  /** Scored when every login before this place was observed. */
  readonly place: number;
  readonly visit: Visit;
  /** Logins of the user before. */
  readonly logins: number;
  readonly sinceLastMs: number;
}

export function periodOf(at: number, yearFrom: number): Period | undefined {
  const day = (at - yearFrom) / dayMs;
  if (day < validationFrom || day >= yearDays) return undefined;
  return day < testFrom ? "validation" : "test";
}

/** A real login with what came before it. */
interface Course {
  readonly place: number;
  readonly period: Period;
  readonly visit: Visit;
  readonly known: readonly Visit[];
  readonly last: Visit | undefined;
}

function coursesOf(visits: readonly Visit[], yearFrom: number): Course[] {
  const histories = new Map<number, Visit[]>();
  return visits.flatMap((visit, place) => {
    const known = histories.get(visit.user) ?? [];
    histories.set(visit.user, [...known, visit]);
    const period = periodOf(visit.at, yearFrom);
    return period === undefined ? [] : [{ place, period, visit, known, last: known.at(-1) }];
  });
}

function trialOf(protocol: Protocol, course: Course, attack: Attack | null, at: number): Trial {
  const { place, period, known, last, visit } = course;
  return {
    protocol,
    period,
    attack,
    place,
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

/** Logins that are alike in history and in the hour of the one before. */
function stratumOf({ known, period, last }: Course): string {
  const size = [2, 3, 5, 10, 20, 40].filter((bound) => known.length >= bound).length;
  const hour = Math.floor((last?.at ?? 0) / hourMs) % 24;
  return `${period}/${size}/${hour}`;
}

function matched(courses: readonly Course[], strangers: Strangers, random: Random): Trial[] {
  const strata = Map.groupBy(courses, stratumOf);
  return courses.flatMap((course) => {
    const { visit, last, known } = course;
    if (last === undefined) return [];
    const attacks = attackerKinds.flatMap((kind) => {
      const model = random.pick(strata.get(stratumOf(course)) ?? [course]);
      const gap = model.visit.at - (model.last?.at ?? model.visit.at);
      // Who knows the victim this well comes at the victim's own hours.
      const at = kind === "veryTargeted" ? visit.at : last.at + gap;
      const attack = someAttack(kind, visit.user, known, at, strangers, random);
      return attack === undefined ? [] : [trialOf("matched", course, attack, at)];
    });
    return [trialOf("matched", course, null, visit.at), ...attacks];
  });
}

function first(courses: readonly Course[], strangers: Strangers, random: Random): Trial[] {
  return courses.flatMap((course) => {
    const { visit } = course;
    const attacks = ignorant.flatMap((kind) => {
      const attack = someAttack(kind, visit.user, [], visit.at, strangers, random);
      return attack === undefined ? [] : [trialOf("first", course, attack, visit.at)];
    });
    return [trialOf("first", course, null, visit.at), ...attacks];
  });
}

function operation(
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
        const attack = someAttack(kind, visit.user, known, at, strangers, random);
        const course = { place: firstFrom(visits, at), period, visit, known, last: known.at(-1) };
        return attack === undefined ? [] : [trialOf("operation", course, attack, at)];
      }).flat(),
    ),
  );
  const real = courses.filter(({ last }) => last !== undefined);
  return [...real.map((course) => trialOf("operation", course, null, course.visit.at)), ...attacks];
}

/** All trials of a year, in the order of their places. */
export function trialsOf(
  visits: readonly Visit[],
  yearFrom: number,
  strangers: Strangers,
  random: Random,
): Trial[] {
  const courses = coursesOf(visits, yearFrom);
  return [
    ...matched(courses.filter(isSoon), strangers, random),
    ...operation(courses, visits, strangers, random),
    ...first(
      courses.filter(({ last }) => last === undefined),
      strangers,
      random,
    ),
  ].toSorted((left, right) => left.place - right.place);
}
