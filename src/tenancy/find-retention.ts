/** Finds how long tenants keep audit events, their personal parts, and assessments. */
import { controlDbOf } from "../db/shards.ts";
import { defaultPolicy } from "./policy.ts";
import {
  listPersonalDays,
  listRetentionDays,
  listRetentionDaysOfDeleted,
  type PersonalDays,
} from "./retention-store.ts";

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
  const { archiveAfterDays } = defaultPolicy.retention;
  const [days, ofDeleted] = await Promise.all([
    findDays(env, "archive_after_days", tenantIds, archiveAfterDays),
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
  return await findDays(env, "assessment_days", tenantIds, assessmentDays);
}

/**
 * Tenants with data in a database whose personal parts expire, in the order of their ids. Tenants that are suspended or
 * being deleted are among them; one that was deleted has no personal parts.
 * @param page `after`: the last tenant id of the page before
 * @throws StoreError
 */
export async function findPersonalDays(
  env: Env,
  shard: number,
  page: { readonly after?: string; readonly limit: number },
): Promise<PersonalDays[]> {
  return await listPersonalDays(controlDbOf(env), shard, page);
}
