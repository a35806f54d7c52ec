/** What D1 records about the witnesses: how much of each log they have. */
import { and, asc, eq, gt, lte } from "drizzle-orm";
import { awaitStore, type Database } from "../../db/client.ts";
import { isResident } from "../../db/tenant-fence.ts";
import { auditTrees } from "../tables.ts";
import type { StoredHead } from "./store.ts";

/**
 * Finds heads that the witness in KV does not have. A log that was sent to it after the given time is left out.
 */
export async function findUnwitnessed(
  db: Database,
  sentUntil: number,
  limit: number,
): Promise<StoredHead[]> {
  const { tenantId, size, note } = auditTrees;
  return await awaitStore(
    db
      .select({ tenantId, size, note })
      .from(auditTrees)
      .where(
        and(
          gt(auditTrees.size, auditTrees.witnessedSize),
          lte(auditTrees.witnessedAt, sentUntil),
          isResident(tenantId),
        ),
      )
      .orderBy(asc(auditTrees.witnessedAt))
      .limit(limit),
  );
}

/**
 * Records when a log's head was sent to the witness in KV.
 * @param size the size of the head; absent if the witness refused it
 */
export async function markWitnessed(
  db: Database,
  tenantId: string,
  now: number,
  size?: number,
): Promise<void> {
  await awaitStore(
    db
      .update(auditTrees)
      .set({ witnessedAt: now, ...(size === undefined ? {} : { witnessedSize: size }) })
      .where(eq(auditTrees.tenantId, tenantId)),
  );
}

/** Finds tenants whose newest witnessed head was not forwarded to the other witnesses. */
export async function findUnforwarded(db: Database, limit: number): Promise<string[]> {
  const rows = await awaitStore(
    db
      .select({ tenantId: auditTrees.tenantId })
      .from(auditTrees)
      .where(
        and(
          gt(auditTrees.witnessedSize, auditTrees.forwardedSize),
          isResident(auditTrees.tenantId),
        ),
      )
      .orderBy(asc(auditTrees.witnessedAt))
      .limit(limit),
  );
  return rows.map(({ tenantId }) => tenantId);
}

export async function markForwarded(db: Database, tenantId: string, size: number): Promise<void> {
  await awaitStore(
    db.update(auditTrees).set({ forwardedSize: size }).where(eq(auditTrees.tenantId, tenantId)),
  );
}
