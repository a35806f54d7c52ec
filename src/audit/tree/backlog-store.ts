/** The leaves that the statistics do not cover yet, in D1. */
import { and, eq, lt, sql } from "drizzle-orm";
import {
  awaitStore,
  type Database,
  requireCondition,
  runBatch,
  StaleReadError,
  staleRead,
} from "../../db/client.ts";
import { isResident } from "../../db/tenant-fence.ts";
import { orderInTurn } from "../../db/turns.ts";
import type { HourCounts, UserHour } from "../statistics/count-events.ts";
import {
  addHours,
  type Coverage,
  deleteStatistics,
  keepArchivedSuccesses,
} from "../statistics/store.ts";
import { auditTrees } from "../tables.ts";

/** A log, and how far its leaves are counted. */
export interface Backlog extends Coverage {
  readonly tenantId: string;
}

const { tenantId, countedSize, size } = auditTrees;
const backlogColumns = { tenantId, countedSize, size };

/** Lists logs with leaves that are not counted, in turn. Tenants that are moving are left out. @throws StoreError */
export async function listBacklogs(db: Database, limit: number): Promise<Backlog[]> {
  return await awaitStore(
    db
      .select(backlogColumns)
      .from(auditTrees)
      .where(and(lt(countedSize, size), isResident(tenantId)))
      .orderBy(orderInTurn("statistics", tenantId))
      .limit(limit),
  );
}

/** @throws StoreError */
export async function findBacklog(db: Database, id: string): Promise<Backlog> {
  const rows = await awaitStore(
    db.select(backlogColumns).from(auditTrees).where(eq(tenantId, id)).limit(1),
  );
  return rows[0] ?? { tenantId: id, countedSize: 0, size: 0 };
}

/** Consecutive leaves, counted. */
export interface CountedLeaves {
  readonly tenantId: string;
  readonly from: number;
  readonly below: number;
  readonly hours: readonly HourCounts[];
  /** Empty unless the leaves are from the archive. */
  readonly archived: readonly UserHour[];
}

/**
 * Adds leaves to the statistics, if these cover all leaves before them and no other.
 * @returns false if another run was faster
 * @throws StoreError
 */
export async function saveCountedLeaves(db: Database, leaves: CountedLeaves): Promise<boolean> {
  const { tenantId: id, from, below, hours, archived } = leaves;
  const isNext = sql`(SELECT ${countedSize} FROM ${auditTrees} WHERE ${tenantId} = ${id}) = ${from}`;
  try {
    await runBatch(db, [
      requireCondition(db, isNext, staleRead),
      db.update(auditTrees).set({ countedSize: below }).where(eq(tenantId, id)),
      addHours(db, id, hours),
      ...(archived.length === 0 ? [] : [keepArchivedSuccesses(db, id, archived)]),
    ]);
    return true;
  } catch (error) {
    if (error instanceof StaleReadError) return false;
    throw error;
  }
}

/** Deletes a tenant's statistics, so that all leaves are counted again. @throws StoreError */
export async function clearStatistics(db: Database, id: string): Promise<void> {
  await runBatch(db, [
    db.update(auditTrees).set({ countedSize: 0, recentCounts: null }).where(eq(tenantId, id)),
    deleteStatistics(db, id),
  ]);
}
