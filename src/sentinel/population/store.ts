/** The confirmed sessions that a population is counted from, and when it was counted, in D1. */
import { and, eq, exists, gt, isNull, lt, or, sql } from "drizzle-orm";
import { z } from "zod";
import { firstIdOf } from "../../crypto/id.ts";
import { awaitStore, type Database, type Statement } from "../../db/client.ts";
import { isResident, selectResidentTenants } from "../../db/tenant-fence.ts";
import { orderInTurn } from "../../db/turns.ts";
import { type DeliveredIdentity, isCurrent } from "../../identity/store.ts";
import { contextSchema } from "../context.ts";
import { behaviourEvidenceSchema } from "../evidence.ts";
import { type FindDayKeys, openEvidence } from "../sealed-evidence.ts";
import { readStoredEvidence } from "../stored-assessment.ts";
import { assessments, populations } from "../tables.ts";
import type { ConfirmedSession } from "./population.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
/** From this number on the counts change slowly, and counting once a day is enough. */
const manyLogins = 1_000;
/** Confirmed sessions that one statement reads. */
const rowsPerPage = 1_000;

/** A tenant whose population is due, and the recounts that were requested before the count begins. */
export interface DueTenant {
  readonly tenantId: string;
  readonly recounts: number;
}

/**
 * Finds tenants whose population is due, in turn. A population is due if it is an hour old (a day if
 * there are many logins) and a session was assessed since. @throws StoreError
 */
export async function findDueTenants(
  db: Database,
  now: number,
  limit: number,
): Promise<DueTenant[]> {
  const { builtAt, logins } = populations;
  const tenantIdColumn = sql<string>`resident.id`;
  const counted = sql`SELECT ${populations.tenantId} FROM ${populations} WHERE ${isResident(populations.tenantId)}`;
  const residents = sql`(SELECT id FROM ${selectResidentTenants(assessments)} UNION ${counted}) AS resident`;
  // Ids begin with 48 bits of time, so a time is a lower bound of ids.
  const assessedSince = db
    .select({ one: sql`1` })
    .from(assessments)
    .where(
      and(
        eq(assessments.tenantId, tenantIdColumn),
        gt(assessments.id, sql`printf('%012x', coalesce(${builtAt}, 0))`),
      ),
    );
  return await awaitStore(
    db
      .select({
        tenantId: tenantIdColumn,
        recounts: sql<number>`coalesce(${populations.recounts}, 0)`,
      })
      .from(residents)
      .leftJoin(populations, eq(populations.tenantId, tenantIdColumn))
      .where(
        and(
          or(
            isNull(builtAt),
            lt(builtAt, now - dayMs),
            and(lt(builtAt, now - hourMs), lt(logins, manyLogins)),
          ),
          or(eq(builtAt, recountMark), exists(assessedSince)),
        ),
      )
      .orderBy(orderInTurn("population", tenantIdColumn))
      .limit(limit),
  );
}

/** Marks a tenant in which a person was erased: it is due even if nothing was assessed since. */
const recountMark = 0;

/**
 * Makes the next run count the tenant again, without the erased person, also if a count is under way now. Goes
 * after `saveRecord` in the same batch, and before the person's assessments are deleted: a tenant that was never
 * counted needs a mark only if the person has some.
 */
export function recountPopulation(db: Database, erased: DeliveredIdentity): Statement {
  const { tenantId, identityId } = erased;
  return db
    .insert(populations)
    .select(
      sql`SELECT ${tenantId}, ${recountMark}, 0, 1 WHERE ${isCurrent(erased)} AND (
        EXISTS (SELECT 1 FROM ${populations} WHERE ${populations.tenantId} = ${tenantId})
        OR EXISTS (SELECT 1 FROM ${assessments} INDEXED BY assessments_by_identity
          WHERE ${assessments.tenantId} = ${tenantId} AND ${assessments.identityId} = ${identityId}))`,
    )
    .onConflictDoUpdate({
      target: populations.tenantId,
      set: { builtAt: recountMark, recounts: sql`${populations.recounts} + 1` },
    });
}

const evidenceSchema = z.object({
  context: contextSchema,
  behaviour: behaviourEvidenceSchema.nullable(),
});

export interface ConfirmedPage {
  readonly sessions: readonly ConfirmedSession[];
  /** The id below which the next page begins; null: there is none. */
  readonly below: string | null;
}

const confirmedRowSchema = z.object({
  id: z.string(),
  identityId: z.string(),
  at: z.int(),
  evidence: z.string(),
});

/** The sessions that count. Times are in Unix ms. */
export interface CountedSessions {
  readonly from: number;
  /** When the identity was created at the latest. */
  readonly joinedBefore: number;
}

/**
 * A page of the sessions confirmed since a time, the newest first. Sessions of older models are left out. The
 * partial index keeps other sessions, however many, from slowing this down; SQLite chooses neither it nor the
 * order of the tables by itself. A session whose evidence has expired is left out.
 * @throws StoreError
 */
export async function listConfirmedSessions(
  db: Database,
  tenantId: string,
  { from, joinedBefore }: CountedSessions,
  below: string | null,
  findKeys: FindDayKeys,
): Promise<ConfirmedPage> {
  const rows = await awaitStore(
    db.all(sql`
      SELECT sessions.id, identity_id AS identityId, at, evidence
      FROM assessments AS sessions INDEXED BY assessments_confirmed CROSS JOIN identities AS accounts
      WHERE sessions.tenant_id = ${tenantId} AND verdict = 'legitimate'
        AND sessions.id >= ${firstIdOf(Math.max(0, from))} AND sessions.id < ${below ?? "g"}
        AND accounts.tenant_id = sessions.tenant_id AND accounts.id = identity_id
        AND accounts.created_at <= ${joinedBefore}
      ORDER BY sessions.id DESC LIMIT ${rowsPerPage}`),
  );
  const found = rows.map((row) => confirmedRowSchema.parse(row));
  const isFull = found.length === rowsPerPage;
  const sessions = await openEvidence(tenantId, found, findKeys);
  return {
    below: isFull ? (found.at(-1)?.id ?? null) : null,
    sessions: sessions.flatMap(({ identityId, at, evidence }): ConfirmedSession[] => {
      const parsed = evidenceSchema.safeParse(readStoredEvidence(evidence));
      return parsed.success ? [{ identityId, at, ...parsed.data }] : [];
    }),
  };
}

/**
 * Records that a tenant was counted, unless another count was requested or recorded since this one began.
 * @throws StoreError
 */
export async function savePopulation(
  db: Database,
  record: DueTenant & { readonly builtAt: number; readonly logins: number },
): Promise<void> {
  await awaitStore(
    db
      .insert(populations)
      .values(record)
      .onConflictDoUpdate({
        target: populations.tenantId,
        set: record,
        setWhere: sql`${populations.recounts} = ${record.recounts}
          AND ${populations.builtAt} < ${record.builtAt}`,
      }),
  );
}
