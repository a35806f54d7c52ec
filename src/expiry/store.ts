/**
 * The expiry of personal parts in D1. Each change of progress and counts is one batch with what it counts, and
 * requires that no other run has changed the progress meanwhile.
 */
import { and, eq, gte, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { StampedEvent } from "../audit/event.ts";
import { arrivalOf, insertEvents } from "../audit/store.ts";
import { auditEvents } from "../audit/tables.ts";
import { firstIdOf } from "../crypto/id.ts";
import {
  awaitStore,
  type Database,
  deliveryTimeoutMs,
  requireCondition,
  type Statement,
  staleRead,
} from "../db/client.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { isDeletedHere, isResident } from "../db/tenant-fence.ts";
import { hadTurn } from "../db/turns.ts";
import { assessments } from "../sentinel/tables.ts";
import { dayMs } from "./expired-events.ts";
import { expiryPhases, personalExpiries } from "./tables.ts";

/** A tenant whose personal parts are due. */
export interface DueExpiry {
  readonly tenantId: string;
  /** What arrived before this UTC day expires: days since 1970. */
  readonly cutoffDay: number;
}

const expiryRow = z.tuple([
  z.object({
    tenantId: z.string(),
    cutoffDay: z.int(),
    phase: z.enum(expiryPhases),
    step: z.int(),
    startedAt: z.int(),
    nextLeaf: z.int(),
    archivedBelow: z.int(),
    nextObject: z.int(),
    openObject: z.int().nullable(),
    events: z.int(),
    assessments: z.int(),
  }),
]);

export type PersonalExpiry = Readonly<z.infer<typeof expiryRow>[0]>;

const dueRows = z.array(
  z.object({ tenantId: z.string(), cutoffDay: z.int(), hadTurn: z.int().transform(Boolean) }),
);

/** A due expiry, and whether its tenant has had its turn; see `orderInTurn`. */
export type ListedExpiry = Readonly<z.output<typeof dueRows>[number]>;

/**
 * Lists the resident tenants of which something is due: an expiry that has not begun, or one that has begun and is not
 * done. @param wanted tenants with a setting
 */
export async function listDueExpiries(
  db: Database,
  wanted: readonly DueExpiry[],
): Promise<readonly ListedExpiry[]> {
  const rows = await awaitStore(
    db.all(sql`
      WITH wanted AS (SELECT value ->> 'tenantId' AS id, value ->> 'cutoffDay' AS day
        FROM json_each(${JSON.stringify(wanted)})),
      due AS (SELECT id, day FROM wanted WHERE NOT EXISTS (SELECT 1 FROM personal_expiries
          WHERE tenant_id = id AND phase = 'done' AND cutoff_day >= day)
        UNION ALL SELECT tenant_id, cutoff_day FROM personal_expiries
          WHERE phase <> 'done' AND tenant_id NOT IN (SELECT id FROM wanted))
      SELECT id AS tenantId, day AS cutoffDay, ${hadTurn("personal_expiry", sql`id`)} AS hadTurn
      FROM due WHERE ${isResident(sql`id`)} AND NOT ${isDeletedHere(sql`id`)}`),
  );
  return dueRows.parse(rows);
}

/**
 * Begins an expiry, and reads its progress. If one with this cutoff or a later one exists, or an earlier one is not
 * done, that one stays. @throws StoreError, as do all of these
 */
export async function openExpiry(
  db: Database,
  { tenantId, cutoffDay }: DueExpiry,
  startedAt: number,
): Promise<PersonalExpiry> {
  const begun = {
    cutoffDay,
    phase: "events" as const,
    startedAt,
    archivedBelow: 0,
    openObject: null,
    events: 0,
    assessments: 0,
  };
  const results = await runEssentialBatch(db, [
    db
      .insert(personalExpiries)
      .values({ tenantId, step: 0, nextLeaf: 0, nextObject: 0, ...begun })
      .onConflictDoUpdate({
        target: personalExpiries.tenantId,
        set: { ...begun, step: sql`${personalExpiries.step} + 1` },
        setWhere: sql`${personalExpiries.phase} = 'done' AND ${personalExpiries.cutoffDay} < ${cutoffDay}`,
      }),
    db.select().from(personalExpiries).where(eq(personalExpiries.tenantId, tenantId)),
  ]);
  return expiryRow.parse(results.at(-1))[0];
}

/** What a step changes in the progress. */
export type ExpiryChange = {
  readonly [Name in Exclude<keyof PersonalExpiry, "tenantId" | "step">]?:
    | PersonalExpiry[Name]
    | SQL<PersonalExpiry[Name]>;
};

/**
 * Changes the progress in one batch with what it reports.
 * @param work comes after the change, which so counts what is there before
 * @returns the new progress
 * @throws StaleReadError if another run has changed the progress meanwhile
 */
export async function changeExpiry(
  db: Database,
  { tenantId, step }: PersonalExpiry,
  change: ExpiryChange,
  work: readonly Statement[] = [],
): Promise<PersonalExpiry> {
  const isOfTenant = eq(personalExpiries.tenantId, tenantId);
  const isCurrent = sql`EXISTS (SELECT 1 FROM ${personalExpiries}
    WHERE ${and(isOfTenant, eq(personalExpiries.step, step))})`;
  const results = await runEssentialBatch(
    db,
    [
      requireCondition(db, isCurrent, staleRead),
      db
        .update(personalExpiries)
        .set({ ...change, step: step + 1 })
        .where(isOfTenant),
      ...work,
      db.select().from(personalExpiries).where(isOfTenant),
    ],
    deliveryTimeoutMs,
  );
  return expiryRow.parse(results.at(-1))[0];
}

/** The first leaf index that D1 has; the size of the tree if it has none. */
function firstLeafOf(tenantId: string): SQL {
  return sql`coalesce(
    (SELECT min(leaf_index) FROM audit_events WHERE tenant_id = ${tenantId}),
    (SELECT size FROM audit_trees WHERE tenant_id = ${tenantId}), 0)`;
}

/**
 * Removes the personal parts of the next events from D1 and counts them, up to the first event that arrived since the
 * cutoff. Everything else of these events stays, the digest and the name of the key among it.
 * @param limit of events that are read
 */
export async function expireEvents(
  db: Database,
  expiry: PersonalExpiry,
  limit: number,
): Promise<PersonalExpiry> {
  const { tenantId, nextLeaf, cutoffDay, startedAt } = expiry;
  const arrivedAt = arrivalOf(startedAt);
  const isFurther = sql`tenant_id = ${tenantId} AND leaf_index >= ${nextLeaf}`;
  // `kept` is the first event that stays.
  const [chunk, end, isLast] = [
    sql`(SELECT count(*) AS found, max(leaf_index) AS last,
        min(CASE WHEN arrived_at >= ${cutoffDay * dayMs} THEN leaf_index END) AS kept
      FROM (SELECT leaf_index, ${arrivedAt} AS arrived_at FROM audit_events
        WHERE ${isFurther} ORDER BY leaf_index LIMIT ${limit})) AS chunk`,
    sql`coalesce(chunk.kept, chunk.last + 1, ${nextLeaf})`,
    sql`(chunk.kept IS NOT NULL OR chunk.found < ${limit})`,
  ];
  const ofChunk = <T>(expression: SQL) => sql<T>`(SELECT ${expression} FROM ${chunk})`;
  const count = sql`(SELECT count(personal) FROM audit_events WHERE ${isFurther} AND leaf_index < ${end})`;
  const change: ExpiryChange = {
    nextLeaf: ofChunk(end),
    events: sql`${personalExpiries.events} + ${ofChunk(count)}`,
    phase: ofChunk(sql`iif(${isLast}, 'archive', 'events')`),
    archivedBelow: sql`${firstLeafOf(tenantId)}`,
  };
  const reached = sql`(SELECT next_leaf FROM ${personalExpiries} WHERE ${eq(personalExpiries.tenantId, tenantId)})`;
  const removal = db
    .update(auditEvents)
    .set({ personal: null })
    .where(
      and(
        eq(auditEvents.tenantId, tenantId),
        gte(auditEvents.leafIndex, nextLeaf),
        lt(auditEvents.leafIndex, reached),
        isNotNull(auditEvents.personal),
      ),
    );
  return await changeExpiry(db, expiry, change, [removal]);
}

/**
 * Deletes assessments that arrived before the cutoff, and counts them.
 * @param change what else changes in the progress
 * @param limit of assessments
 */
export async function expireAssessments(
  db: Database,
  expiry: PersonalExpiry,
  change: ExpiryChange,
  limit: number,
): Promise<PersonalExpiry> {
  const { tenantId, cutoffDay } = expiry;
  const some = sql`(SELECT id FROM assessments WHERE tenant_id = ${tenantId}
    AND id < ${firstIdOf(cutoffDay * dayMs)} ORDER BY id LIMIT ${limit})`;
  const count = sql<number>`${personalExpiries.assessments} + (SELECT count(*) FROM ${some})`;
  const deletion = db
    .delete(assessments)
    .where(and(eq(assessments.tenantId, tenantId), sql`${assessments.id} IN ${some}`));
  return await changeExpiry(db, expiry, { ...change, assessments: count }, [deletion]);
}

/** Ends the expiry, and files its event in the same batch. */
export async function endExpiry(
  db: Database,
  expiry: PersonalExpiry,
  events: readonly StampedEvent[],
): Promise<void> {
  const filing = events.length === 0 ? [] : [insertEvents(db, expiry.tenantId, events)];
  await changeExpiry(db, expiry, { phase: "done" }, filing);
}
