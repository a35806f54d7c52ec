/** Runs statements on D1, with a deadline. shards.ts chooses the database. */
import { type SQL, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import { awaitWithin } from "../deadline.ts";
import { AppError, type ErrorCode, isErrorCode } from "../errors.ts";

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

/** The message that the triggers on tenants' tables raise (migration 0004). */
const fenceMessage = /tenant_fenced/;
const conditionMessage = /unmet_condition_([a-z_]+)/;

/** Finds a pattern in the message of the error or of one of its causes. */
function matchMessage(error: unknown, pattern: RegExp): RegExpExecArray | null {
  if (!(error instanceof Error)) return null;
  return pattern.exec(error.message) ?? matchMessage(error.cause, pattern);
}

function toStoreError(error: unknown): StoreError | AppError {
  const code = matchMessage(error, conditionMessage)?.[1] ?? "";
  if (isErrorCode(code)) return new AppError(code);
  if (matchMessage(error, fenceMessage) !== null) return new FencedTenantError(error);
  return new StoreError(error);
}

/** @throws StoreError; AppError if a condition of the batch does not hold (see `requireCondition`) */
export async function awaitStore<T>(work: PromiseLike<T>): Promise<T> {
  try {
    return await awaitWithin(storeTimeoutMs, work);
  } catch (error) {
    throw toStoreError(error);
  }
}

export type Statement = BatchItem<"sqlite">;

/**
 * Makes the batch that contains it fail with this error, as a whole, unless the condition holds when the
 * batch runs. SQLite has no statement for that outside triggers, but quotes a bad JSON path in its message.
 */
export function requireCondition(db: Database, condition: SQL, code: ErrorCode): Statement {
  const path = sql`CASE WHEN ${condition} THEN '$' ELSE ${`unmet_condition_${code}`} END`;
  return db.select({ met: sql`json_extract('{}', ${path})` }).from(sql`(SELECT 1)`);
}

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
