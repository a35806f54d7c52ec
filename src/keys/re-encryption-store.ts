/** The progress of re-encryptions in D1. */
import { and, eq, sql } from "drizzle-orm";
import { awaitStore, type Database, StoreError } from "../db/client.ts";
import type { RecordCounts } from "./record-counts.ts";
import { type reEncryptionPhases, reEncryptions } from "./tables.ts";

export interface ReEncryption {
  /** The version of the sealing key. */
  readonly version: number;
  readonly phase: (typeof reEncryptionPhases)[number];
  /** The last identity that the phase has processed; empty at its start. */
  readonly tenantId: string;
  readonly identityId: string;
  /** Identities when they were last counted. */
  readonly total: number;
  /** Identities processed in the current pass. */
  readonly seen: number;
  /** Processed identities that could not be sealed anew. */
  readonly failed: number;
  /** Passes that left something under an older key. */
  readonly passes: number;
  /** How much the last of these passes left. */
  readonly leftOver: number;
  /** Times are Unix ms. */
  readonly startedAt: number;
  readonly finishedAt: number | null;
  /** The check that is running. */
  readonly checkId: string | null;
  /** What the check or the counting has found so far. */
  readonly found: RecordCounts | null;
  /** What the last complete check found, and when it ended. */
  readonly counts: RecordCounts | null;
  readonly countedAt: number | null;
}

/** Finds the re-encryption under a key version, or begins it. @throws StoreError, as do all of these */
export async function findOrBeginReEncryption(
  db: Database,
  version: number,
  now: number,
): Promise<ReEncryption> {
  const known = await findReEncryption(db, version);
  if (known !== undefined) return known;
  const begun = db
    .insert(reEncryptions)
    .values({ version, phase: "counting", total: 0, startedAt: now });
  await awaitStore(begun.onConflictDoNothing());
  const row = await findReEncryption(db, version);
  if (row === undefined) throw new StoreError("A row that was just written does not exist");
  return row;
}

export async function findReEncryption(
  db: Database,
  version: number,
): Promise<ReEncryption | undefined> {
  const rows = await awaitStore(
    db.select().from(reEncryptions).where(eq(reEncryptions.version, version)),
  );
  return rows[0];
}

/** Saves progress. @returns false if another run has saved progress since `before` */
export async function saveReEncryption(
  db: Database,
  before: ReEncryption,
  after: ReEncryption,
): Promise<boolean> {
  const { version, phase, tenantId, identityId, seen, checkId } = reEncryptions;
  const rows = await awaitStore(
    db
      .update(reEncryptions)
      .set(after)
      .where(
        and(
          eq(version, before.version),
          eq(phase, before.phase),
          eq(tenantId, before.tenantId),
          eq(identityId, before.identityId),
          eq(seen, before.seen),
          eq(reEncryptions.passes, before.passes),
          sql`${reEncryptions.finishedAt} IS ${before.finishedAt}`,
          sql`${checkId} IS ${before.checkId}`,
        ),
      )
      .returning({ version }),
  );
  return rows.length > 0;
}
