/**
 * The progress of tenants' deletions, in `DB`. All writes of a deletion are essential: it makes room, and must be
 * possible in a full database.
 */
import { and, eq, isNotNull, isNull, lte, type SQL, sql } from "drizzle-orm";
import { controlOutbox } from "../audit/tables.ts";
import { awaitStore, type Database, hasNoChanges, type Statement } from "../db/client.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { relocations, tenantDeletions, tenantFences, tenants } from "../db/tables.ts";
import { orderInTurn } from "../db/turns.ts";
import { apiTokens } from "../tenancy/tables.ts";

export type Deletion = typeof tenantDeletions.$inferSelect;

/** @throws StoreError, as do all of these */
export async function findDeletion(
  control: Database,
  tenantId: string,
): Promise<Deletion | undefined> {
  const rows = await awaitStore(
    control.select().from(tenantDeletions).where(eq(tenantDeletions.tenantId, tenantId)).limit(1),
  );
  return rows[0];
}

/** Lists the deletions whose next step is due, in turn. @param now real time, Unix ms */
export async function listDueDeletions(
  control: Database,
  now: number,
  limit: number,
): Promise<Deletion[]> {
  return await awaitStore(
    control
      .select()
      .from(tenantDeletions)
      .where(and(isNull(tenantDeletions.finishedAt), lte(tenantDeletions.dueAt, now)))
      .orderBy(orderInTurn("tenant_deletion", tenantDeletions.tenantId))
      .limit(limit),
  );
}

/** What decides whether and where a tenant is deleted. */
export async function findTenantToDelete(control: Database, tenantId: string) {
  const { name, mode, shard, suspendedAt } = tenants;
  const rows = await awaitStore(
    control
      .select({ name, mode, shard, suspendedAt })
      .from(tenants)
      .where(eq(tenants.id, tenantId))
      .limit(1),
  );
  return rows[0];
}

/** Inserts the deletion, and makes the tenant `deleting`. Conditions of the same batch decide whether it may begin. */
export function beginDeletion(control: Database, begun: Deletion): Statement[] {
  return [
    control.insert(tenantDeletions).values(begun),
    control.update(tenants).set({ status: "deleting" }).where(eq(tenants.id, begun.tenantId)),
  ];
}

/** Whether the tenant has been suspended since the given time or longer, and has this name. */
export function isDeletable(tenantId: string, name: string, suspendedUntil: number): SQL {
  return sql`EXISTS (SELECT 1 FROM ${tenants} WHERE ${and(
    eq(tenants.id, tenantId),
    eq(tenants.name, name),
    eq(tenants.status, "suspended"),
    lte(tenants.suspendedAt, suspendedUntil),
  )})`;
}

/** Whether the tenant has no relocation that has not ended. */
export function hasNoRelocation(tenantId: string): SQL {
  return sql`NOT EXISTS (SELECT 1 FROM ${relocations}
    WHERE ${relocations.tenantId} = ${tenantId} AND ${relocations.finishedAt} IS NULL)`;
}

/** Saves progress. @returns false if another run has saved progress since `before` */
export async function saveDeletion(
  control: Database,
  before: Deletion,
  after: Deletion,
): Promise<boolean> {
  const { tenantId, phase, cursor } = tenantDeletions;
  const isUnchanged = and(
    eq(tenantId, before.tenantId),
    eq(phase, before.phase),
    eq(cursor, before.cursor),
  );
  const [saved] = await runEssentialBatch(control, [
    control.update(tenantDeletions).set(after).where(isUnchanged),
  ]);
  return !hasNoChanges(saved);
}

/** Whether events wait in the control outbox. */
export async function hasWaitingEvents(control: Database, tenantId: string): Promise<boolean> {
  return (
    (await awaitStore(control.$count(controlOutbox, eq(controlOutbox.tenantId, tenantId)))) > 0
  );
}

/**
 * Ends the deletion, and deletes the tenant's record. From now on `DB` refuses what an object delivers that looks
 * the tenant up, because that finds no shard.
 */
export async function finishDeletion(control: Database, finished: Deletion): Promise<void> {
  const { tenantId, id: relocationId } = finished;
  const state = "deleted";
  await runEssentialBatch(control, [
    control
      .insert(tenantFences)
      .values({ tenantId, state, relocationId })
      .onConflictDoUpdate({ target: tenantFences.tenantId, set: { state, relocationId } }),
    control.delete(apiTokens).where(eq(apiTokens.tenantId, tenantId)),
    control.delete(tenants).where(eq(tenants.id, tenantId)),
    control.update(tenantDeletions).set(finished).where(eq(tenantDeletions.tenantId, tenantId)),
  ]);
}

/** Lists finished deletions, whose trails may have ended, in turn. */
export async function listFinishedDeletions(control: Database, limit: number): Promise<Deletion[]> {
  return await awaitStore(
    control
      .select()
      .from(tenantDeletions)
      .where(isNotNull(tenantDeletions.finishedAt))
      .orderBy(orderInTurn("ended_trails", tenantDeletions.tenantId))
      .limit(limit),
  );
}

/** Deletes what is known of a deletion whose trail has ended. */
export async function deleteDeletion(control: Database, tenantId: string): Promise<void> {
  await runEssentialBatch(control, [
    control.delete(tenantDeletions).where(eq(tenantDeletions.tenantId, tenantId)),
  ]);
}
