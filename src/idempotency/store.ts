/** Request keys in D1: with the answers to changes in D1, and claimed for changes in a guard. */
import { and, eq, lte } from "drizzle-orm";
import { awaitStore, type Database, type Statement } from "../db/client.ts";
import { answerLifetimeMs } from "./request-key.ts";
import { requestKeys } from "./tables.ts";

export interface KeptRequest {
  readonly tenantId: string;
  readonly key: string;
  /** The sealed receipt, see receipt.ts. */
  readonly box: string;
  /** The time that the first request ran at, Unix ms. */
  readonly at: number;
  /** Real time after which the row may be deleted, Unix ms. Stored in the column `forget_at`. */
  readonly expiresAt: number;
}

function isRequest(tenantId: string, key: string) {
  return and(eq(requestKeys.tenantId, tenantId), eq(requestKeys.key, key));
}

function deleteExpired(db: Database, { tenantId, key, at }: KeptRequest) {
  return db
    .delete(requestKeys)
    .where(and(isRequest(tenantId, key), lte(requestKeys.at, at - answerLifetimeMs)));
}

/** @throws StoreError */
export async function findRequest(
  db: Database,
  tenantId: string,
  key: string,
): Promise<KeptRequest | undefined> {
  const rows = await awaitStore(
    db.select().from(requestKeys).where(isRequest(tenantId, key)).limit(1),
  );
  return rows[0];
}

/**
 * Statements that keep a request, for the batch that applies it. If another request with the key came
 * first, the batch fails as a whole, so nothing is applied twice.
 */
export function keepRequest(db: Database, request: KeptRequest): Statement[] {
  return [deleteExpired(db, request), db.insert(requestKeys).values(request)];
}

/**
 * Keeps a request, or returns the one that has the key already.
 * @param precondition from `requireCondition`
 * @throws StoreError, or the error of the precondition
 */
export async function claimRequest(
  db: Database,
  request: KeptRequest,
  precondition: Statement,
): Promise<KeptRequest> {
  const { tenantId, key } = request;
  const [, , , rows] = await awaitStore(
    db.batch([
      precondition,
      deleteExpired(db, request),
      db.insert(requestKeys).values(request).onConflictDoNothing(),
      db.select().from(requestKeys).where(isRequest(tenantId, key)),
    ]),
  );
  return rows[0] ?? request;
}

/** Deletes expired rows. @param now real time, Unix ms. @throws StoreError */
export async function deleteExpiredRequests(db: Database, now: number): Promise<void> {
  await awaitStore(db.delete(requestKeys).where(lte(requestKeys.expiresAt, now)));
}
