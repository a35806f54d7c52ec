/** The identities of a tenant that is deleted, in its database. */
import { and, eq, inArray, ne, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import { auditEvents } from "../audit/tables.ts";
import { awaitStore, type Database } from "../db/client.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { tenantFences } from "../db/tables.ts";
import { identities } from "../identity/tables.ts";
import { assessments } from "../sentinel/tables.ts";
import { findFenceState } from "./removal-store.ts";
import type { Deletion } from "./store.ts";

const idRow = z.object({ id: z.string() });

/** Counts the identities that the directory has, tombstones too. */
export async function countRecords(db: Database, tenantId: string): Promise<number> {
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
