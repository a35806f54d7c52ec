/** The statistics in D1. */
import { eq, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { awaitStore, type Database, type Statement } from "../../db/client.ts";
import { deleteWhere } from "../../db/delete-in-steps.ts";
import { isResident } from "../../db/tenant-fence.ts";
import { auditEvents, auditTrees } from "../tables.ts";
import {
  type BucketSum,
  type HourCounts,
  type HourRange,
  hourMs,
  hoursPerDay,
  keyOfUserHour,
  monthOf,
  type UserHour,
  verifyingActions,
} from "./count-events.ts";
import { archivedSuccesses, tenantStatistics } from "./tables.ts";

/** The hours with accepted verifications in consecutive leaves of one log. */
export interface SliceUserHours {
  readonly tenantId: string;
  /** The first of the leaves. */
  readonly from: number;
  readonly userHours: readonly UserHour[];
}

const verifying = sql.raw(verifyingActions.map((action) => `'${action}'`).join());

/** Whether a leaf before the slice has an accepted verification of the user in these hours. */
function hasEarlierSuccess(from: SQL, below: SQL): SQL {
  const wanted = (name: string) => sql.raw(`wanted.value ->> '${name}'`);
  // An id begins with 12 hex digits of its time, which is `at`.
  const idAt = (hour: SQL) => sql`printf('%012x', (${hour}) * ${sql.raw(String(hourMs))})`;
  return sql`(EXISTS (SELECT 1 FROM ${auditEvents}
      WHERE ${auditEvents.tenantId} = ${wanted("tenantId")} AND ${auditEvents.targetId} = ${wanted("id")}
        AND ${auditEvents.id} >= ${idAt(from)} AND ${auditEvents.id} < ${idAt(below)}
        AND +${auditEvents.leafIndex} < ${wanted("before")}
        AND ${auditEvents.action} IN (${verifying}) AND ${auditEvents.outcome} = 'success')
    OR EXISTS (SELECT 1 FROM ${archivedSuccesses}
      WHERE ${archivedSuccesses.tenantId} = ${wanted("tenantId")}
        AND ${archivedSuccesses.identityId} = ${wanted("id")}
        AND ${archivedSuccesses.hour} >= ${from} AND ${archivedSuccesses.hour} < ${below}
        AND ${archivedSuccesses.leafIndex} < ${wanted("before")}))`;
}

/**
 * Finds for each user and hour in how many periods, from the widest on, a leaf before its slice has an accepted
 * verification of the user: `knownPeriods` of `countEvents`, by tenant id.
 * @throws StoreError
 */
export async function findKnownPeriods(
  db: Database,
  slices: readonly SliceUserHours[],
): Promise<Map<string, Map<string, number>>> {
  const wanted = slices.flatMap(({ tenantId, from: before, userHours }) =>
    userHours.map(({ identityId: id, hour }) => {
      const { from, below } = monthOf(hour);
      return { tenantId, id, hour, before, from, below };
    }),
  );
  const known = new Map<string, Map<string, number>>();
  if (wanted.length === 0) return known;
  const field = (name: string) => sql.raw(`wanted.value ->> '${name}'`);
  const hour = field("hour");
  const day = sql`${hour} - ${hour} % ${sql.raw(String(hoursPerDay))}`;
  const periods = sql<number>`CASE
    WHEN NOT ${hasEarlierSuccess(field("from"), field("below"))} THEN 0
    WHEN NOT ${hasEarlierSuccess(day, sql`${day} + ${sql.raw(String(hoursPerDay))}`)} THEN 1
    WHEN NOT ${hasEarlierSuccess(hour, sql`${hour} + 1`)} THEN 2
    ELSE 3 END`;
  const rows = await awaitStore(
    db
      .select({
        tenantId: sql<string>`${field("tenantId")}`,
        identityId: sql<string>`${field("id")}`,
        hour: sql<number>`${hour}`,
        periods,
      })
      .from(sql`json_each(${JSON.stringify(wanted)}) AS wanted`),
  );
  for (const { tenantId, periods, ...userHour } of rows) {
    const ofTenant = known.get(tenantId) ?? new Map<string, number>();
    known.set(tenantId, ofTenant.set(keyOfUserHour(userHour), periods));
  }
  return known;
}

/**
 * Adds counts to those that are stored.
 * @param rows a SELECT with a WHERE, of tenant id, hour and counts (JSON); each tenant and hour once
 */
export function addCounts(db: Database, rows: SQL): Statement {
  return db
    .insert(tenantStatistics)
    .select(rows)
    .onConflictDoUpdate({
      target: [tenantStatistics.tenantId, tenantStatistics.hour],
      set: {
        counts: sql`(SELECT json_group_object(name, total) FROM (
          SELECT name, sum(number) AS total FROM (
            SELECT key AS name, value AS number FROM json_each(${tenantStatistics.counts})
            UNION ALL SELECT key, value FROM json_each(excluded.counts))
          GROUP BY name))`,
      },
    });
}

/** Adds the counts of some hours of one tenant. */
export function addHours(db: Database, tenantId: string, hours: readonly HourCounts[]): Statement {
  return addCounts(
    db,
    sql`SELECT ${tenantId}, item.value ->> 'hour', item.value ->> 'counts'
      FROM json_each(${JSON.stringify(hours)}) AS item WHERE true`,
  );
}

/** Keeps what later leaves need to recognise the users of archived ones. */
export function keepArchivedSuccesses(
  db: Database,
  tenantId: string,
  userHours: readonly UserHour[],
): Statement {
  return db
    .insert(archivedSuccesses)
    .select(
      sql`SELECT ${tenantId}, item.value ->> 'identityId', item.value ->> 'hour', item.value ->> 'leafIndex'
        FROM json_each(${JSON.stringify(userHours)}) AS item WHERE true`,
    )
    .onConflictDoNothing();
}

export function deleteStatistics(db: Database, tenantId: string): Statement {
  return db.delete(tenantStatistics).where(eq(tenantStatistics.tenantId, tenantId));
}

/** Deletes what was kept to count archived leaves, of tenants whose leaves are all counted. @throws StoreError */
export async function deleteArchivedSuccesses(db: Database): Promise<void> {
  const { tenantId, identityId, hour } = archivedSuccesses;
  const isUncounted = sql`EXISTS (SELECT 1 FROM ${auditTrees} WHERE ${auditTrees.tenantId} = ${tenantId}
    AND ${auditTrees.countedSize} < ${auditTrees.size})`;
  const condition = sql`NOT ${isUncounted} AND ${isResident(tenantId)}`;
  await deleteWhere(db, archivedSuccesses, [tenantId, identityId, hour], condition);
}

/** How far a tenant's leaves are counted. */
export interface Coverage {
  /** Leaves that the statistics cover, from the first on. */
  readonly countedSize: number;
  /** Leaves of the newest tree head. */
  readonly size: number;
}

/**
 * Sums the counters that begin with a prefix, by bucket, and reads what they cover in the same instant.
 * @param from a multiple of `hoursPerBucket`
 * @throws StoreError
 */
export async function sumCounts(
  db: Database,
  tenantId: string,
  { from, below }: HourRange,
  hoursPerBucket: number,
  prefix = "",
): Promise<{ readonly sums: readonly BucketSum[]; readonly coverage: Coverage }> {
  const hour = sql<number>`stored.hour - (stored.hour - ${from}) % ${hoursPerBucket}`;
  const counter = sql<string>`count.key`;
  const recent = (name: string) => sql`${auditTrees.recentCounts} ->> ${sql.raw(`'${name}'`)}`;
  const isInRange = (one: SQL | SQLiteColumn) => sql`${one} >= ${from} AND ${one} < ${below}`;
  const stored = sql`(SELECT ${tenantStatistics.hour} AS hour, ${tenantStatistics.counts} AS counts
      FROM ${tenantStatistics}
      WHERE ${tenantStatistics.tenantId} = ${tenantId} AND ${isInRange(tenantStatistics.hour)}
    UNION ALL SELECT ${recent("hour")}, ${recent("counts")} FROM ${auditTrees}
      WHERE ${auditTrees.tenantId} = ${tenantId} AND ${isInRange(recent("hour"))}) AS stored`;
  const [sums, [coverage]] = await awaitStore(
    db.batch([
      db
        .select({ hour, counter, sum: sql<number>`sum(count.value)` })
        .from(stored)
        .crossJoin(sql`json_each(stored.counts) AS count`)
        .where(sql`substr(count.key, 1, ${prefix.length}) = ${prefix}`)
        .groupBy(sql`1`, sql`2`),
      db
        .select({ countedSize: auditTrees.countedSize, size: auditTrees.size })
        .from(auditTrees)
        .where(eq(auditTrees.tenantId, tenantId)),
    ]),
  );
  return { sums, coverage: coverage ?? { countedSize: 0, size: 0 } };
}
