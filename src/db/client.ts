/** Runs statements on D1, with a deadline. shards.ts chooses the database. */
import { type SQL, sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import { awaitWithin } from "../deadline.ts";
import { AppError, type ErrorCode, isErrorCode } from "../errors.ts";

/** How long a request waits for D1, which may stall for longer than a client should wait. */
export const requestTimeoutMs = 2_000;
/**
 * How long a delivery waits, because no client waits for it. A D1 that is slow but works is then not sent the
 * same batch again.
 */
export const deliveryTimeoutMs = 30_000;
/** https://developers.cloudflare.com/d1/platform/limits/ */
const maxBoundParameters = 100;

export type Database = DrizzleD1Database & { readonly $client: D1Database };

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

/** The database has reached its limit and refused a write. It still takes a DELETE. Nothing was applied. */
export class FullDatabaseError extends StoreError {
  constructor(cause: unknown) {
    super(cause);
    this.name = "FullDatabaseError";
  }
}

/** A table or column does not exist: a build is deployed whose migrations are not applied. Nothing was applied. */
export class MissingMigrationsError extends StoreError {
  constructor(cause: unknown) {
    super(cause);
    this.name = "MissingMigrationsError";
  }
}

/** What a change was based on has changed since it was read. Nothing was applied. */
export class StaleReadError extends StoreError {
  constructor(cause: unknown) {
    super(cause);
    this.name = "StaleReadError";
  }
}

/** The message that the triggers on tenants' tables raise (migration 0005). */
const fenceMessage = /tenant_fenced/;
/** https://developers.cloudflare.com/d1/observability/debug-d1/#error-list, and SQLite's own message. */
const fullMessage =
  /Exceeded maximum DB size|maximum account storage limit|database or disk is full|SQLITE_FULL/;
/** SQLite's messages. */
const missingMessage = /no such (?:table|column)|has no column named/;
const conditionMessage = /unmet_condition_([a-z_]+)/;
/** In place of an error code: the batch fails with `StaleReadError`, so that the caller reads again. */
export const staleRead = "stale_read";
/** In place of an error code: the batch fails with `StoreError`, because D1 applies it too late. */
export const tooLate = "too_late";

/** The message of the first cause. The message of Drizzle's error around it quotes parameters, which clients choose. */
function findD1Message(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return error.cause instanceof Error ? findD1Message(error.cause) : error.message;
}

function toStoreError(error: unknown): StoreError | AppError {
  const message = findD1Message(error);
  const unmet = conditionMessage.exec(message)?.[1] ?? "";
  if (isErrorCode(unmet)) return new AppError(unmet);
  if (unmet === staleRead) return new StaleReadError(error);
  if (fenceMessage.test(message)) return new FencedTenantError(error);
  if (missingMessage.test(message)) return new MissingMigrationsError(error);
  if (fullMessage.test(message)) return new FullDatabaseError(error);
  return new StoreError(error);
}

/** @throws StoreError; AppError if a condition of the batch does not hold (see `requireCondition`) */
export async function awaitStore<T>(
  work: PromiseLike<T>,
  timeoutMs = requestTimeoutMs,
): Promise<T> {
  try {
    return await awaitWithin(timeoutMs, work);
  } catch (error) {
    throw toStoreError(error);
  }
}

export type Statement = BatchItem<"sqlite">;

/** A condition, and the error of a batch for which it does not hold. */
type Requirement = readonly [SQL, ErrorCode | typeof staleRead | typeof tooLate];

/**
 * Makes the batch that contains it fail as a whole, with the error of the first condition that does not hold when
 * the batch runs. SQLite has no statement for that outside triggers, but quotes a bad JSON path in its message.
 */
export function requireConditions(
  db: Database,
  first: Requirement,
  ...others: readonly Requirement[]
) {
  const path = sql.join([
    sql`CASE`,
    ...[first, ...others].map(
      ([condition, unmet]) =>
        sql` WHEN (${condition}) IS NOT TRUE THEN ${`unmet_condition_${unmet}`}`,
    ),
    sql` ELSE '$' END`,
  ]);
  return db.select({ met: sql`json_extract('{}', ${path})` }).from(sql`(SELECT 1)`);
}

/** Makes the batch that contains it fail with this error unless the condition holds. */
export function requireCondition(db: Database, ...requirement: Requirement): Statement {
  return requireConditions(db, requirement);
}

/** Runs all statements in order, or none. @returns the result of each @throws StoreError */
export async function runBatch(
  db: Database,
  statements: readonly Statement[],
  timeoutMs = requestTimeoutMs,
): Promise<readonly unknown[]> {
  const [first, ...rest] = statements;
  return first === undefined ? [] : await awaitStore(db.batch([first, ...rest]), timeoutMs);
}

/** D1's clock, Unix ms. */
export const d1Now = sql`CAST(unixepoch('subsec') * 1000 AS INTEGER)`;

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
