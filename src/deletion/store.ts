/**
 * Deletions of tenants in D1: the progress of each, in `DB`, and what they close and delete in every database. All
 * writes are essential: a deletion makes room, and must be possible in a full database.
 */
import { and, eq, inArray, isNotNull, isNull, lte, ne, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { z } from "zod";
import type { StampedEvent } from "../audit/event.ts";
import { insertEvents } from "../audit/store.ts";
import { auditEvents, auditTiles, auditTrees, controlOutbox } from "../audit/tables.ts";
import { awaitStore, type Database, hasNoChanges, type Statement } from "../db/client.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { relocations, tenantDeletions, tenantFences, tenants } from "../db/tables.ts";
import { orderInTurn } from "../db/turns.ts";
import { requestKeys } from "../idempotency/tables.ts";
import { identities } from "../identity/tables.ts";
import { assessments, populations } from "../sentinel/tables.ts";
import { apiTokens } from "../tenancy/tables.ts";

export type Deletion = typeof tenantDeletions.$inferSelect;

const idRow = z.object({ id: z.string() });

/** A row of these tables belongs to a tenant; the key is the primary key without the tenant. */
interface TenantTable {
  readonly table: SQLiteTable & { readonly tenantId: SQLiteColumn };
  readonly key: readonly SQLiteColumn[];
}

/** What a deletion removes from every database. `audit_events`, `audit_tiles` and `audit_trees` are the trail. */
const removedTables: readonly TenantTable[] = [
  { table: identities, key: [identities.id] },
  { table: assessments, key: [assessments.id] },
  { table: populations, key: [] },
  { table: requestKeys, key: [requestKeys.key] },
  { table: apiTokens, key: [apiTokens.id] },
  { table: relocations, key: [] },
];

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

export async function countIdentities(db: Database, tenantId: string): Promise<number> {
  return await awaitStore(db.$count(identities, eq(identities.tenantId, tenantId)));
}

/**
 * Lists what may be identities in the order of ids: those of the directory, tombstones too, and all that an event
 * in D1 is about, because a database that was restored may have lost a record whose guard exists.
 */
export async function listIdentityIds(
  db: Database,
  tenantId: string,
  after: string,
  limit: number,
): Promise<string[]> {
  const nextTarget = (from: SQL) => sql`(SELECT min(target_id) FROM ${auditEvents}
    WHERE tenant_id = ${tenantId} AND target_id > ${from})`;
  const rows = await awaitStore(
    db.all(sql`
      WITH RECURSIVE target(id) AS (
        SELECT ${nextTarget(sql`${after}`)}
        UNION ALL SELECT ${nextTarget(sql`target.id`)} FROM target WHERE target.id IS NOT NULL LIMIT ${limit}),
      listed(id) AS (
        SELECT id FROM ${identities} WHERE tenant_id = ${tenantId} AND id > ${after} ORDER BY id LIMIT ${limit})
      SELECT id FROM listed UNION SELECT id FROM target WHERE id IS NOT NULL ORDER BY id LIMIT ${limit}`),
  );
  return z
    .array(idRow)
    .parse(rows)
    .map(({ id }) => id);
}

function isLiving(tenantId: string): SQL | undefined {
  return and(eq(identities.tenantId, tenantId), ne(identities.status, "erased"));
}

/** Lists identities that are not erased. */
export async function listLivingIds(
  db: Database,
  tenantId: string,
  limit: number,
): Promise<string[]> {
  const rows = await awaitStore(
    db.select({ id: identities.id }).from(identities).where(isLiving(tenantId)).limit(limit),
  );
  return rows.map(({ id }) => id);
}

/** Deletes the records of identities whose guards could not read them, with their assessments. */
export async function discardRecords(
  db: Database,
  tenantId: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const listed = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  await runEssentialBatch(db, [
    db
      .delete(assessments)
      .where(and(eq(assessments.tenantId, tenantId), inArray(assessments.identityId, listed))),
    db
      .delete(identities)
      .where(and(eq(identities.tenantId, tenantId), inArray(identities.id, listed))),
  ]);
}

/**
 * Closes the database to the tenant's identities, unless it has one that is not erased.
 * @returns whether it is closed
 */
export async function closeToIdentities(
  db: Database,
  { tenantId, id: relocationId }: Deletion,
): Promise<boolean> {
  const state = "erasing";
  await runEssentialBatch(db, [
    db
      .insert(tenantFences)
      .select(
        sql`SELECT ${tenantId}, ${state}, ${relocationId}
          WHERE NOT EXISTS (SELECT 1 FROM ${identities} WHERE ${isLiving(tenantId)})`,
      )
      .onConflictDoUpdate({
        target: tenantFences.tenantId,
        set: { state, relocationId },
        setWhere: eq(tenantFences.state, "here"),
      }),
  ]);
  return (await findFenceState(db, tenantId)) !== undefined;
}

/** The state of the fence that a deletion has set. */
async function findFenceState(db: Database, tenantId: string): Promise<string | undefined> {
  const rows = await awaitStore(
    db
      .select({ state: tenantFences.state })
      .from(tenantFences)
      .where(
        and(
          eq(tenantFences.tenantId, tenantId),
          inArray(tenantFences.state, ["erasing", "deleted"]),
        ),
      ),
  );
  return rows[0]?.state;
}

/** Files the last events of the trail, once, and closes the database to further ones. */
export async function closeTrail(
  db: Database,
  tenantId: string,
  events: readonly StampedEvent[],
): Promise<void> {
  if ((await findFenceState(db, tenantId)) === "deleted") return;
  await runEssentialBatch(db, [
    insertEvents(db, tenantId, events),
    db.update(tenantFences).set({ state: "deleted" }).where(eq(tenantFences.tenantId, tenantId)),
  ]);
}

/** Whether events wait in the control outbox. */
export async function hasWaitingEvents(control: Database, tenantId: string): Promise<boolean> {
  return (
    (await awaitStore(control.$count(controlOutbox, eq(controlOutbox.tenantId, tenantId)))) > 0
  );
}

function joinNames(columns: readonly SQLiteColumn[]): SQL {
  return sql.join(
    columns.map(({ name }) => sql.identifier(name)),
    sql`, `,
  );
}

/** Deletes some of the tenant's rows in these tables. @returns whether there may be more */
async function deleteSomeRows(
  db: Database,
  tenantId: string,
  tables: readonly TenantTable[],
  limit: number,
  condition?: SQL,
): Promise<boolean> {
  const deletions = tables.map(({ table, key }) => {
    const some = sql`(${joinNames(key)}) IN (SELECT ${joinNames(key)} FROM ${table}
      WHERE ${sql.identifier(table.tenantId.name)} = ${tenantId} LIMIT ${limit})`;
    return db
      .delete(table)
      .where(and(eq(table.tenantId, tenantId), key.length === 0 ? undefined : some, condition))
      .returning({ one: sql<number>`1` });
  });
  const deleted = await runEssentialBatch(db, deletions);
  return deleted.some((rows) => Array.isArray(rows) && rows.length === limit);
}

/** Deletes some of the tenant's rows, except the trail. @returns whether there may be more */
export async function removeRows(db: Database, tenantId: string, limit: number): Promise<boolean> {
  return await deleteSomeRows(db, tenantId, removedTables, limit);
}

/** Deletes the tenant's tokens. */
export async function removeTokens(control: Database, tenantId: string): Promise<void> {
  await runEssentialBatch(control, [
    control.delete(apiTokens).where(eq(apiTokens.tenantId, tenantId)),
  ]);
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

/**
 * Deletes some of the tree of a trail whose events are all in the archive, once every witness has its newest head.
 * @returns whether nothing of the trail is left
 */
export async function removeEndedTree(
  db: Database,
  tenantId: string,
  limit: number,
): Promise<boolean> {
  const isEnded = sql`NOT EXISTS (SELECT 1 FROM ${auditEvents} WHERE ${auditEvents.tenantId} = ${tenantId})
    AND NOT EXISTS (SELECT 1 FROM ${auditTrees} AS tree WHERE tree.tenant_id = ${tenantId}
      AND (tree.witnessed_size < tree.size OR tree.bucket_size < tree.size))`;
  const tiles = [{ table: auditTiles, key: [auditTiles.level, auditTiles.index] }];
  if (await deleteSomeRows(db, tenantId, tiles, limit, isEnded)) return false;
  await deleteSomeRows(db, tenantId, [{ table: auditTrees, key: [] }], limit, isEnded);
  const left = await awaitStore(
    db.select({ one: sql`1` }).from(auditTrees).where(eq(auditTrees.tenantId, tenantId)).limit(1),
  );
  return left.length === 0;
}

/** Deletes what is known of a deletion whose trail has ended. */
export async function deleteDeletion(control: Database, tenantId: string): Promise<void> {
  await runEssentialBatch(control, [
    control.delete(tenantDeletions).where(eq(tenantDeletions.tenantId, tenantId)),
  ]);
}
