/** Assessments in D1. */
import { and, desc, eq, gte, isNull, lt, type SQL, sql } from "drizzle-orm";
import { firstIdAt } from "../../crypto/id.ts";
import {
  isResident,
  isNotServedHere,
  oneRow,
  requireServedHere,
  residentTenants,
} from "../../db/tenant-fence.ts";
import { type Database, runBatch, type Statement, withinStoreTimeout } from "../../db/client.ts";
import { scanEnd } from "../../db/scan.ts";
import { identities, isErased } from "../../identity/tables.ts";
import type { AssessmentRecord, VerdictRecord } from "../assessment.ts";
import { contextSchema } from "../context.ts";
import {
  type KnownSession,
  maxSessionAgeMs,
  maxSessions,
  type Verdict,
  verdicts,
} from "../history.ts";
import type { Recommendation } from "../score.ts";
import { assessments } from "../tables.ts";

function isAssessment(tenantId: string, id: string): SQL | undefined {
  return and(eq(assessments.tenantId, tenantId), eq(assessments.id, id));
}

/**
 * For the planner: few rows of a tenant are one identity's, so that it goes by the index of identities
 * and not through all of the tenant in the order of ids.
 */
function isOfIdentity(identityId: string): SQL {
  return sql`unlikely(${assessments.identityId} = ${identityId})`;
}

/** What a delivery brings, and of which version of the identity it is. */
export interface DeliveredIdentity {
  readonly tenantId: string;
  readonly identityId: string;
  readonly version: number;
}

/** A delivery that comes too late, after a newer one or an erasure, changes nothing any more. */
function isCurrent({ tenantId, identityId, version }: DeliveredIdentity): SQL {
  return sql`EXISTS (SELECT 1 FROM ${identities} WHERE ${identities.tenantId} = ${tenantId}
    AND ${identities.id} = ${identityId} AND ${identities.version} = ${version})`;
}

/** After `saveRecord` in the same batch. One that is already there stays as it is. */
export function insertAssessments(
  db: Database,
  delivered: DeliveredIdentity,
  records: readonly AssessmentRecord[],
): Statement[] {
  if (records.length === 0) return [];
  const rows = records.map((record) => ({
    ...record,
    reasons: JSON.stringify(record.reasons),
    degraded: JSON.stringify(record.degraded),
    evidence: JSON.stringify(record.evidence),
    policy: JSON.stringify(record.policy),
  }));
  const field = (name: keyof AssessmentRecord) => sql.raw(`item.value ->> '${name}'`);
  // In the order of the table's columns.
  return [
    db.insert(assessments).select(sql`
      SELECT ${delivered.tenantId}, ${field("id")}, ${delivered.identityId}, ${field("at")},
        ${field("model")}, ${field("riskScore")}, ${field("recommendation")}, ${field("reasons")},
        ${field("degraded")}, ${field("evidence")}, ${field("evidenceDigest")}, ${field("policy")},
        ${field("contextDigest")}, NULL, NULL, NULL
      FROM json_each(${JSON.stringify(rows)}) AS item
      WHERE ${isCurrent(delivered)} AND NOT EXISTS (SELECT 1 FROM ${assessments} AS known
        WHERE known.tenant_id = ${delivered.tenantId} AND known.id = item.value ->> 'id')`),
  ];
}

export function saveVerdicts(
  db: Database,
  delivered: DeliveredIdentity,
  records: readonly VerdictRecord[],
): Statement[] {
  return records.map(({ assessmentId, verdict, source, at }) =>
    db
      .update(assessments)
      .set({ verdict, verdictSource: source, verdictAt: at })
      .where(and(isAssessment(delivered.tenantId, assessmentId), isCurrent(delivered))),
  );
}

const session = {
  id: assessments.id,
  at: assessments.at,
  verdict: assessments.verdict,
  context: sql<string | null>`${assessments.evidence} -> '$.context'`,
};

/** What cannot be read, or is of a model that kept no context, is no session to learn from. */
function sessionsOf(
  rows: readonly {
    readonly id: string | null;
    readonly at: number | null;
    readonly verdict: Verdict | null;
    readonly context: string | null;
  }[],
): KnownSession[] {
  return rows.flatMap(({ context, id, at, verdict }) => {
    if (id === null || at === null) return [];
    const parsed = contextSchema.safeParse(context === null ? null : JSON.parse(context));
    return parsed.success ? [{ id, at, verdict, context: parsed.data }] : [];
  });
}

/**
 * What an identity is known by, for a guard that lost it; in the order of time.
 * @throws StoreError; FencedTenantError where the tenant has left the database
 */
