/**
 * The statistics of a tenant's confirmed sessions (pure): how common each network and agent is, at which
 * hours users log in, and how often a real login has a new value.
 *
 * publish.ts counts them once an hour from D1 and writes them to KV; read.ts reads them for an assessment.
 * They are never exact: only the most common values are kept, and one identity counts ten times at most, so
 * that nobody who logs in often decides what is common. Values of fewer than three people are not published, because they
 * would describe those people.
 */
import { z } from "zod";
import {
  agentLevels,
  type Context,
  clientLevels,
  type Level,
  levels,
  levelValueOf,
  networkLevels,
} from "../context.ts";
import type { BehaviourEvidence, Counted, LevelEvidence } from "../evidence.ts";

export const hoursInWeek = 168;
const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** The Unix epoch was a Thursday; weeks begin on Monday. */
const hoursBeforeEpoch = 3 * 24;

/** Logins are grouped by the time since the last login. These are the bounds of the groups. */
const gapBoundsMs = [hourMs, 12 * hourMs, 3 * dayMs, 14 * dayMs, 60 * dayMs];
/** They are also grouped by the number of confirmed logins before them. */
const loginBounds = [2, 5, 15];
const bucketsPerPlatform = (gapBoundsMs.length + 1) * (loginBounds.length + 1);
const bucketCount = 2 * bucketsPerPlatform;

/** The most common values are kept. A rarer one counts only towards its coarser values. */
const maxValues = 2_000;
/** A value that fewer people have is not published. */
const minPeople = 3;
/**
 * Further sessions of the same identity are not counted. A user confirms about as many in a quarter, so an account
 * that logs in all day weighs no more than a real one.
 */
const maxSessionsPerIdentity = 10;
/** Stands for an unknown value. No real value has this spelling. */
const unknownValue = "?";

const counts = z.record(z.string(), z.int().min(0));
const countedPair = z.tuple([z.int().min(0), z.int().min(0)]);

export const populationSchema = z.object({
  builtAt: z.int(),
  /** Confirmed sessions counted. */
  logins: z.int().min(0),
  /** Sessions by value, under the path of the coarser values (see `coarserPathOf`). */
  shares: z.record(z.string(), counts),
  /** Sessions by hour of the week (UTC, from Monday 0 h). */
  hours: z.array(z.int().min(0)).length(hoursInWeek),
  /** For each level and bucket: the logins that were new there, and all that were compared. */
  novelty: z.partialRecord(z.enum(levels), z.array(countedPair)),
  /**
   * Sessions whose block was new to their users although the network was known, and all that were compared, by block
   * and platform (see `blockKeyOf`). Absent in counts of older builds.
   */
  blocks: z.record(z.string(), countedPair).optional(),
});
export type Population = Readonly<z.infer<typeof populationSchema>>;

/** A confirmed session, as far as it is counted. */
export interface ConfirmedSession {
  readonly identityId: string;
  readonly at: number;
  readonly context: Context;
  /** Its comparison with the history of that time; null for a first login. */
  readonly behaviour: BehaviourEvidence | null;
}

export function weekHourOf(at: number): number {
  return (Math.floor(at / hourMs) + hoursBeforeEpoch) % hoursInWeek;
}

function countBelow(bounds: readonly number[], value: number): number {
  let below = 0;
  for (const bound of bounds) if (value >= bound) below += 1;
  return below;
}

/**
 * The bucket of a login, by the time since the last login (ms), the number of logins before, and whether it is from
 * a phone: a phone roams. Counts of older builds have the first half of the buckets.
 */
export function bucketOf(sinceLastMs: number, logins: number, isMobile: boolean): number {
  const ofPlatform =
    countBelow(gapBoundsMs, sinceLastMs) * (loginBounds.length + 1) +
    countBelow(loginBounds, logins);
  return (isMobile ? bucketsPerPlatform : 0) + ofPlatform;
}

/** Only levels whose values many people share are counted. */
function isCountedLevel(level: Level): boolean {
  return !["pool", "prefix", "address", "agent"].includes(level);
}

function isClientLevel(level: Level): boolean {
  return clientLevels.some((name) => name === level);
}

/** The path of the values that are coarser than a level: `network/NO` for the ASN. */
function coarserPathOf(context: Context, level: Level): string {
  if (isClientLevel(level)) return level;
  const isNetwork = networkLevels.some((name) => name === level);
  const hierarchy: readonly Level[] = isNetwork ? networkLevels : agentLevels;
  const coarser = hierarchy.slice(0, hierarchy.indexOf(level));
  return [
    isNetwork ? "network" : "agent",
    ...coarser.map((name) => levelValueOf(context, name) ?? unknownValue),
  ].join("/");
}

