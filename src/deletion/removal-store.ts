/** What a deletion removes from every database, and the end of the trail that it leaves. */
import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import type { StampedEvent } from "../audit/event.ts";
import { archivedSuccesses, tenantStatistics } from "../audit/statistics/tables.ts";
import { insertEvents } from "../audit/store.ts";
import { auditEvents, auditTiles, auditTrees } from "../audit/tables.ts";
import { awaitStore, type Database } from "../db/client.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { relocations, tenantFences } from "../db/tables.ts";
import { joinNames, type TenantTable } from "../db/tenant-table.ts";
import { personalExpiries } from "../expiry/tables.ts";
import { requestKeys } from "../idempotency/tables.ts";
import { identities, passkeyClaims } from "../identity/tables.ts";
import { assessments, populations } from "../sentinel/tables.ts";
import { apiTokens, destinations } from "../tenancy/tables.ts";

/** What a deletion removes from every database. `audit_events`, `audit_tiles` and `audit_trees` are the trail. */
const removedTables: readonly TenantTable[] = [
  { table: identities, key: [identities.id] },
  { table: assessments, key: [assessments.id] },
  { table: populations, key: [] },
  { table: requestKeys, key: [requestKeys.key] },
  { table: apiTokens, key: [apiTokens.id] },
  { table: destinations, key: [destinations.id] },
  { table: relocations, key: [] },
  { table: tenantStatistics, key: [tenantStatistics.hour] },
  { table: archivedSuccesses, key: [archivedSuccesses.identityId, archivedSuccesses.hour] },
  { table: passkeyClaims, key: [passkeyClaims.passkeyId] },
  { table: personalExpiries, key: [] },
];

/** The state of the fence that a deletion has set. */
export async function findFenceState(db: Database, tenantId: string): Promise<string | undefined> {
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
