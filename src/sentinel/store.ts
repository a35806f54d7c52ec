/** Assessments in D1. */
import { and, eq, inArray, lt, sql } from "drizzle-orm";
import { firstIdAt } from "../crypto/id.ts";
import { chunked, type Database, runBatch, type Statement } from "../db/client.ts";
import { assessments, identities, isErased, tenants } from "../db/schema.ts";
import type { AssessmentRecord } from "./assessment.ts";

const columnCount = 11;
/** Six months, as long as an identity's history may reach back. */
const retentionMs = 183 * 24 * 60 * 60 * 1000;

export function insertAssessments(db: Database, records: readonly AssessmentRecord[]): Statement[] {
  return chunked(records, columnCount).map((chunk) =>
    db.insert(assessments).values(chunk).onConflictDoNothing(),
  );
}

/** Removes what was assessed about an identity. */
export function forgetAssessments(db: Database, tenantId: string, identityId: string): Statement {
  return db
    .delete(assessments)
    .where(and(eq(assessments.tenantId, tenantId), eq(assessments.identityId, identityId)));
}

/**
 * Removes assessments past their retention, each tenant's by its primary key, and those of erased
 * identities: a delivery that arrived after the erasure may have left one.
 */
export async function purgeAssessments(db: Database, now: number): Promise<void> {
  const everyTenant = db.select({ id: tenants.id }).from(tenants);
  const oldest = firstIdAt(Math.max(0, now - retentionMs));
  const { tenantId, identityId } = assessments;
  const erasedOnes = sql`SELECT ${identities.tenantId}, ${identities.id} FROM ${identities} WHERE ${isErased}`;
  await runBatch(db, [
    db.delete(assessments).where(and(inArray(tenantId, everyTenant), lt(assessments.id, oldest))),
    db.delete(assessments).where(sql`(${tenantId}, ${identityId}) IN (${erasedOnes})`),
  ]);
}
