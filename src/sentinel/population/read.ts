/**
 * Reads a tenant's population for an assessment: from the isolate's cache, otherwise from KV. It never fails
 * an assessment: if the population is missing, the assumptions of weights.ts are used.
 */
import { BoundedMap } from "../../bounded-map.ts";
import { within } from "../../deadline.ts";
import { type Population, populationSchema } from "./population.ts";

export interface PopulationRead {
  /** Null if there is none, or if it could not be read. */
  readonly population: Population | null;
  /** It could not be read, or it is too old. */
  readonly degraded: boolean;
}

const rememberedMs = 10 * 60 * 1000;
/** A population that could not be read is requested again sooner. */
const retryMs = 30_000;
const maxRemembered = 200;
const cacheTtlSeconds = 300;
const readTimeoutMs = 1_000;
/** Habits change slowly, and a tenant without logins is not counted again. */
const staleAfterMs = 60 * 24 * 60 * 60 * 1000;

interface Remembered extends PopulationRead {
  readonly readAt: number;
}

const memory = new WeakMap<KVNamespace, BoundedMap<string, Remembered>>();

const nothing: PopulationRead = { population: null, degraded: false };

export function populationKey(tenantId: string): string {
  return `pop/v1/${tenantId}`;
}

function recall(
  remembered: BoundedMap<string, Remembered>,
  tenantId: string,
  now: number,
): PopulationRead | undefined {
  const entry = remembered.get(tenantId);
  if (entry === undefined) return undefined;
  const age = now - entry.readAt;
  return age >= 0 && age < (entry.degraded ? retryMs : rememberedMs) ? entry : undefined;
}

async function readFrom(
  store: KVNamespace,
  tenantId: string,
  now: number,
): Promise<PopulationRead> {
  try {
    const options = { type: "text", cacheTtl: cacheTtlSeconds } as const;
    const text = await within(readTimeoutMs, store.get(populationKey(tenantId), options));
    if (text === null) return nothing;
    const population = populationSchema.parse(JSON.parse(text));
    const isStale = now - population.builtAt > staleAfterMs;
    return isStale ? { population: null, degraded: true } : { population, degraded: false };
  } catch {
    return { population: null, degraded: true };
  }
}

function memoryOf(store: KVNamespace): BoundedMap<string, Remembered> {
  const remembered =
    memory.get(store) ?? new BoundedMap<string, Remembered>({ maxEntries: maxRemembered });
  memory.set(store, remembered);
  return remembered;
}

/** Finds the cached population; undefined if KV must be read. @param now real time, Unix ms */
export function recallPopulation(
  store: KVNamespace,
  tenantId: string,
  now: number,
): PopulationRead | undefined {
  return recall(memoryOf(store), tenantId, now);
}

/** @param now real time, Unix ms. Never throws. */
export async function readPopulation(
  store: KVNamespace,
  tenantId: string,
  now: number,
): Promise<PopulationRead> {
  const remembered = memoryOf(store);
  const read = await readFrom(store, tenantId, now);
  remembered.set(tenantId, { ...read, readAt: now });
  return read;
}
