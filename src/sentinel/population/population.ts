/**
 * How a tenant's users log in, taken together (pure): how common each network and agent is, at which
 * hours people come, and how often a real login brings something new. From confirmed sessions only.
 */
import { z } from "zod";
import {
  agentLevels,
  type Context,
  type Level,
  levels,
  networkLevels,
  levelValueOf,
} from "../context.ts";
import type { BehaviourEvidence, Counted } from "../evidence.ts";

export const hoursInWeek = 168;
const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** The Unix epoch was a Thursday; weeks begin on Monday. */
const hoursBeforeEpoch = 3 * 24;

/** Logins are alike that come as long after the last one, … */
const gapBoundsMs = [hourMs, 12 * hourMs, 3 * dayMs, 14 * dayMs, 60 * dayMs];
/** … with as many confirmed logins before them. */
const loginBounds = [2, 5, 15];
const bucketCount = (gapBoundsMs.length + 1) * (loginBounds.length + 1);

/** Values that are told apart; the rest are rare, and count with their coarser ones only. */
const maxValues = 2_000;
/** A value that fewer have is about them, and not published. */
const minPeople = 3;
/** Sessions of one identity that count, so that nobody makes what is usual. */
const maxSessionsPerIdentity = 20;
/** Stands for a value that is not known; no real one is spelled like this. */
const unknownValue = "?";

const counts = z.record(z.string(), z.int().min(0));

export const populationSchema = z.object({
  builtAt: z.int(),
  /** Confirmed sessions counted. */
  logins: z.int().min(0),
  /** Sessions by value, under the path of the coarser values as `pathOver` spells it. */
  shares: z.record(z.string(), counts),
  /** Sessions by hour of the week (UTC, from Monday 0 h). */
  hours: z.array(z.int().min(0)).length(hoursInWeek),
  /** For each level and bucket: logins that were new there, and all that could have been. */
  novelty: z.record(z.enum(levels), z.array(z.tuple([z.int().min(0), z.int().min(0)]))),
});
export type Population = Readonly<z.infer<typeof populationSchema>>;

/** A confirmed session, as the statistics need it. */
export interface ConfirmedSession {
  readonly identityId: string;
  readonly at: number;
  readonly context: Context;
  /** How it compared with what was known then; null for a first login. */
  readonly behaviour: BehaviourEvidence | null;
}

export function hourOfWeek(at: number): number {
  return (Math.floor(at / hourMs) + hoursBeforeEpoch) % hoursInWeek;
}

/** The bucket of a login, by the time since the last one and the number of those before. */
export function bucketOf(sinceLastMs: number, logins: number): number {
  const above = (bounds: readonly number[], value: number) =>
    bounds.filter((bound) => value >= bound).length;
  return above(gapBoundsMs, sinceLastMs) * (loginBounds.length + 1) + above(loginBounds, logins);
}

/** Levels whose values are common to many people, and are counted. */
function isCountedLevel(level: Level): boolean {
  return level !== "prefix" && level !== "address" && level !== "agent";
}

/** The coarser values over a level: `network/NO` over the network. */
function coarserPathOf(context: Context, level: Level): string {
  const isNetwork = networkLevels.some((name) => name === level);
  const hierarchy: readonly Level[] = isNetwork ? networkLevels : agentLevels;
  const coarser = hierarchy.slice(0, hierarchy.indexOf(level));
  return [
    isNetwork ? "network" : "agent",
    ...coarser.map((name) => levelValueOf(context, name) ?? unknownValue),
  ].join("/");
}

/** A value of its own, never one that every object has: keys come from what clients send. */
function readOwn<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** How many sessions share the coarser values of this one, and have which value of the level. */
export function countShare(
  population: Population | null,
  context: Context,
  level: Level,
  values: readonly string[],
): Counted {
  if (population === null || !isCountedLevel(level)) return { count: 0, all: 0 };
  const path = coarserPathOf(context, level);
  const siblings = readOwn(population.shares, path) ?? {};
  const end = path.lastIndexOf("/");
  const parents = readOwn(population.shares, path.slice(0, end)) ?? {};
  const all = end < 0 ? population.logins : (readOwn(parents, path.slice(end + 1)) ?? 0);
  return { count: values.reduce((sum, value) => sum + (readOwn(siblings, value) ?? 0), 0), all };
}

