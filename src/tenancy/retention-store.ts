/** How long tenants keep data, as the control plane stores it. */
import { and, asc, eq, gt, inArray, isNotNull, sql } from "drizzle-orm";
import { awaitStore, type Database } from "../db/client.ts";
import { tenantDeletions, tenants } from "../db/tables.ts";
import { storedRetentionPaths } from "./retention-settings.ts";

function selectDays(field: keyof typeof storedRetentionPaths) {
  return sql<number | null>`${tenants.settings} ->> ${`$.${storedRetentionPaths[field]}`}`;
}

/** Lists how many days each of these tenants keeps events or assessments in D1. @throws StoreError, as do all of these */
export async function listRetentionDays(
  db: Database,
  field: "archive_after_days" | "assessment_days",
  tenantIds: readonly string[],
  defaultDays: number,
): Promise<ReadonlyMap<string, number>> {
  const ids = sql`(SELECT value FROM json_each(${JSON.stringify(tenantIds)}))`;
  const days = sql<number>`coalesce(${selectDays(field)}, ${defaultDays})`;
  const rows = await awaitStore(
    db.select({ id: tenants.id, days }).from(tenants).where(inArray(tenants.id, ids)),
  );
  return new Map(rows.map((row) => [row.id, row.days]));
}

/** Lists how many days the trails of deleted tenants stay in D1. */
export async function listRetentionDaysOfDeleted(
  db: Database,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const ids = sql`(SELECT value FROM json_each(${JSON.stringify(tenantIds)}))`;
  const { tenantId, retentionDays } = tenantDeletions;
  const rows = await awaitStore(
    db.select({ tenantId, retentionDays }).from(tenantDeletions).where(inArray(tenantId, ids)),
  );
  return new Map(rows.map((row) => [row.tenantId, row.retentionDays]));
}

/** A tenant whose personal parts expire. */
export interface PersonalDays {
  readonly tenantId: string;
  /** Days after the real time of arrival. */
  readonly days: number;
}

/** Lists the tenants of a shard whose personal parts expire, in the order of their ids. */
export async function listPersonalDays(
  db: Database,
  shard: number,
  page: { readonly after?: string; readonly limit: number },
): Promise<PersonalDays[]> {
  const { after = "", limit } = page;
  const days = selectDays("personal_days");
  const rows = await awaitStore(
    db
      .select({ tenantId: tenants.id, days })
      .from(tenants)
      .where(and(eq(tenants.shard, shard), gt(tenants.id, after), isNotNull(days)))
      .orderBy(asc(tenants.id))
      .limit(limit),
  );
  return rows.flatMap((row) => (row.days === null ? [] : [{ ...row, days: row.days }]));
}
