/**
 * Deletes assessments past the retention that their tenant has set. The ids of assessments begin with the real
 * time of arrival, so no test clock delays this. What Sentinel learned from them stays: each guard has the
 * history of its identity, and a population has its counts.
 */
import { firstIdOf } from "../../crypto/id.ts";
import type { Database } from "../../db/client.ts";
import { deleteInSteps } from "../../db/delete-in-steps.ts";
import { deleteAssessmentsWithin, listAssessmentBounds } from "./expired-store.ts";

/** The shortest retention that a tenant can set. */
export const minAssessmentDays = 7;
const dayMs = 24 * 60 * 60 * 1000;
/** A shorter retention may end that of all assessments of a large tenant at once. */
const maxSteps = 20;
/** Greater than every id, which is in hex. */
const afterAllIds = "g";

/** Finds how many days tenants keep assessments, by tenant id. */
type FindAssessmentDays = (tenantIds: readonly string[]) => Promise<ReadonlyMap<string, number>>;

/** @param now real time, Unix ms @throws StoreError */
export async function deleteExpiredAssessments(
  db: Database,
  now: number,
  findAssessmentDays: FindAssessmentDays,
): Promise<void> {
  const future = firstIdOf(now + dayMs);
  const oldest = await listAssessmentBounds(db, firstIdOf(now - minAssessmentDays * dayMs), future);
  if (oldest.length === 0) return;
  const days = await findAssessmentDays(oldest.map(({ tenantId }) => tenantId));
  // The tenant with the oldest assessment comes first, so that none waits for ever behind a large one.
  const expired = oldest.flatMap(({ tenantId, lowest, highest }) => {
    const retentionDays = days.get(tenantId);
    if (retentionDays === undefined) return [];
    const below = firstIdOf(now - retentionDays * dayMs);
    return [
      ...(lowest < below ? [{ tenantId, from: "", below }] : []),
      // In older builds ids began with the time of the test clock, so nothing says how old these are.
      ...(highest >= future ? [{ tenantId, from: future, below: afterAllIds }] : []),
    ];
  });
  await deleteInSteps((limit) => deleteAssessmentsWithin(db, expired, limit), maxSteps);
}
