/**
 * Which database is asked. `DB` is the control plane: tenants, tokens, request keys. A tenant's data is in
 * the database that its record names: `DB` too, or one of `DB_1`, `DB_2`, … as far as there are any.
 *
 * What an isolate remembers of a tenant's whereabouts may be 25 s old. That decides nothing: a database
 * that a tenant has left takes no write and answers no question of a guard (see the table `tenant_fences`),
 * and who is told so looks anew. Memory ages in real time, so the clock is read here.
 */
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type Database, FencedTenantError, StoreError, withinStoreTimeout } from "./client.ts";
import { tenants } from "./tables.ts";

/** As long as a token's record is remembered: together they are read. */
const cacheMs = 25_000;
const maxCached = 10_000;
const hourMs = 60 * 60 * 1000;

interface CachedShard {
  readonly shard: number;
  /** When the read began, Unix ms. */
  readonly readAt: number;
}

const cache = new Map<string, CachedShard>();

function bindingAt(env: Env, shard: number): D1Database | undefined {
  if (shard === 0) return env.DB;
  const name: `DB_${number}` = `DB_${shard}`;
  return env[name];
}

export function hasShard(env: Env, shard: number): boolean {
  return bindingAt(env, shard) !== undefined;
}

/** Whether tenants may live in several databases. */
export function isSharded(env: Env): boolean {
  return hasShard(env, 1);
}

/** @throws StoreError where the environment has no such database */
export function databaseAt(env: Env, shard: number): Database {
  const binding = bindingAt(env, shard);
  if (binding === undefined) throw new StoreError(new Error(`There is no database ${shard}`));
  return drizzle(binding);
}

/** Tenants, tokens, request keys, and what the operator asks for. */
export function controlDb(env: Env): Database {
  return drizzle(env.DB);
}

/** Every database there is, in the order of shards, for what concerns no single tenant. */
export function listDatabases(env: Env): Database[] {
  const databases: Database[] = [];
  for (let shard = 0; hasShard(env, shard); shard += 1) databases.push(databaseAt(env, shard));
  return databases;
}

/**
 * The same for what runs once an hour and may not get to all: each hour begins with another.
 * @param now Unix ms
 */
export function listDatabasesInTurn(env: Env, now: number): Database[] {
  const databases = listDatabases(env);
  const first = Math.floor(now / hourMs) % databases.length;
  return [...databases.slice(first), ...databases.slice(0, first)];
}

/** For who has just read the tenant's record. @param readAt when that read began, Unix ms */
export function cacheShard(env: Env, tenantId: string, shard: number, readAt: number): void {
  if (!isSharded(env)) return;
  cache.delete(tenantId);
  if (cache.size >= maxCached) {
    const [oldest] = cache.keys();
    if (oldest !== undefined) cache.delete(oldest);
  }
  cache.set(tenantId, { shard, readAt });
}

export function invalidateShard(tenantId: string): void {
  cache.delete(tenantId);
}

/** The shard of a tenant; 0 for one without a record. @throws StoreError */
export async function shardOf(env: Env, tenantId: string): Promise<number> {
  if (!isSharded(env)) return 0;
  const now = Date.now();
  const known = cache.get(tenantId);
  if (known !== undefined && now >= known.readAt && now - known.readAt < cacheMs)
    return known.shard;
  const rows = await withinStoreTimeout(
    controlDb(env)
      .select({ shard: tenants.shard })
      .from(tenants)
      .where(eq(tenants.id, tenantId))
      .limit(1),
  );
  const shard = rows[0]?.shard ?? 0;
  cacheShard(env, tenantId, shard, now);
  return shard;
}

/**
 * The database with the tenant's data. For lists; what writes or decides goes through `inTenantDb`.
 * Without the Sessions API D1 reads the primary, which is what just-created identities need.
 * @throws StoreError
 */
export async function findTenantDb(env: Env, tenantId: string): Promise<Database> {
  return databaseAt(env, await shardOf(env, tenantId));
}

/**
 * Works in the database with the tenant's data, and once more where the tenant has moved meanwhile: what
 * the database refused has not happened there.
 * @throws StoreError, also while the tenant is moving
 */
export async function inTenantDb<T>(
  env: Env,
  tenantId: string,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const shard = await shardOf(env, tenantId);
  try {
    return await work(databaseAt(env, shard));
  } catch (error) {
    if (!(error instanceof FencedTenantError)) throw error;
    invalidateShard(tenantId);
    const present = await shardOf(env, tenantId);
    if (present === shard) throw error;
    return await work(databaseAt(env, present));
  }
}