/** How many sessions were new on a level, of those after as long a time and as many logins. */
export function countNovelty(population: Population | null, level: Level, bucket: number): Counted {
  const [count, all] = population?.novelty[level]?.[bucket] ?? [0, 0];
  return { count, all };
}

/** The part of the population that a session with these coarse facts is compared with. */
export function narrowPopulation(population: Population, context: Context): Population {
  const paths = levels.filter(isCountedLevel).map((level) => coarserPathOf(context, level));
  const near = paths.flatMap((path) => {
    const siblings = readOwn(population.shares, path);
    return siblings === undefined ? [] : [[path, siblings] as const];
  });
  return { ...population, shares: Object.fromEntries(near) };
}

interface Share {
  readonly path: string;
  readonly value: string;
  readonly count: number;
  /** Whose sessions they are, as far as it takes to know that they are several. */
  readonly people: ReadonlySet<string>;
}

/** The most common values, in an order that does not depend on that of the sessions. */
function selectCommonest(shares: Iterable<Share>): Population["shares"] {
  const keyOf = ({ path, value }: Share) => `${path}/${value}`;
  const common = [...shares].filter(({ people }) => people.size >= minPeople);
  const byCount = common.toSorted(
    (left, right) => right.count - left.count || (keyOf(left) < keyOf(right) ? -1 : 1),
  );
  const kept = Map.groupBy(byCount.slice(0, maxValues), ({ path }) => path);
  return Object.fromEntries(
    [...kept].map(([path, siblings]) => [
      path,
      Object.fromEntries(siblings.map(({ value, count }) => [value, count])),
    ]),
  );
}

/** Counts sessions as they come, in any order: a tenant may have more than fit into memory. */
export class PopulationCounter {
  logins = 0;
  readonly #ofOne = new Map<string, number>();
  readonly #shares = new Map<string, Share>();
  readonly #hours: number[] = new Array(hoursInWeek).fill(0);
  readonly #novelty = new Map(
    levels.map((level) => [level, Array.from({ length: bucketCount }, () => [0, 0])] as const),
  );

  add({ identityId, at, context, behaviour }: ConfirmedSession): void {
    const ofOne = (this.#ofOne.get(identityId) ?? 0) + 1;
    if (ofOne > maxSessionsPerIdentity) return;
    this.#ofOne.set(identityId, ofOne);
    this.logins += 1;
    const hour = hourOfWeek(at);
    this.#hours[hour] = (this.#hours[hour] ?? 0) + 1;
    for (const level of levels.filter(isCountedLevel)) {
      const value = levelValueOf(context, level) ?? unknownValue;
      const path = coarserPathOf(context, level);
      const key = `${path}/${value}`;
      const { count = 0, people = new Set<string>() } = this.#shares.get(key) ?? {};
      const known = people.size >= minPeople ? people : new Set([...people, identityId]);
      this.#shares.set(key, { path, value, count: count + 1, people: known });
    }
    if (behaviour !== null) this.#addNovelty(behaviour);
  }

  /** @param builtAt Unix ms */
  toPopulation(builtAt: number): Population {
    return populationSchema.parse({
      builtAt,
      logins: this.logins,
      shares: selectCommonest(this.#shares.values()),
      hours: this.#hours,
      novelty: Object.fromEntries(this.#novelty),
    });
  }

  #addNovelty({ sinceLastMs, logins, network, agent }: BehaviourEvidence): void {
    const bucket = bucketOf(sinceLastMs, logins);
    for (const { level, seen } of [...network, ...agent]) {
      const cell = this.#novelty.get(level)?.[bucket];
      if (cell === undefined) continue;
      cell[0] = (cell[0] ?? 0) + (seen ? 0 : 1);
      cell[1] = (cell[1] ?? 0) + 1;
    }
  }
}

export function countPopulation(sessions: Iterable<ConfirmedSession>, builtAt: number): Population {
  const count = new PopulationCounter();
  for (const session of sessions) count.add(session);
  return count.toPopulation(builtAt);
}