/** Reads an own property only: keys come from clients, and `constructor` must not find a value. */
function readOwn<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The sessions with one of these values on the level, of all that share the coarser values. */
export function countShare(
  population: Population | null,
  context: Context,
  level: Level,
  values: readonly string[],
): Counted {
  if (population === null || !isCountedLevel(level)) return { count: 0, all: 0 };
  const path = coarserPathOf(context, level);
  const siblings = readOwn(population.shares, path) ?? {};
  if (isClientLevel(level)) {
    // Only sessions that have the field count, and nothing is coarser than it.
    const all = Object.values(siblings).reduce((sum, count) => sum + count, 0);
    return { count: values.reduce((sum, value) => sum + (readOwn(siblings, value) ?? 0), 0), all };
  }
  const end = path.lastIndexOf("/");
  const parents = readOwn(population.shares, path.slice(0, end)) ?? {};
  const all = end < 0 ? population.logins : (readOwn(parents, path.slice(end + 1)) ?? 0);
  return { count: values.reduce((sum, value) => sum + (readOwn(siblings, value) ?? 0), 0), all };
}

/** The sessions that were new on a level, of all in the same bucket. */
export function countNovelty(population: Population | null, level: Level, bucket: number): Counted {
  const [count, all] = population?.novelty[level]?.[bucket] ?? [0, 0];
  return { count, all };
}

type Platform = "phone" | "other";

function platformOf({ device }: Context): Platform {
  return device === "mobile" ? "phone" : "other";
}

/** A block of a carrier is usual for phones alone. Null: not known. */
function blockKeyOf(context: Context): string | null {
  return context.prefix === null ? null : `${platformOf(context)}/${context.prefix}`;
}

/** Blocks that too few people have are counted together. */
function rareKeyOf(platform: Platform): string {
  return `${platform}/rare`;
}

function everywhereKeyOf(platform: Platform): string {
  return `${platform}/everywhere`;
}

/**
 * How often users are new in the session's block: those of a carrier wander through many, and others hardly do.
 * Undefined for the other levels, and where nothing was counted.
 */
export function countBlock(
  population: Population | null,
  context: Context,
  level: Level,
): { readonly here: Counted; readonly everywhere: Counted } | undefined {
  const key = blockKeyOf(context);
  const blocks = population?.blocks;
  if (key === null || blocks === undefined || (level !== "pool" && level !== "prefix")) {
    return undefined;
  }
  const platform = platformOf(context);
  const here = readOwn(blocks, key) ?? readOwn(blocks, rareKeyOf(platform));
  const everywhere = readOwn(blocks, everywhereKeyOf(platform));
  if (here === undefined || everywhere === undefined) return undefined;
  const toCounted = ([count, all]: readonly [number, number]) => ({ count, all });
  return { here: toCounted(here), everywhere: toCounted(everywhere) };
}

/** The part of the population that a session with these facts is compared with. */
export function narrowPopulation(population: Population, context: Context): Population {
  const paths = levels.filter(isCountedLevel).map((level) => coarserPathOf(context, level));
  const near = paths.flatMap((path) => {
    const siblings = readOwn(population.shares, path);
    return siblings === undefined ? [] : [[path, siblings] as const];
  });
  const platform = platformOf(context);
  const keys = [blockKeyOf(context), rareKeyOf(platform), everywhereKeyOf(platform)];
  const { blocks } = population;
  const nearBlocks = keys.flatMap((key) => {
    const counted = key === null || blocks === undefined ? undefined : readOwn(blocks, key);
    return key === null || counted === undefined ? [] : [[key, counted] as const];
  });
  return {
    ...population,
    shares: Object.fromEntries(near),
    ...(blocks === undefined ? {} : { blocks: Object.fromEntries(nearBlocks) }),
  };
}

interface Share {
  readonly path: string;
  readonly value: string;
  readonly count: number;
  /** Identities with the value, up to `minPeople` of them. */
  readonly people: ReadonlySet<string>;
}

/** The most common values. Their order does not depend on the order of the sessions. */
function selectCommonest(shares: Iterable<Share>): Population["shares"] {
  const keyOf = ({ path, value }: Share) => `${path}/${value}`;
  const common = [...shares].filter(({ people }) => people.size >= minPeople);
  const byCount = common.toSorted(
    (left, right) => right.count - left.count || (keyOf(left) < keyOf(right) ? -1 : 1),
  );
  const byPath = Map.groupBy(byCount.slice(0, maxValues), ({ path }) => path);
  return Object.fromEntries(
    [...byPath].map(([path, siblings]) => [
      path,
      Object.fromEntries(siblings.map(({ value, count }) => [value, count])),
    ]),
  );
}

