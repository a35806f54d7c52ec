/** Deletes assessments that have expired, or whose identity was erased. */
import { and, gte, lt, or, type SQL, sql } from "drizzle-orm";
import { awaitStore, type Database } from "../../db/client.ts";
import { deleteWhere } from "../../db/delete-in-steps.ts";
import { isResident, selectResidentTenants } from "../../db/tenant-fence.ts";
import { identities, isErased } from "../../identity/tables.ts";
import { assessments } from "../tables.ts";

/**
 * Lists the resident tenants with an assessment below one id, or from the other on. Gives the bounds of their ids;
 * the lowest comes first. @throws StoreError, as do all of these
 */
export async function listAssessmentBounds(
  db: Database,
  below: string,
  from: string,
): Promise<{ readonly tenantId: string; readonly lowest: string; readonly highest: string }[]> {
  const tenantId = sql<string>`resident.id`;
  const find = (select: SQL) =>
    sql<string>`(SELECT ${select} FROM ${assessments} WHERE ${assessments.tenantId} = ${tenantId})`;
  const lowest = find(sql`min(${assessments.id})`);
  const highest = find(sql`max(${assessments.id})`);
  return await awaitStore(
    db
      .select({ tenantId, lowest, highest })
      .from(sql`${selectResidentTenants(assessments)} AS resident`)
      .where(or(lt(lowest, below), gte(highest, from)))
      .orderBy(lowest),
  );
}

/** A range of a tenant's ids, the upper bound exclusive. */
export interface IdRange {
  readonly tenantId: string;
  readonly from: string;
  readonly below: string;
}

/**
 * Deletes the assessments in these ranges, range by range.
 * @returns how many were deleted, `limit` at most
 */
export async function deleteAssessmentsWithin(
  db: Database,
  ranges: readonly IdRange[],
  limit: number,
): Promise<number> {
  if (ranges.length === 0) return 0;
  const { tenantId, id } = assessments;
  // CROSS JOIN keeps the order of the ranges, so that each is found through the primary key.
  const some = sql`SELECT old.tenant_id, old.id FROM json_each(${JSON.stringify(ranges)}) AS range
    CROSS JOIN ${assessments} AS old
    WHERE old.tenant_id = range.value ->> 'tenantId' AND old.id >= range.value ->> 'from'
      AND old.id < range.value ->> 'below'
    LIMIT ${limit}`;
  const { meta } = await awaitStore(
    db.delete(assessments).where(and(sql`(${tenantId}, ${id}) IN (${some})`, isResident(tenantId))),
  );
  return meta.changes;
}

/** Deletes assessments of erased identities: a delivery that arrived after the erasure may have left one. */
export async function deleteErasedAssessments(db: Database): Promise<void> {
  const { tenantId, id, identityId } = assessments;
  const erased = sql`SELECT ${identities.tenantId}, ${identities.id} FROM ${identities}
    WHERE ${isErased} AND ${isResident(identities.tenantId)}`;
  const isOfErased = sql`(${tenantId}, ${identityId}) IN (${erased})`;
  await deleteWhere(db, assessments, [tenantId, id], isOfErased);
}
