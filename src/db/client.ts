/** Runs statements on D1, with a deadline. shards.ts chooses the database. */
import type { BatchItem } from "drizzle-orm/batch";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import { awaitWithin } from "../deadline.ts";

/** D1 may stall for longer than a client should wait. */
const storeTimeoutMs = 2_000;
/** https://developers.cloudflare.com/d1/platform/limits/ */
const maxBoundParameters = 100;

export type Database = DrizzleD1Database;

/** A store failed or did not answer in time. The operation may or may not have been applied. */
export class StoreError extends Error {
  constructor(cause: unknown) {
    super("The store failed", { cause });
    this.name = "StoreError";
  }
}

/** The tenant has left the database, or is moving from it or to it. Nothing was applied. */
export class FencedTenantError extends StoreError {
  constructor(cause: unknown) {
    super(cause);
    this.name = "FencedTenantError";
  }
}

/** The database has reached its limit and refused a write. Nothing was applied. */
export class FullDatabaseError extends StoreError {
  constructor(cause: unknown) {
    super(cause);
    this.name = "FullDatabaseError";
  }
}

/** The message that the triggers on tenants' tables raise (migration 0004). */
const fenceMessage = /tenant_fenced/;
/** D1's message (https://developers.cloudflare.com/d1/observability/debug-d1/), and SQLite's own. */
const fullMessage = /Exceeded maximum DB size|database or disk is full|SQLITE_FULL/;

function hasMessage(error: unknown, pattern: RegExp): boolean {
  return (
    error instanceof Error && (pattern.test(error.message) || hasMessage(error.cause, pattern))
  );
}

function storeErrorOf(error: unknown): StoreError {
  if (hasMessage(error, fenceMessage)) return new FencedTenantError(error);
  if (hasMessage(error, fullMessage)) return new FullDatabaseError(error);
  return new StoreError(error);
}

/** @throws StoreError */
export async function awaitStore<T>(work: PromiseLike<T>): Promise<T> {
  try {
    return await awaitWithin(storeTimeoutMs, work);
  } catch (error) {
    throw storeErrorOf(error);
  }
}

export type Statement = BatchItem<"sqlite">;

/** Runs all statements in order, or none. @returns the result of each @throws StoreError */
export async function runBatch(
  db: Database,
  statements: readonly Statement[],
): Promise<readonly unknown[]> {
  const [first, ...rest] = statements;
  return first === undefined ? [] : await awaitStore(db.batch([first, ...rest]));
}

/** Whether a statement changed no row. */
export function hasNoChanges(result: unknown): boolean {
  const { meta }: { meta?: { changes?: unknown } } = Object(result);
  return meta?.changes === 0;
}

/** Splits rows so that each INSERT stays within D1's limit of 100 bound parameters. */
export function chunkRows<T>(rows: readonly T[], columns: number): T[][] {
  const size = Math.floor(maxBoundParameters / columns);
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size),
  );
}
