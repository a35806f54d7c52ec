/**
 * The space reserve. A D1 database that has reached its limit refuses every write that needs a new page, also
 * those that would make room: an erasure files its event, a relocation sets fences. So each database keeps
 * filler, and an essential batch that is refused deletes some of it first. SQLite reuses a freed page at once,
 * also within the transaction that freed it.
 *
 * Other writes can use only what is left of the filler that an essential batch has deleted: less than one chunk,
 * or less than eight times what that batch needed.
 */
import { gt, sql } from "drizzle-orm";
import { log } from "../log.ts";
import { type Database, FullDatabaseError, runBatch, type Statement } from "./client.ts";
import { spaceReserve } from "./tables.ts";

/** Four overflow pages of 4,096 bytes, so that each deleted row frees whole pages. */
export const chunkBytes = 16_384;
/**
 * How much filler is deleted for a batch that is still refused: 16 KB, 128 KB, 1 MB. The largest batch, an erasure with
 * fifty outbox entries, needs less than 1 MB.
 */
const releasedChunks = [1, 8, 64] as const;
/** The reserve is at most a hundredth of the limit, and a fiftieth of what the database holds. */
const maxShareOfLimit = 1 / 100;
const maxShareOfSize = 1 / 50;
/** In one run: 8 MB, written by one statement. */
const maxAddedChunks = 512;

/** The greatest id, which is the count; null if there are none. */
export const reserveCount = sql<
  number | null
>`(SELECT max(${spaceReserve.id}) FROM ${spaceReserve})`;

function releaseReserve(db: Database, chunks: number): Statement {
  return db.delete(spaceReserve).where(gt(spaceReserve.id, sql`${reserveCount} - ${chunks}`));
}

/**
 * Runs a batch that must also be possible on a full database, because it makes room, removes personal data or
 * ends access. A batch that a tenant can repeat without end is not essential: it would use up the reserve.
 * @throws StoreError; FullDatabaseError if the reserve is used up
 */
export async function runEssentialBatch(
  db: Database,
  statements: readonly Statement[],
): Promise<readonly unknown[]> {
  try {
    return await runBatch(db, statements);
  } catch (error) {
    if (!(error instanceof FullDatabaseError)) throw error;
    return await runWithReserve(db, statements, error);
  }
}

async function runWithReserve(
  db: Database,
  statements: readonly Statement[],
  refusal: FullDatabaseError,
): Promise<readonly unknown[]> {
  for (const chunks of releasedChunks) {
    try {
      const [, ...results] = await runBatch(db, [releaseReserve(db, chunks), ...statements]);
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
