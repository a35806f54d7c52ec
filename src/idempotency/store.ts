/** Request keys in D1: with the answers to changes in D1, and claimed for changes in a guard. */
import { and, eq, lte, sql } from "drizzle-orm";
import { awaitStore, type Database, type Statement } from "../db/client.ts";
import { deleteWhere, maxRowsPerStep } from "../db/delete-in-steps.ts";
import { answerLifetimeMs } from "./request-key.ts";
import { requestKeys } from "./tables.ts";

/** What is kept for one tenant at most, and a few rows more until the next one is written. */
const maxRowsPerTenant = 10_000;
const maxBoxBytesPerTenant = 10_000_000;
/** One of so many writes deletes what is above the bounds, because that reads all rows of the tenant. */
const writesPerTrim = 100;

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

/**
 * Deletes a tenant's oldest rows above the bounds. The oldest are those that expire first, whatever a test
 * clock says.
 */
function deleteOldest(db: Database, tenantId: string) {
  return db
    .delete(requestKeys)
    .where(sql`${requestKeys.tenantId} = ${tenantId} AND ${requestKeys.key} IN (
    SELECT key FROM (
      SELECT key, row_number() OVER newest AS place, sum(length(box)) OVER newest AS bytes
      FROM request_keys WHERE tenant_id = ${tenantId} WINDOW newest AS (ORDER BY forget_at DESC, key))
    WHERE place > ${maxRowsPerTenant} OR bytes > ${maxBoxBytesPerTenant}
    LIMIT ${maxRowsPerStep})`);
}

/** What belongs in the batch after the insertion of a row. */
function trim(db: Database, tenantId: string): Statement[] {
  return Math.random() * writesPerTrim < 1 ? [deleteOldest(db, tenantId)] : [];
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
  const insert = db.insert(requestKeys).values(request);
  return [deleteExpired(db, request), insert, ...trim(db, request.tenantId)];
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
      ...trim(db, tenantId),
    ]),
  );
  return rows[0] ?? request;
}

/** Deletes expired rows. @param now real time, Unix ms. @throws StoreError */
export async function deleteExpiredRequests(db: Database, now: number): Promise<void> {
  const { tenantId, key, expiresAt } = requestKeys;
  await deleteWhere(db, requestKeys, [tenantId, key], lte(expiresAt, now));
}
