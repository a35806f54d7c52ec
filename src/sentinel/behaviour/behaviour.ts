/**
 * How a session compares with the identity's own confirmed history and with the tenant's population
 * (pure): the plain numbers that evidence about behaviour is made from (see likelihood.ts).
 */
import { agentLevels, type Context, type Level, networkLevels, levelValueOf } from "../context.ts";
import type { BehaviourEvidence, LevelEvidence } from "../evidence.ts";
import type { History } from "../history.ts";
import {
  bucketOf,
  hourOfWeek,
  hoursInWeek,
  countNovelty,
  type Population,
  countShare,
} from "../population/population.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** A session counts half after this time: people change their networks and devices. */
const halfLifeMs = 60 * dayMs;
/** Width of the bell over the hours of a day that a login speaks for. */
const hourSpreadHours = 2;
/** How much a login on another day of the week says of an hour, beside one on the same day. */
const otherDayShare = 0.6;
/** Logins of the population before its hours are trusted over "all alike". */
const assumedLogins = 200;

interface WeightedSession {
  readonly context: Context;
  readonly at: number;
  readonly weight: number;
}

function totalWeightOf(sessions: readonly WeightedSession[]): number {
  return sessions.reduce((sum, { weight }) => sum + weight, 0);
}

function compareLevel(
  level: Level,
  sessions: readonly WeightedSession[],
  context: Context,
  population: Population | null,
  bucket: number,
): { evidence: LevelEvidence; matching: readonly WeightedSession[] } {
  const value = levelValueOf(context, level);
  const valuesKnown = new Set(
    sessions.flatMap((known) => levelValueOf(known.context, level) ?? []),
  );
  const matching = sessions.filter((known) => levelValueOf(known.context, level) === value);
  const seen = value !== null && matching.length > 0;
  return {
    matching,
    evidence: {
      level,
      seen,
      own: seen ? totalWeightOf(matching) / totalWeightOf(sessions) : 0,
      population: countShare(population, context, level, seen ? [value] : [...valuesKnown]),
      // Each value was new once; the first of all had nothing to be compared with.
      ownNovelty: { count: valuesKnown.size - 1, all: sessions.length - 1 },
      novelty: countNovelty(population, level, bucket),
    },
  };
}

function compareLevels(
  hierarchy: readonly Level[],
  sessions: readonly WeightedSession[],
  context: Context,
  population: Population | null,
  bucket: number,
): LevelEvidence[] {
  const found: LevelEvidence[] = [];
  let agreeing = sessions;
  for (const level of hierarchy) {
    if (levelValueOf(context, level) === null) continue;
    const comparable = agreeing.filter((known) => levelValueOf(known.context, level) !== null);
    if (comparable.length === 0) continue;
    const { evidence, matching } = compareLevel(level, comparable, context, population, bucket);
    found.push(evidence);
    if (!evidence.seen) break;
    agreeing = matching;
  }
  return found;
}

/** Hours apart on the clock, 0 to 12. */
function hoursBetween(left: number, right: number): number {
  const apart = Math.abs(left - right) % 24;
  return Math.min(apart, 24 - apart);
}

function weighHours(hours: number): number {
  return Math.exp(-0.5 * (hours / hourSpreadHours) ** 2);
}

/** Mean of the bell over a day: makes a history spread evenly come out at 1. */
const meanHourWeight =
  Array.from({ length: 24 }, (_, hour) => weighHours(hoursBetween(0, hour))).reduce(
    (a, b) => a + b,
  ) / 24;
const meanDayWeight = (1 + 6 * otherDayShare) / 7;

function computeOwnHour(sessions: readonly WeightedSession[], now: number): number {
  const hour = hourOfWeek(now);
  const density = sessions.reduce((sum, { at, weight }) => {
    const other = hourOfWeek(at);
    const sameDay = Math.floor(hour / 24) === Math.floor(other / 24);
    return sum + weight * weighHours(hoursBetween(hour, other)) * (sameDay ? 1 : otherDayShare);
  }, 0);
  return density / (totalWeightOf(sessions) * meanHourWeight * meanDayWeight);
}

function computePopulationHour(population: Population | null, now: number): number {
  if (population === null) return 1;
  const hour = hourOfWeek(now);
  const around = [-1, 0, 1].map((step) => (hour + step + hoursInWeek) % hoursInWeek);
  const counted = around.reduce((sum, index) => sum + (population.hours[index] ?? 0), 0);
  const usual = (around.length * population.logins) / hoursInWeek;
  const trust = (around.length * assumedLogins) / hoursInWeek;
  return (counted + trust) / (usual + trust);
}

/**
 * @param history confirmed sessions up to `now`, in the order of time
 * @returns null where there is nothing to compare with
 */
export function compareWithHistory(
  history: History,
  context: Context,
  population: Population | null,
  now: number,
): BehaviourEvidence | null {
  const last = history.at(-1);
  if (last === undefined) return null;
  const sessions = history.map(({ context: known, at }): WeightedSession => {
    return { context: known, at, weight: 2 ** (-(now - at) / halfLifeMs) };
  });
  const sinceLastMs = now - last.at;
  const bucket = bucketOf(sinceLastMs, history.length);
  return {
    logins: history.length,
    sinceLastMs,
    network: compareLevels(networkLevels, sessions, context, population, bucket),
    agent: compareLevels(agentLevels, sessions, context, population, bucket),
    hour: {
      own: computeOwnHour(sessions, now),
      population: computePopulationHour(population, now),
    },
  };
}
