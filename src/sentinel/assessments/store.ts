/**
 * Assessments in D1. The guard delivers them and their verdicts in batches; a batch about a user who was erased
 * changes nothing. Reads serve the tenant's list and a guard that lost its history.
 */
import { and, desc, eq, gte, isNull, lt, not, or, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { DayKey } from "../../audit/personal-keys/day.ts";
import { restoreDigest, shortenDigest } from "../../crypto/short-hex.ts";
import { awaitStore, type Database, type Statement } from "../../db/client.ts";
import { findScanEnd } from "../../db/scan.ts";
import { hasLeft, isNotServedHere, oneRow, requireServedHere } from "../../db/tenant-fence.ts";
import {
  type DeliveredIdentity,
  type DeliveredUser,
  hasNewerRecord,
  isCurrent,
  isSameUser,
} from "../../identity/store.ts";
import type { AssessmentRecord, DecidedAssessment, VerdictRecord } from "../assessment.ts";
import { contextSchema } from "../context.ts";
import { type SessionEvidence, sessionEvidenceSchema } from "../evidence.ts";
import {
  type KnownSession,
  maxSessions,
  maxWeakSessions,
  type Verdict,
  verdicts,
} from "../history.ts";
import type { Kinds } from "../kinds.ts";
import type { Reason } from "../reason.ts";
import type { Recommendation } from "../score.ts";
import { type FindDayKeys, openEvidence, sealEvidence } from "../sealed-evidence.ts";
import { describeReasons } from "../signals/judgement.ts";
import { formatContent, parseContent, readStoredEvidence } from "../stored-assessment.ts";
import { assessments } from "../tables.ts";

function isAssessment(tenantId: string, id: string): SQL | undefined {
  return and(eq(assessments.tenantId, tenantId), eq(assessments.id, id));
}

/**
 * The hint `unlikely` makes SQLite use the index of identities. Without it SQLite would scan all assessments
 * of the tenant in the order of their ids.
 */
function isOfIdentity(identityId: string): SQL {
  return sql`unlikely(${assessments.identityId} = ${identityId})`;
}

/**
 * The columns with the content of a new row, as text. What does not fit the compact form is stored as older builds did:
 * a delivery must never fail because of its evidence.
 */
function formatColumns(record: DecidedAssessment) {
  try {
    const evidence = formatContent(record);
    return { evidence, reasons: "[]", degraded: "[]", policy: null };
  } catch {
    return {
      evidence: JSON.stringify(record.evidence),
      reasons: JSON.stringify(record.reasons),
      degraded: JSON.stringify(record.degraded),
      policy: JSON.stringify(record.policy),
    };
  }
}

/** Seals the evidence of an assessment for its delivery. */
export async function sealAssessment<Decided extends DecidedAssessment>(
  dayKey: DayKey,
  decided: Decided,
): Promise<Decided & Pick<AssessmentRecord, "sealedEvidence">> {
  const { evidence } = formatColumns(decided);
  return { ...decided, sealedEvidence: await sealEvidence(dayKey, decided, evidence) };
}

/** The columns of a new row, as text. */
function toStored(record: AssessmentRecord) {
  const { id, at, model, riskScore, recommendation, sealedEvidence } = record;
  const evidenceDigest = shortenDigest(record.evidenceDigest);
  const columns = { id, at, model, riskScore, recommendation, evidenceDigest };
  const content = formatColumns(record);
  return { ...columns, ...content, evidence: sealedEvidence ?? content.evidence };
}

/** Goes after `saveRecord` in the same batch. An assessment that exists already stays as it is. */
export function insertAssessments(
  db: Database,
  delivered: DeliveredUser,
  records: readonly AssessmentRecord[],
): Statement[] {
  if (records.length === 0) return [];
  const rows = records.map(toStored);
  const field = (name: keyof ReturnType<typeof toStored>) => sql.raw(`item.value ->> '${name}'`);
  // In the order of the table's columns.
  return [
    db.insert(assessments).select(sql`
      SELECT ${delivered.tenantId}, ${field("id")}, ${delivered.identityId}, ${field("at")},
        ${field("model")}, ${field("riskScore")}, ${field("recommendation")}, ${field("reasons")},
        ${field("degraded")}, ${field("evidence")}, ${field("evidenceDigest")}, ${field("policy")},
        '', NULL, NULL, NULL
      FROM json_each(${JSON.stringify(rows)}) AS item
      WHERE ${isSameUser(delivered)} AND NOT EXISTS (SELECT 1 FROM ${assessments} AS known
        WHERE known.tenant_id = ${delivered.tenantId} AND known.id = item.value ->> 'id')`),
  ];
}

/** Goes after `saveRecord` in the same batch. A verdict of an earlier delivery does not replace a later one. */
export function saveVerdicts(
  db: Database,
  delivered: DeliveredUser,
  records: readonly VerdictRecord[],
): Statement[] {
  return records.map(({ assessmentId, verdict, source, at }) =>
    db
      .update(assessments)
      .set({ verdict, verdictSource: source, verdictAt: at })
      .where(
        and(
          isAssessment(delivered.tenantId, assessmentId),
          isSameUser(delivered),
          or(isCurrent(delivered), isNull(assessments.verdict), lt(assessments.verdictAt, at)),
        ),
      ),
  );
}

const session = {
  id: assessments.id,
  identityId: assessments.identityId,
  at: assessments.at,
  verdict: assessments.verdict,
  evidence: assessments.evidence,
  score: assessments.riskScore,
  recommendation: assessments.recommendation,
};

const sessionEvidence = z.object({
  context: contextSchema,
  device: z.object({ id: z.string().exactOptional() }).exactOptional(),
});

/** Rows without a readable context, such as those of older models, are left out. */
function sessionsOf(
  rows: readonly {
    readonly id: string | null;
    readonly at: number | null;
    readonly verdict: Verdict | null;
    readonly evidence: string | null;
    readonly score: number | null;
    readonly recommendation: Recommendation | null;
  }[],
): KnownSession[] {
  return rows.flatMap(({ evidence, id, at, verdict, score, recommendation }) => {
    if (id === null || at === null || evidence === null) return [];
    const parsed = sessionEvidence.safeParse(readStoredEvidence(evidence));
    if (!parsed.success) return [];
    const { context, device } = parsed.data;
    const risk = score === null || recommendation === null ? undefined : { score, recommendation };
    return [
      {
        id,
        at,
        verdict,
        context,
        ...(risk && { risk }),
        ...(device?.id === undefined ? {} : { deviceId: device.id }),
      },
    ];
  });
}

/** Allowed sessions without a verdict. One of each day will count, so some more are read. */
const maxAllowedFound = 2 * maxWeakSessions;

/**
 * Finds the history of an identity, the oldest session first, for a guard that lost it. A session whose evidence has
 * expired is left out.
 * @throws StoreError; FencedTenantError if the tenant has left the database
 */
export async function findSessions(
  db: Database,
  tenantId: string,
  identityId: string,
  findKeys: FindDayKeys,
): Promise<KnownSession[]> {
  const newest = async (outcome: SQL | undefined, limit: number) =>
    await awaitStore(
      db
        .select({ ...session, isElsewhere: isNotServedHere(tenantId) })
        .from(oneRow)
        .leftJoin(
          assessments,
          and(eq(assessments.tenantId, tenantId), isOfIdentity(identityId), outcome),
        )
        .orderBy(desc(assessments.id))
        .limit(limit),
    );
  const isAllowed = and(isNull(assessments.verdict), eq(assessments.recommendation, "allow"));
  const found = await Promise.all([
    ...verdicts.map((verdict) => newest(eq(assessments.verdict, verdict), maxSessions[verdict])),
    newest(isAllowed, maxAllowedFound),
  ]);
  const rows = found.flat();
  requireServedHere(rows);
  const opened = await openEvidence(tenantId, rows, findKeys);
  return sessionsOf(opened).toSorted((left, right) => left.at - right.at);
}

/** @throws as `findSessions` */
export async function findSession(
  db: Database,
  tenantId: string,
  identityId: string,
  assessmentId: string,
  findKeys: FindDayKeys,
): Promise<KnownSession | undefined> {
  const rows = await awaitStore(
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
  return sessionsOf(await openEvidence(tenantId, rows, findKeys))[0];
}

export interface AssessmentFilter {
  readonly id?: string | undefined;
  readonly identityId?: string | undefined;
  readonly recommendation?: Recommendation | undefined;
  /** `none`: the session has no verdict yet. */
  readonly verdict?: Verdict | "none" | undefined;
  readonly minScore?: number | undefined;
  /** The lowest id, inclusive: a bound by the time of arrival (see firstIdOf). */
  readonly fromId?: string | undefined;
  /** Bounds of `at`, Unix ms, the upper one exclusive. */
  readonly fromAt?: number | undefined;
  readonly belowAt?: number | undefined;
  /** Ids below this one. */
  readonly belowIds: readonly string[];
}

type AssessmentRow = typeof assessments.$inferSelect;

/** A stored assessment. The evidence is null if it is not of the form of the current model, or has expired. */
export interface StoredAssessment
  extends Omit<AssessmentRow, "evidence" | "contextDigest" | "reasons"> {
  readonly evidence: SessionEvidence | null;
  readonly reasons: readonly Reason[];
  /** Undefined if an older build computed it. */
  readonly kinds?: Kinds | undefined;
}

function toAssessment(row: AssessmentRow): StoredAssessment {
  const { evidence: text, contextDigest: _contextDigest, ...columns } = row;
  const evidenceDigest = row.evidenceDigest === null ? null : restoreDigest(row.evidenceDigest);
  const content = parseContent(text);
  if (content === undefined) {
    const evidence = sessionEvidenceSchema.safeParse(readStoredEvidence(text)).data ?? null;
    return { ...columns, evidenceDigest, evidence };
  }
  const { evidence, policy, degraded, kinds } = content;
  const reasons = describeReasons(evidence, content.reasons, policy);
  return { ...columns, evidenceDigest, evidence, policy, degraded, reasons, kinds };
}

/** The newest assessments first, and the id after which the next page begins; null on the last. */
export interface AssessmentPage {
  readonly rows: readonly StoredAssessment[];
  readonly nextAfter: string | null;
}

function filterConditionsOf(filter: AssessmentFilter): SQL[] {
  const { recommendation, verdict, minScore, fromAt, belowAt } = filter;
  const wanted: SQL[] = [];
  if (fromAt !== undefined) wanted.push(gte(assessments.at, fromAt));
  if (belowAt !== undefined) wanted.push(lt(assessments.at, belowAt));
  if (recommendation !== undefined) wanted.push(eq(assessments.recommendation, recommendation));
  if (verdict === "none") wanted.push(isNull(assessments.verdict));
  else if (verdict !== undefined) wanted.push(eq(assessments.verdict, verdict));
  if (minScore !== undefined) wanted.push(gte(assessments.riskScore, minScore));
  return wanted;
}

/**
 * Reads a page, and for it 20,000 assessments at most. With a filter the page may be short; the next one
 * continues from there. @throws StoreError
 */
export async function listAssessments(
  db: Database,
  tenantId: string,
  filter: AssessmentFilter,
  limit: number,
  findKeys: FindDayKeys,
): Promise<AssessmentPage> {
  const conditions: SQL[] = [eq(assessments.tenantId, tenantId)];
  if (filter.id !== undefined) conditions.push(eq(assessments.id, filter.id));
  if (filter.identityId !== undefined) conditions.push(isOfIdentity(filter.identityId));
  if (filter.fromId !== undefined) conditions.push(gte(assessments.id, filter.fromId));
  for (const id of filter.belowIds) conditions.push(lt(assessments.id, id));
  const wanted = filterConditionsOf(filter);
  const newestFirst = desc(assessments.id);
  const end =
    wanted.length === 0
      ? undefined
      : await findScanEnd(db, assessments, assessments.id, conditions, newestFirst);
  if (end !== undefined) conditions.push(gte(assessments.id, end));
  const found = await awaitStore(
    db
      .select()
      .from(assessments)
      .where(and(...conditions, ...wanted))
      .orderBy(newestFirst)
      .limit(limit + 1),
  );
  const opened = await openEvidence(tenantId, found.slice(0, limit), findKeys);
  const rows = opened.map(toAssessment);
  const nextAfter = found.length > limit ? (rows.at(-1)?.id ?? null) : (end ?? null);
  return { rows, nextAfter };
}

/** Deletes all assessments of an erased identity. Goes after `saveRecord` in the same batch. */
export function deleteAssessments(db: Database, erased: DeliveredIdentity): Statement {
  return db
    .delete(assessments)
    .where(
      and(
        eq(assessments.tenantId, erased.tenantId),
        isOfIdentity(erased.identityId),
        isCurrent(erased),
      ),
    );
}

/** Deletes them from a database that the tenant has left. Goes before `deleteLeftRecord` in the same batch. */
export function deleteLeftAssessments(db: Database, erased: DeliveredIdentity): Statement {
  const { tenantId, identityId } = erased;
  return db
    .delete(assessments)
    .where(
      and(
        eq(assessments.tenantId, tenantId),
        isOfIdentity(identityId),
        hasLeft(tenantId),
        not(hasNewerRecord(erased)),
      ),
    );
}