export async function findSessions(
  db: Database,
  tenantId: string,
  identityId: string,
): Promise<KnownSession[]> {
  const newest = async (verdict: Verdict) =>
    await withinStoreTimeout(
      db
        .select({ ...session, isElsewhere: isNotServedHere(tenantId) })
        .from(oneRow)
        .leftJoin(
          assessments,
          and(
            eq(assessments.tenantId, tenantId),
            isOfIdentity(identityId),
            eq(assessments.verdict, verdict),
          ),
        )
        .orderBy(desc(assessments.id))
        .limit(maxSessions[verdict]),
    );
  const rows = (await Promise.all(verdicts.map(newest))).flat();
  requireServedHere(rows);
  return sessionsOf(rows).toSorted((left, right) => left.at - right.at);
}

/** @throws as `findSessions` */
export async function findSession(
  db: Database,
  tenantId: string,
  identityId: string,
  assessmentId: string,
): Promise<KnownSession | undefined> {
  const rows = await withinStoreTimeout(
    db
      .select({ ...session, isElsewhere: isNotServedHere(tenantId) })
      .from(oneRow)
      .leftJoin(
        assessments,
        and(isAssessment(tenantId, assessmentId), eq(assessments.identityId, identityId)),
      )
      .limit(1),
  );
  requireServedHere(rows);
  return sessionsOf(rows)[0];
}

export interface AssessmentFilter {
  readonly identityId?: string | undefined;
  readonly recommendation?: Recommendation | undefined;
  /** `none`: nobody has said what became of the session. */
  readonly verdict?: Verdict | "none" | undefined;
  readonly minScore?: number | undefined;
  /** Ids from this one on, inclusive: a bound by time (see firstIdAt). */
  readonly fromId?: string | undefined;
  /** Ids below this one. */
  readonly belowIds: readonly string[];
}

export type StoredAssessment = typeof assessments.$inferSelect;

/** The newest assessments first, and the id after which the next page begins; null on the last. */
export interface AssessmentPage {
  readonly rows: readonly StoredAssessment[];
  readonly nextAfter: string | null;
}

function filterConditionsOf({ recommendation, verdict, minScore }: AssessmentFilter): SQL[] {
  const wanted: SQL[] = [];
  if (recommendation !== undefined) wanted.push(eq(assessments.recommendation, recommendation));
  if (verdict === "none") wanted.push(isNull(assessments.verdict));
  else if (verdict !== undefined) wanted.push(eq(assessments.verdict, verdict));
  if (minScore !== undefined) wanted.push(gte(assessments.riskScore, minScore));
  return wanted;
}

/**
 * A page looks at 20,000 assessments at most; with a filter it may be short, and the next one goes on
 * from there. @throws StoreError
 */
export async function listAssessments(
  db: Database,
  tenantId: string,
  filter: AssessmentFilter,
  limit: number,
): Promise<AssessmentPage> {
  const conditions: SQL[] = [eq(assessments.tenantId, tenantId)];
  if (filter.identityId !== undefined) conditions.push(isOfIdentity(filter.identityId));
  if (filter.fromId !== undefined) conditions.push(gte(assessments.id, filter.fromId));
  for (const id of filter.belowIds) conditions.push(lt(assessments.id, id));
  const wanted = filterConditionsOf(filter);
  const newestFirst = desc(assessments.id);
  const end =
    wanted.length === 0
      ? undefined
      : await scanEnd(db, assessments, assessments.id, conditions, newestFirst);
  if (end !== undefined) conditions.push(gte(assessments.id, end));
  const found = await withinStoreTimeout(
    db
      .select()
      .from(assessments)
      .where(and(...conditions, ...wanted))
      .orderBy(newestFirst)
      .limit(limit + 1),
  );
  const rows = found.slice(0, limit);
  const nextAfter = found.length > limit ? (rows.at(-1)?.id ?? null) : (end ?? null);
  return { rows, nextAfter };
}

/** Removes what was assessed about an identity. */
export function deleteAssessments(db: Database, tenantId: string, identityId: string): Statement {
  return db
    .delete(assessments)
    .where(and(eq(assessments.tenantId, tenantId), isOfIdentity(identityId)));
}

/**
 * Removes assessments past their retention, each tenant's by its primary key, and those of erased
 * identities: a delivery that arrived after the erasure may have left one.
 */
export async function purgeAssessments(db: Database, now: number): Promise<void> {
  const oldest = firstIdAt(Math.max(0, now - maxSessionAgeMs));
  const { tenantId, identityId } = assessments;
  const erasedOnes = sql`SELECT ${identities.tenantId}, ${identities.id} FROM ${identities} 
    WHERE ${isErased} AND ${isResident(identities.tenantId)}`;
  await runBatch(db, [
    db
      .delete(assessments)
      .where(and(sql`${tenantId} IN ${residentTenants(assessments)}`, lt(assessments.id, oldest))),
    db.delete(assessments).where(sql`(${tenantId}, ${identityId}) IN (${erasedOnes})`),
  ]);
}
