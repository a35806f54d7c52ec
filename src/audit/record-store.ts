/**
 * The record of an identity, and what its events add to it. A plain right TOTP code changes only the last time step
 * and when it was accepted. Its event has both, so the record is not written for it: each written row costs money. A
 * guard that rehydrates reads the record with what its newest events add, and so does the archive before it takes
 * these events away.
 */
import { and, eq, isNotNull, lt, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { z } from "zod";
import { awaitStore, type Database, type Statement } from "../db/client.ts";
import { prepareStatement } from "../db/prepared.ts";
import { isNotServedHere, isResident, oneRow, requireServedHere } from "../db/tenant-fence.ts";
import type { IdentityRecord } from "../identity/store.ts";
import { identities } from "../identity/tables.ts";
import { auditEvents } from "./tables.ts";

/**
 * The event of the last accepted code is among so many of the newest events, or the record has the code: a delivery
 * writes the record if it finds otherwise. Only guards file events about users.
 */
const maxNewestEvents = 20;
/** A delivery that the queue has held up may file events with later times, so a guard that rehydrates reads more. */
const maxReadEvents = 200;

function newestEventsOf(
  tenantId: SQLWrapper,
  identityId: SQLWrapper,
  limit = maxNewestEvents,
): SQL {
  const { secretId, timeStep, at, leafIndex } = auditEvents;
  return sql`(SELECT ${secretId}, ${timeStep}, ${at}, ${leafIndex} FROM ${auditEvents}
    WHERE ${auditEvents.tenantId} = ${tenantId} AND ${auditEvents.targetId} = ${identityId}
    ORDER BY ${auditEvents.id} DESC LIMIT ${sql.raw(String(limit))})`;
}

/**
 * The record is written at least once in so many versions. A guard that has lost its storage continues further above
 * the record's version than this, so that no version is used twice; see Rehydration.
 */
const maxVersionsBehind = 500;

const acceptedPaths = sql.raw(
  "'$.totp.lastTimeStep', '$.totp.lastUsedAt', '$.lastVerifiedAt', '$.lastMethod'",
);
const recordedStep = sql`coalesce(${identities.state} ->> '$.totp.lastTimeStep', -1)`;

/** Whether the newest events have what an accepted code has changed in the new record. */
const isInEvents = sql`${recordedStep} < excluded.state ->> '$.totp.lastTimeStep'
  AND excluded.state ->> '$.lastMethod' = 'totp'
  AND EXISTS (SELECT 1 FROM ${newestEventsOf(sql`excluded.tenant_id`, sql`excluded.id`)} AS event
    WHERE event.secret_id = excluded.state ->> '$.totp.id'
      AND event.time_step = excluded.state ->> '$.totp.lastTimeStep'
      AND event.at = excluded.state ->> '$.lastVerifiedAt'
      AND event.at = excluded.updated_at)`;

/** Whether D1 has everything that is in the new record, in its own record and in the newest events. May be null. */
const isKnown = sql`${identities.externalId} IS excluded.external_id
  AND ${identities.status} = excluded.status
  AND ${identities.lockedUntil} IS excluded.locked_until
  AND ${identities.createdAt} = excluded.created_at
  AND CASE
    WHEN ${identities.state} IS excluded.state THEN ${identities.updatedAt} = excluded.updated_at
    WHEN json_valid(${identities.state}) THEN
      json_remove(${identities.state}, ${acceptedPaths}) = json_remove(excluded.state, ${acceptedPaths})
      AND ${isInEvents}
    ELSE 0 END`;

interface SavedRecord extends IdentityRecord {
  /** Whether D1 needs the version, also if it has everything else. */
  readonly needsVersion: boolean;
}

/**
 * Writes the record unless D1 has a newer version, because deliveries may repeat and overtake each other, or has
 * everything that is in it. Goes after `insertEvents` in the same batch.
 */
export const saveRecord = prepareStatement<SavedRecord>((db, value) =>
  db
    .insert(identities)
    .values({
      tenantId: value("tenantId"),
      id: value("id"),
      externalId: value("externalId"),
      status: value("status"),
      lockedUntil: value("lockedUntil"),
      createdAt: value("createdAt"),
      updatedAt: value("updatedAt"),
      version: value("version"),
      state: value("state"),
    })
    .onConflictDoUpdate({
      target: [identities.tenantId, identities.id],
      set: {
        externalId: sql`excluded.external_id`,
        status: sql`excluded.status`,
        lockedUntil: sql`excluded.locked_until`,
        createdAt: sql`excluded.created_at`,
        updatedAt: sql`excluded.updated_at`,
        version: sql`excluded.version`,
        state: sql`excluded.state`,
      },
      setWhere: sql`${identities.version} <= excluded.version
        AND (${value("needsVersion")} OR (${isKnown}) IS NOT 1
          OR ${identities.version} + ${sql.raw(String(maxVersionsBehind))} <= excluded.version)`,
    }),
);

const acceptedCodes = z.array(z.object({ secretId: z.string(), timeStep: z.int(), at: z.int() }));

/** A code that was accepted, perhaps after the record was written, and when, Unix ms. */
export type AcceptedCode = Readonly<z.infer<typeof acceptedCodes>[number]>;

/** What D1 knows of an identity: its record, and the codes of its newest events. */
interface KnownIdentity {
  readonly record: IdentityRecord | undefined;
  readonly codes: readonly AcceptedCode[];
}

/**
 * Finds both in one statement: in between, the archive could move a code from the events to the record.
 * @throws StoreError; FencedTenantError if the database does not serve the tenant
 */
export async function findRecordWithCodes(
  db: Database,
  tenantId: string,
  identityId: string,
): Promise<KnownIdentity> {
  const newest = newestEventsOf(sql`${tenantId}`, sql`${identityId}`, maxReadEvents);
  const codes = sql<string>`(SELECT
    json_group_array(json_object('secretId', secret_id, 'timeStep', time_step, 'at', at))
    FROM ${newest} AS event WHERE time_step IS NOT NULL)`;
  const isIdentity = and(eq(identities.tenantId, tenantId), eq(identities.id, identityId));
  const rows = await awaitStore(
    db
      .select({ record: identities, codes, isElsewhere: isNotServedHere(tenantId) })
      .from(oneRow)
      .leftJoin(identities, isIdentity)
      .limit(1),
  );
  requireServedHere(rows);
  const [found] = rows;
  return {
    record: found?.record ?? undefined,
    codes: acceptedCodes.parse(JSON.parse(found?.codes ?? "[]")),
  };
}

/**
 * Adds to the records what the events below a leaf index say of accepted codes, unless a newer event says it. Goes
 * before the deletion of these events in the same batch.
 */
export function recordAcceptedCodes(db: Database, tenantId: string, leafIndex: number): Statement {
  const { state } = identities;
  const code = db
    .select({
      targetId: auditEvents.targetId,
      secretId: auditEvents.secretId,
      timeStep: sql<number>`max(${auditEvents.timeStep})`.as("newest_step"),
      // SQLite takes it from the row that has the maximum.
      at: auditEvents.at,
    })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.tenantId, tenantId),
        lt(auditEvents.leafIndex, leafIndex),
        isNotNull(auditEvents.timeStep),
      ),
    )
    .groupBy(auditEvents.targetId, auditEvents.secretId)
    .as("code");
  return db
    .update(identities)
    .set({
      state: sql`json_set(${state}, '$.totp.lastTimeStep', ${code.timeStep}, '$.totp.lastUsedAt', ${code.at}, '$.lastVerifiedAt', ${code.at}, '$.lastMethod', 'totp')`,
      updatedAt: sql`${code.at}`,
    })
    .from(code)
    .where(
      and(
        eq(identities.tenantId, tenantId),
        eq(identities.id, code.targetId),
        sql`json_valid(${state})`,
        sql`${state} ->> '$.totp.id' = ${code.secretId}`,
        lt(recordedStep, code.timeStep),
        sql`NOT EXISTS (SELECT 1
          FROM ${newestEventsOf(identities.tenantId, identities.id)} AS event
          WHERE event.leaf_index >= ${leafIndex} AND event.secret_id = ${code.secretId}
            AND event.time_step > ${code.timeStep})`,
        isResident(identities.tenantId),
      ),
    );
}