interface Block {
  readonly platform: Platform;
  readonly fresh: number;
  readonly all: number;
  readonly people: ReadonlySet<string>;
}

/** The blocks that most sessions have. Those of too few people, and the rest, are counted together. */
function selectBlocks(blocks: ReadonlyMap<string, Block>): NonNullable<Population["blocks"]> {
  const common = [...blocks]
    .filter(([, { people }]) => people.size >= minPeople)
    .toSorted(([one, left], [other, right]) => right.all - left.all || (one < other ? -1 : 1))
    .slice(0, maxValues);
  const kept = new Set(common.map(([key]) => key));
  const selected = new Map<string, [number, number]>();
  for (const [key, { platform, fresh, all }] of blocks) {
    for (const name of [everywhereKeyOf(platform), kept.has(key) ? key : rareKeyOf(platform)]) {
      const [count, sum] = selected.get(name) ?? [0, 0];
      selected.set(name, [count + fresh, sum + all]);
    }
  }
  return Object.fromEntries(selected);
}

/** Counts sessions one by one, in any order: all of a tenant may not fit into memory. */
export class PopulationCounter {
  logins = 0;
  readonly #sessionsOf = new Map<string, number>();
  readonly #shares = new Map<string, Share>();
  readonly #blocks = new Map<string, Block>();
  readonly #hours: number[] = new Array(hoursInWeek).fill(0);
  readonly #novelty = new Map(
    levels.map((level) => [level, Array.from({ length: bucketCount }, () => [0, 0])] as const),
  );

  add({ identityId, at, context, behaviour }: ConfirmedSession): void {
    const sessions = (this.#sessionsOf.get(identityId) ?? 0) + 1;
    if (sessions > maxSessionsPerIdentity) return;
    this.#sessionsOf.set(identityId, sessions);
    this.logins += 1;
    const hour = weekHourOf(at);
    this.#hours[hour] = (this.#hours[hour] ?? 0) + 1;
    for (const level of levels.filter(isCountedLevel)) {
      const known = levelValueOf(context, level);
      if (known === null && isClientLevel(level)) continue;
      const value = known ?? unknownValue;
      const path = coarserPathOf(context, level);
      const key = `${path}/${value}`;
      const { count = 0, people = new Set<string>() } = this.#shares.get(key) ?? {};
      const counted = people.size >= minPeople ? people : new Set([...people, identityId]);
      this.#shares.set(key, { path, value, count: count + 1, people: counted });
    }
    if (behaviour === null) return;
    this.#addNovelty(behaviour);
    this.#addBlock(identityId, context, behaviour);
  }

  /** @param builtAt Unix ms */
  toPopulation(builtAt: number): Population {
    return populationSchema.parse({
      builtAt,
      logins: this.logins,
      shares: selectCommonest(this.#shares.values()),
      hours: this.#hours,
      novelty: Object.fromEntries(this.#novelty),
      blocks: selectBlocks(this.#blocks),
    });
  }

  #addBlock(identityId: string, context: Context, { network }: BehaviourEvidence): void {
    const key = blockKeyOf(context);
    const pool = network.find(({ level }) => level === "pool");
    if (key === null || pool === undefined) return;
    const prefix = network.find(({ level }) => level === "prefix");
    const isFresh = !pool.seen || prefix?.seen === false;
    const { fresh = 0, all = 0, people = new Set<string>() } = this.#blocks.get(key) ?? {};
    this.#blocks.set(key, {
      platform: platformOf(context),
      fresh: fresh + (isFresh ? 1 : 0),
      all: all + 1,
      people: people.size >= minPeople ? people : new Set([...people, identityId]),
    });
  }

  #addNovelty({ courses, network, agent }: BehaviourEvidence): void {
    // Assessments of older builds did not tell phones apart.
    if (courses === undefined) return;
    const add = (compared: readonly LevelEvidence[], bucket: number) => {
      for (const { level, seen } of compared) {
        const cell = this.#novelty.get(level)?.[bucket];
        if (cell === undefined) continue;
        cell[0] = (cell[0] ?? 0) + (seen ? 0 : 1);
        cell[1] = (cell[1] ?? 0) + 1;
      }
    };
    add(network, courses.network.bucket);
    add(agent, courses.agent.bucket);
  }
}

/** @param builtAt Unix ms */
export function countPopulation(sessions: Iterable<ConfirmedSession>, builtAt: number): Population {
  const count = new PopulationCounter();
  for (const session of sessions) count.add(session);
  return count.toPopulation(builtAt);
}
