/**
 * Chooses the database. `DB` is the control plane: tenants, tokens and request keys. A tenant's data is in
 * the shard that its record names: `DB` itself, `DB_1`, `DB_2` and so on.
 *
 * An isolate caches a tenant's shard for up to 25 s. A stale entry is harmless: a database that the tenant
 * has left refuses its writes and the reads of its guards (see the table `tenant_fences`), and the caller
 * then looks the shard up again. The cache ages in real time, so this file reads the clock.
 */
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { BoundedMap } from "../bounded-map.ts";
import {
  awaitStore,
  type Database,
  FencedTenantError,
  requestTimeoutMs,
  StoreError,
} from "./client.ts";
import { tenants } from "./tables.ts";

/** As long as the cache of tokens: both are read together. */
const cacheMs = 25_000;
const maxCached = 10_000;
const hourMs = 60 * 60 * 1000;

interface CachedShard {
  readonly shard: number;
  /** When the read began, Unix ms. */
  readonly readAt: number;
}

const cache = new BoundedMap<string, CachedShard>({ maxEntries: maxCached });

function bindingOf(env: Env, shard: number): D1Database | undefined {
  if (shard === 0) return env.DB;
  const name: `DB_${number}` = `DB_${shard}`;
  return env[name];
}

export function hasShard(env: Env, shard: number): boolean {
  return bindingOf(env, shard) !== undefined;
}

/** Whether tenants' data may be in several databases. */
export function isSharded(env: Env): boolean {
  return hasShard(env, 1);
}

/** How many databases are bound. The shards are 0 to one less. */
export function countDatabases(env: Env): number {
  let count = 0;
  while (hasShard(env, count)) count += 1;
  return count;
}

/** Each opening would create a dialect and a session. */
const opened = new WeakMap<D1Database, Database>();

function openDatabase(binding: D1Database): Database {
  const database = opened.get(binding) ?? drizzle(binding);
  opened.set(binding, database);
  return database;
}

/** @throws StoreError if the environment does not bind this shard */
export function databaseOf(env: Env, shard: number): Database {
  const binding = bindingOf(env, shard);
  if (binding === undefined)
    throw new StoreError(new Error(`No database is bound as shard ${shard}`));
  return openDatabase(binding);
}

/** The control plane. */
export function controlDbOf(env: Env): Database {
  return openDatabase(env.DB);
}

/** Lists all databases in the order of shards. `configOf` refuses a gap in their numbers. */
export function listDatabases(env: Env): Database[] {
  return Array.from({ length: countDatabases(env) }, (_, shard) => databaseOf(env, shard));
}

/**
 * Lists all databases, beginning with another one each time, so that a job with a bound reaches all.
 * @param now Unix ms
 * @param periodMs how often the job runs
 */
export function listDatabasesInTurn(env: Env, now: number, periodMs = hourMs): Database[] {
  const databases = listDatabases(env);
  const first = Math.floor(now / periodMs) % databases.length;
  return [...databases.slice(first), ...databases.slice(0, first)];
}

/** Caches what was read from the tenant's record. @param readAt when that read began, Unix ms */
export function cacheShard(env: Env, tenantId: string, shard: number, readAt: number): void {
  if (!isSharded(env)) return;
  cache.set(tenantId, { shard, readAt });
}

export function invalidateShard(tenantId: string): void {
  cache.delete(tenantId);
}

/** The shard that was last read for the tenant, however long ago; 0 if none is cached. */
export function lastKnownShardOf(tenantId: string): number {
  return cache.get(tenantId)?.shard ?? 0;
}

/** Reads the shard in the tenant's record; undefined for an unknown tenant. @throws StoreError */
export async function findShard(
  control: Database,
  tenantId: string,
  timeoutMs = requestTimeoutMs,
): Promise<number | undefined> {
  const rows = await awaitStore(
    control.select({ shard: tenants.shard }).from(tenants).where(eq(tenants.id, tenantId)).limit(1),
    timeoutMs,
  );
  return rows[0]?.shard;
}

/** The tenant's shard, from the cache if it is there; 0 for an unknown tenant. @throws StoreError */
export async function shardOf(
  env: Env,
  tenantId: string,
  timeoutMs = requestTimeoutMs,
): Promise<number> {
  if (!isSharded(env)) return 0;
  const now = Date.now();
  const known = cache.get(tenantId);
  if (known !== undefined && now >= known.readAt && now - known.readAt < cacheMs)
    return known.shard;
  const shard = (await findShard(controlDbOf(env), tenantId, timeoutMs)) ?? 0;
  cacheShard(env, tenantId, shard, now);
  return shard;
}

/**
 * Finds the database with the tenant's data, for lists. Writes and decisions use `runInTenantDb`. Reads go to
 * the primary, because the Sessions API is not used, so an identity is visible as soon as it is created.
 * @throws StoreError
 */
export async function findTenantDb(env: Env, tenantId: string): Promise<Database> {
  return databaseOf(env, await shardOf(env, tenantId));
}

/**
 * Runs work in the database with the tenant's data. If the tenant has moved in the meantime, the old
 * database refuses the work, and it runs once more in the new one.
 * @param timeoutMs how long finding the database may take; the work has its own deadline
 * @throws StoreError, also while the tenant is moving
 */
export async function runInTenantDb<T>(
  env: Env,
  tenantId: string,
  work: (db: Database) => Promise<T>,
  timeoutMs = requestTimeoutMs,
): Promise<T> {
  const shard = await shardOf(env, tenantId, timeoutMs);
  try {
    return await work(databaseOf(env, shard));
  } catch (error) {
    if (!(error instanceof FencedTenantError)) throw error;
    invalidateShard(tenantId);
    const current = await shardOf(env, tenantId, timeoutMs);
    if (current === shard) throw error;
    return await work(databaseOf(env, current));
  }
}
