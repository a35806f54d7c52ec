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

/** The message that the triggers on tenants' tables raise (migration 0005). */
const fenceMessage = "tenant_fenced";

function isRaisedByFence(error: unknown): boolean {
  return (
    error instanceof Error && (error.message.includes(fenceMessage) || isRaisedByFence(error.cause))
  );
}

/** @throws StoreError */
export async function awaitStore<T>(work: PromiseLike<T>): Promise<T> {
  try {
    return await awaitWithin(storeTimeoutMs, work);
  } catch (error) {
    throw isRaisedByFence(error) ? new FencedTenantError(error) : new StoreError(error);
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
