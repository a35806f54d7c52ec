/**
 * The space reserve. A D1 database that has reached its limit refuses every write that needs a new page, also
 * those that would make room: an erasure files its event, a relocation sets fences. So each database keeps
 * filler, and an essential batch that is refused deletes some of it first. SQLite reuses a freed page at once,
 * also within the transaction that freed it.
 *
 * Other writes can use only what is left of the filler that an essential batch has deleted: less than one chunk,
 * or less than eight times what that batch needed. The last chunks are for the operator, so that no tenant
 * can use up what a relocation needs.
 */
import { and, gt, type SQL, sql } from "drizzle-orm";
import { log } from "../log.ts";
import { type Database, FullDatabaseError, runBatch, type Statement } from "./client.ts";
import { spaceReserve } from "./tables.ts";

/** Four overflow pages of 4,096 bytes, so that each deleted row frees whole pages. */
export const chunkBytes = 16_384;
/** Half a megabyte: enough for eight relocations even if other writes use all that is left of each chunk. */
export const operatorChunks = 32;
/**
 * How much filler is deleted for a batch that is still refused: 16 KB, 128 KB, 1 MB. The largest batch, an
 * erasure with fifty outbox entries, needs less than 1 MB.
 */
const releasedChunks = [1, 8, 64] as const;
/** The reserve is at most a hundredth of the limit, and a fiftieth of what the database holds. */
const maxShareOfLimit = 1 / 100;
const maxShareOfSize = 1 / 50;
/** In one run: 4 MB, written by one statement. */
const maxAddedChunks = 256;

/** The greatest id, which is the count; null if there are none. */
export const reserveCount = sql<
  number | null
>`(SELECT max(${spaceReserve.id}) FROM ${spaceReserve})`;

/** Which part of the reserve a batch may use. */
interface ReserveUse {
  readonly keptChunks: number;
  /** A condition on the database before the batch. */
  readonly onlyIf?: SQL;
  /** How long the batch may take. */
  readonly timeoutMs?: number | undefined;
}

function releaseReserve(db: Database, chunks: number, { keptChunks, onlyIf }: ReserveUse) {
  const kept = sql`max(${reserveCount} - ${chunks}, ${keptChunks})`;
  return db.delete(spaceReserve).where(and(gt(spaceReserve.id, kept), onlyIf));
}

/**
 * Runs a batch of the operator or of a scheduled job that must also be possible on a full database, because it
 * makes room or protects data.
 * @throws StoreError; FullDatabaseError if the reserve is used up
 */
export async function runEssentialBatch(
  db: Database,
  statements: readonly Statement[],
  timeoutMs?: number,
): Promise<readonly unknown[]> {
  return await runWithReserve(db, statements, { keptChunks: 0, timeoutMs });
}

/**
 * Works like `runEssentialBatch`, for a batch that a tenant's request causes. It leaves the operator's part of
 * the reserve.
 * @param onlyIf the reserve is used only if this holds before the batch
 */
export async function runEssentialTenantBatch(
  db: Database,
  statements: readonly Statement[],
  timeoutMs?: number,
  onlyIf?: SQL,
): Promise<readonly unknown[]> {
  const condition = onlyIf === undefined ? {} : { onlyIf };
  const use = { keptChunks: operatorChunks, timeoutMs, ...condition };
  return await runWithReserve(db, statements, use);
}

async function runWithReserve(
  db: Database,
  statements: readonly Statement[],
  use: ReserveUse,
): Promise<readonly unknown[]> {
  try {
    return await runBatch(db, statements, use.timeoutMs);
  } catch (error) {
    if (!(error instanceof FullDatabaseError)) throw error;
    return await runWithReleasedSpace(db, statements, use, error);
  }
}

async function runWithReleasedSpace(
  db: Database,
  statements: readonly Statement[],
  use: ReserveUse,
  refusal: FullDatabaseError,
): Promise<readonly unknown[]> {
  for (const chunks of releasedChunks) {
    try {
      const released = [releaseReserve(db, chunks, use), ...statements];
      const [, ...results] = await runBatch(db, released, use.timeoutMs);
      log("error", "space_reserve_used", { count: chunks });
      return results;
    } catch (error) {
      if (!(error instanceof FullDatabaseError)) throw error;
    }
  }
  log("error", "space_reserve_exhausted");
  throw refusal;
}

/**
 * Computes how many chunks to add now. The reserve takes half of the free space at most, so that a database
 * which is nearly full gets one too.
 */
export function planReserve(
  { bytes, reserveChunks }: { readonly bytes: number; readonly reserveChunks: number },
  maxBytes: number,
): number {
  const wantedBytes = Math.min(maxBytes * maxShareOfLimit, bytes * maxShareOfSize);
  const fittingBytes = (maxBytes - bytes) / 2;
  const chunks = Math.min(wantedBytes / chunkBytes - reserveChunks, fittingBytes / chunkBytes);
  return Math.max(0, Math.min(Math.floor(chunks), maxAddedChunks));
}

/** @throws StoreError */
export async function addToReserve(db: Database, chunks: number): Promise<void> {
  const numbers = sql`(WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ${chunks})
    SELECT n FROM number)`;
  await runBatch(db, [
    db
      .insert(spaceReserve)
      .select(
        sql`SELECT coalesce(${reserveCount}, 0) + n, zeroblob(${chunkBytes}) FROM ${numbers}`,
      ),
  ]);
}
