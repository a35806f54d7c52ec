/**
 * Reads a tenant's population for an assessment: from the isolate's cache, otherwise from KV. It never fails
 * an assessment: if the population is missing, the assumptions of weights.ts are used.
 */
import { BoundedMap } from "../../bounded-map.ts";
import { awaitWithin } from "../../deadline.ts";
import { type Population, populationSchema } from "./population.ts";

export interface PopulationRead {
  /** Null if there is none, or if it could not be read. */
  readonly population: Population | null;
  /** It could not be read, or it is too old. */
  readonly degraded: boolean;
}

const cachedMs = 10 * 60 * 1000;
/** A population that could not be read is requested again sooner. */
const retryMs = 30_000;
const maxCached = 200;
const cacheTtlSeconds = 300;
const readTimeoutMs = 1_000;
/** Habits change slowly, and a tenant without logins is not counted again. */
const staleAfterMs = 60 * 24 * 60 * 60 * 1000;

interface CachedRead extends PopulationRead {
  readonly readAt: number;
}

const memory = new WeakMap<KVNamespace, BoundedMap<string, CachedRead>>();

const nothing: PopulationRead = { population: null, degraded: false };

export function populationKeyOf(tenantId: string): string {
  return `pop/v1/${tenantId}`;
}

function findCached(
  cachedReads: BoundedMap<string, CachedRead>,
  tenantId: string,
  now: number,
): PopulationRead | undefined {
  const entry = cachedReads.get(tenantId);
  if (entry === undefined) return undefined;
  const age = now - entry.readAt;
  return age >= 0 && age < (entry.degraded ? retryMs : cachedMs) ? entry : undefined;
}

async function readFrom(
  store: KVNamespace,
  tenantId: string,
  now: number,
): Promise<PopulationRead> {
  try {
    const options = { type: "text", cacheTtl: cacheTtlSeconds } as const;
    const text = await awaitWithin(readTimeoutMs, store.get(populationKeyOf(tenantId), options));
    if (text === null) return nothing;
    const population = populationSchema.parse(JSON.parse(text));
    const isStale = now - population.builtAt > staleAfterMs;
    return isStale ? { population: null, degraded: true } : { population, degraded: false };
  } catch {
    return { population: null, degraded: true };
  }
}

function memoryOf(store: KVNamespace): BoundedMap<string, CachedRead> {
  const cachedReads =
    memory.get(store) ?? new BoundedMap<string, CachedRead>({ maxEntries: maxCached });
  memory.set(store, cachedReads);
  return cachedReads;
}

/** Finds the cached population; undefined if KV must be read. @param now real time, Unix ms */
export function findCachedPopulation(
  store: KVNamespace,
  tenantId: string,
  now: number,
): PopulationRead | undefined {
  return findCached(memoryOf(store), tenantId, now);
}

/** @param now real time, Unix ms. Never throws. */
export async function readPopulation(
  store: KVNamespace,
  tenantId: string,
  now: number,
): Promise<PopulationRead> {
  const cachedReads = memoryOf(store);
  const read = await readFrom(store, tenantId, now);
  cachedReads.set(tenantId, { ...read, readAt: now });
  return read;
}
