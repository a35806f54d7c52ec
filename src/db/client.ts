/** Runs statements on D1, with a deadline. shards.ts chooses the database. */
import { sql } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { DrizzleD1Database } from "drizzle-orm/d1";
import { awaitWithin } from "../deadline.ts";

/** How long a request waits for D1, which may stall for longer than a client should wait. */
export const requestTimeoutMs = 2_000;
/**
 * How long a delivery waits, because no client waits for it. A D1 that is slow but works is then not sent the
 * same batch again.
 */
export const deliveryTimeoutMs = 30_000;
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
const fenceMessage = "tenant_fenced";

function isRaisedByFence(error: unknown): boolean {
  return (
    error instanceof Error && (error.message.includes(fenceMessage) || isRaisedByFence(error.cause))
  );
}

/** @throws StoreError */
export async function awaitStore<T>(
  work: PromiseLike<T>,
  timeoutMs = requestTimeoutMs,
): Promise<T> {
  try {
    return await awaitWithin(timeoutMs, work);
  } catch (error) {
    throw isRaisedByFence(error) ? new FencedTenantError(error) : new StoreError(error);
  }
}

export type Statement = BatchItem<"sqlite">;

/** Runs all statements in order, or none. @returns the result of each @throws StoreError */
export async function runBatch(
  db: Database,
  statements: readonly Statement[],
  timeoutMs = requestTimeoutMs,
): Promise<readonly unknown[]> {
  const [first, ...rest] = statements;
  return first === undefined ? [] : await awaitStore(db.batch([first, ...rest]), timeoutMs);
}

/** D1 may carry out a batch after its caller has given up. Later than this, it does not. */
export const maxLatenessMs = 60 * 60 * 1000;

/**
 * A statement that makes D1 refuse its whole batch if it is carried out much later than it was sent. Versions
 * protect records only as long as D1 has them, or their tombstones, and ids protect events until the archive has
 * them.
 * @param sentAt real time, Unix ms
 */
export function refuseIfLate(db: Database, sentAt: number): Statement {
  const isLate = sql`unixepoch() > ${Math.ceil((sentAt + maxLatenessMs) / 1000)}`;
  // Outside a trigger, SQLite raises an error only through a function that fails: 'late' is not JSON.
  return db
    .select({ inTime: sql`json(CASE WHEN ${isLate} THEN 'late' ELSE 'true' END)` })
    .from(sql`(SELECT 1)`);
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
