/** Assessments in D1. */
import { and, eq, inArray, lt } from "drizzle-orm";
import { firstIdAt } from "../crypto/id.ts";
import { chunked, type Database, type Statement, withinStoreTimeout } from "../db/client.ts";
import { assessments, tenants } from "../db/schema.ts";
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

/** Removes assessments past their retention, each tenant's by its primary key. */
export async function purgeAssessments(db: Database, now: number): Promise<void> {
  const everyTenant = db.select({ id: tenants.id }).from(tenants);
  const oldest = firstIdAt(Math.max(0, now - retentionMs));
  await withinStoreTimeout(
    db
      .delete(assessments)
      .where(and(inArray(assessments.tenantId, everyTenant), lt(assessments.id, oldest))),
  );
}
