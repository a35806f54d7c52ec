/** The way to D1: which database a tenant lives in, and how long we wait for it. */
import type { BatchItem } from "drizzle-orm/batch";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { within } from "../deadline.ts";

/** D1 stalls can be long; a caller is told sooner that the store is out of reach. */
const storeTimeoutMs = 2_000;
/** https://developers.cloudflare.com/d1/platform/limits/ */
const mostBoundParameters = 100;

export type Database = DrizzleD1Database;

/** The store failed or did not answer; what it was asked may or may not have happened. */
export class StoreError extends Error {
  constructor(cause: unknown) {
    super("The store failed", { cause });
    this.name = "StoreError";
  }
}

/**
 * The tenant's database. There is one today; every query asks here, so that tenants can be spread
 * over several without touching a query. Without the Sessions API D1 reads the primary, which is
 * what tokens and just-created identities need.
 */
export function dbFor(env: Pick<Env, "DB">, _tenantId: string): Database {
  return drizzle(env.DB);
}

/** Every database there is, for what concerns no single tenant. */
export function allDatabases(env: Pick<Env, "DB">): Database[] {
  return [drizzle(env.DB)];
}

/** @throws StoreError */
export async function withinStoreTimeout<T>(work: PromiseLike<T>): Promise<T> {
  try {
    return await within(storeTimeoutMs, work);
  } catch (error) {
    throw new StoreError(error);
  }
}

export type Statement = BatchItem<"sqlite">;

/** Runs all statements or none, in order. @throws StoreError */
export async function runBatch(db: Database, statements: readonly Statement[]): Promise<void> {
  const [first, ...rest] = statements;
  if (first !== undefined) await withinStoreTimeout(db.batch([first, ...rest]));
}

/** Splits rows so that each INSERT stays within D1's 100 bound parameters. */
export function chunked<T>(rows: readonly T[], columns: number): T[][] {
  const size = Math.floor(mostBoundParameters / columns);
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size),
  );
}
