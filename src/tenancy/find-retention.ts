/** Finds how long tenants keep audit events and assessments in D1. */
import { controlDbOf } from "../db/shards.ts";
import { defaultPolicy } from "./policy.ts";
import { listRetentionDays, listRetentionDaysOfDeleted } from "./tenant-store.ts";

async function findDays(
  env: Env,
  field: Parameters<typeof listRetentionDays>[1],
  tenantIds: readonly string[],
  defaultDays: number,
): Promise<ReadonlyMap<string, number>> {
  const stored = await listRetentionDays(controlDbOf(env), field, tenantIds, defaultDays);
  return new Map(tenantIds.map((tenantId) => [tenantId, stored.get(tenantId) ?? defaultDays]));
}

/** Days before events move to the archive, by tenant id; those of a deleted tenant stay as they were. @throws StoreError */
export async function findRetentionDays(
  env: Env,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { retentionDays } = defaultPolicy.audit;
  const [days, ofDeleted] = await Promise.all([
    findDays(env, "audit.retention_days", tenantIds, retentionDays),
    listRetentionDaysOfDeleted(controlDbOf(env), tenantIds),
  ]);
  return new Map([...days, ...ofDeleted]);
}

/** Days before assessments are deleted, by tenant id; an unknown tenant has the default. @throws StoreError */
export async function findAssessmentDays(
  env: Env,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { assessmentDays } = defaultPolicy.retention;
  return await findDays(env, "retention.assessment_days", tenantIds, assessmentDays);
}
