/** Identities in D1: the directory, and the record from which an empty guard rehydrates. */
import { and, asc, eq, gt, isNull, lt, lte, ne, not, or, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { Owner } from "../crypto/seal-context.ts";
import { awaitStore, type Database, requestTimeoutMs, type Statement } from "../db/client.ts";
import { deleteWhere } from "../db/delete-in-steps.ts";
import { prepareStatement } from "../db/prepared.ts";
import { findScanEnd } from "../db/scan.ts";
import {
  hasLeft,
  isNotServedHere,
  isResident,
  oneRow,
  requireServedHere,
} from "../db/tenant-fence.ts";
import { identities, isErased } from "./tables.ts";

/** Times are Unix ms. */
export interface IdentityRecord {
  readonly tenantId: string;
  readonly id: string;
  readonly externalId: string | null;
  readonly status: "active" | "suspended" | "erased";
  readonly lockedUntil: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly version: number;
  readonly state: string | null;
}

/** How long a tombstone is kept: longer than D1 accepts a batch that is late (`maxLatenessMs`). */
export const tombstoneLifetimeMs = 24 * 60 * 60 * 1000;

function isIdentity(tenantId: string, id: string): SQL | undefined {
  return and(eq(identities.tenantId, tenantId), eq(identities.id, id));
}

/** @throws StoreError; FencedTenantError if the database does not serve the tenant */
export async function findRecord(
  db: Database,
  tenantId: string,
  id: string,
  timeoutMs = requestTimeoutMs,
): Promise<IdentityRecord | undefined> {
  const rows = await awaitStore(
    db
      .select({ record: identities, isElsewhere: isNotServedHere(tenantId) })
      .from(oneRow)
      .leftJoin(identities, isIdentity(tenantId, id))
      .limit(1),
    timeoutMs,
  );
  requireServedHere(rows);
  return rows[0]?.record ?? undefined;
}

/** The version of a record, and whether it is a tombstone. */
export interface RecordVersion {
  readonly version: number;
  readonly isErased: boolean;
}

/** Finds the versions of many records at once. @returns them by identity id @throws as `findRecord` */
export async function findRecordVersions(
  db: Database,
  tenantId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, RecordVersion>> {
  const isWanted = sql`${identities.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const { id, version, state } = identities;
  const rows = await awaitStore(
    db
      .select({
        record: { id, version, isErased: sql<number>`${state} IS NULL` },
        isElsewhere: isNotServedHere(tenantId),
      })
      .from(oneRow)
      .leftJoin(identities, and(eq(identities.tenantId, tenantId), isWanted)),
  );
  requireServedHere(rows);
  return new Map(
    rows.flatMap(({ record }) =>
      record === null
        ? []
        : [[record.id, { version: record.version, isErased: record.isErased === 1 }]],
    ),
  );
}

/** Whether the database has a record of the identity that is not a tombstone. */
export function hasLivingRecord(tenantId: string, id: string): SQL {
  return sql`EXISTS (SELECT 1 FROM ${identities}
    WHERE ${isIdentity(tenantId, id)} AND ${ne(identities.status, "erased")})`;
}

/** Counts a tenant's identities, without tombstones. Reads a row for each. @throws StoreError */
export async function countIdentities(db: Database, tenantId: string): Promise<number> {
  const isCounted = and(eq(identities.tenantId, tenantId), ne(identities.status, "erased"));
  return await awaitStore(db.$count(identities, isCounted));
}

const lackingRecords = z.object({ results: z.array(z.object({ position: z.int() })) });

/** Reads the result of `findLackingRecords`. */
export function readLackingRecords(result: unknown): ReadonlySet<number> {
  return new Set(lackingRecords.parse(result).results.map(({ position }) => position));
}

/** Finds the deliveries whose record D1 does not have, or has in a newer version: their positions in the list. */
export function findLackingRecords(
  db: Database,
  delivered: readonly DeliveredIdentity[],
): Statement {
  return selectLackingRecords(db, { delivered: JSON.stringify(delivered) });
}

const selectLackingRecords = prepareStatement<{ readonly delivered: string }>((db, value) => {
  const field = (name: keyof DeliveredIdentity) => sql.raw(`item.value ->> '${name}'`);
  return db
    .select({ position: sql<number>`item.key`.as("position") })
    .from(sql`json_each(${value("delivered")}) AS item`)
    .where(
      sql`NOT EXISTS (SELECT 1 FROM ${identities} WHERE ${identities.tenantId} = ${field("tenantId")}
        AND ${identities.id} = ${field("identityId")} AND ${identities.version} <= ${field("version")})`,
    );
});

/**
 * Writes the record if D1 has an older version of it, of the same user. For a delivery that may be older than
 * tombstones, after which nothing shows any more that the user was erased.
 */
export function updateRecord(
  db: Database,
  record: IdentityRecord,
  auditKeyId: string | null,
): Statement {
  const { tenantId, id: identityId, version } = record;
  return db
    .update(identities)
    .set(record)
    .where(
      and(
        isIdentity(tenantId, identityId),
        lte(identities.version, version),
        hasAuditKey(auditKeyId),
      ),
    );
}

/** Whether the record is of the user with this audit key. An erased one has none. */
function hasAuditKey(auditKeyId: string | null): SQL {
  return sql`${identities.state} ->> '$.auditKey.id' = ${auditKeyId}`;
}

/** The user that a delivery is about. */
export interface DeliveredUser extends DeliveredIdentity {
  readonly auditKeyId: string | null;
}

/** False after an erasure, also for the next user of the same name. A delivery must then change nothing. */
export function isSameUser({ tenantId, identityId, auditKeyId }: DeliveredUser): SQL {
  return sql`EXISTS (SELECT 1 FROM ${identities}
    WHERE ${isIdentity(tenantId, identityId)} AND ${hasAuditKey(auditKeyId)})`;
}

/** The identity that a delivery is about, and the version it was sent with. */
export interface DeliveredIdentity extends Owner {
  readonly version: number;
}

/** False for a late delivery, after a newer one or an erasure; it must change nothing. */
export function isCurrent({ tenantId, identityId, version }: DeliveredIdentity): SQL {
  return sql`EXISTS (SELECT 1 FROM ${identities} WHERE ${identities.tenantId} = ${tenantId}
    AND ${identities.id} = ${identityId} AND ${identities.version} = ${version})`;
}

/** Whether the database has a later version of the record, as of the next user of the same name. */
export function hasNewerRecord({ tenantId, identityId, version }: DeliveredIdentity): SQL {
  return sql`EXISTS (SELECT 1 FROM ${identities}
    WHERE ${isIdentity(tenantId, identityId)} AND ${gt(identities.version, version)})`;
}

/** Deletes the record of an erased identity from a database that the tenant has left. A tombstone stays. */
export function deleteLeftRecord(
  db: Database,
  { tenantId, identityId, version }: DeliveredIdentity,
): Statement {
  return db
    .delete(identities)
    .where(
      and(
        isIdentity(tenantId, identityId),
        ne(identities.status, "erased"),
        lte(identities.version, version),
        hasLeft(tenantId),
      ),
    );
}

export interface DirectoryEntry {
  readonly id: string;
  readonly externalId: string;
  readonly status: "active" | "suspended";
  readonly lockedUntil: number | null;
  readonly createdAt: number;
  readonly hasOtp: boolean;
  readonly hasPasskeys: boolean;
  /** Failures disabled TOTP. */
  readonly isDisabled: boolean;
  /** When the pending secret expires, Unix ms; null without one. */
  readonly pendingUntil: number | null;
}

/** The state, in either form that builds stored; null if it is damaged. */
const readableState = sql`iif(json_valid(${identities.state}), ${identities.state}, NULL)`;

/** A value of the state; null if it is absent. */
function readState<T>(path: string): SQL<T> {
  return sql<T>`${readableState} ->> ${sql.raw(`'${path}'`)}`;
}

/** The secrets beside the primary one. */
const addedSecrets = sql`json_each(${readableState}, '$.authenticators')`;
/** When an added secret expires that waits for its first code. */
const addedUntil = sql`value ->> '$.pendingUntil'`;

const hasOtp = sql`((${readState("$.totp.sealed")}) IS NOT NULL OR EXISTS (SELECT 1 FROM ${addedSecrets} WHERE (${addedUntil}) IS NULL))`;
/** When the last pending secret expires. */
const pendingUntil = sql<number | null>`nullif(max(
  coalesce(${readState("$.pendingTotp.expiresAt")}, 0),
  coalesce((SELECT max(${addedUntil}) FROM ${addedSecrets}), 0)), 0)`;
const hasPasskeys = sql`(${readState("$.passkeys.credentials[0].id")}) IS NOT NULL`;

type EntryStatus = "active" | "locked" | "suspended";

/** A filter that no index serves: D1 reads each row. @param now Unix ms */
function statusFilterOf(filter: EntryStatus | undefined, now: number): SQL | undefined {
  const { status, lockedUntil } = identities;
  switch (filter) {
    case undefined:
      return ne(status, "erased");
    case "suspended":
      return eq(status, "suspended");
    case "locked":
      return and(eq(status, "active"), gt(lockedUntil, now));
    case "active":
      return and(eq(status, "active"), or(isNull(lockedUntil), lte(lockedUntil, now)));
  }
}

function factorFilterOf(condition: SQL, filter: boolean | undefined): SQL | undefined {
  if (filter === undefined) return undefined;
  return filter ? condition : not(condition);
}

/** SQLite changes the case of ASCII letters alone. */
function nameFilterOf(part: string | undefined): SQL | undefined {
  if (part === undefined) return undefined;
  return sql`instr(lower(${identities.externalId}), lower(${part})) > 0`;
}

/** A page of the directory, ordered by id. */
export interface DirectoryPage {
  readonly entries: readonly DirectoryEntry[];
  /** The id after which the next page starts; null on the last page. */
  readonly nextAfter: string | null;
}

/**
 * Lists identities that are not erased. One page reads 20,000 rows at most, so with a filter it may be
 * short although more pages follow.
 * @throws StoreError
 */
export async function listEntries(
  db: Database,
  tenantId: string,
  page: {
    readonly after?: string | undefined;
    readonly status?: EntryStatus | undefined;
    readonly hasOtp?: boolean | undefined;
    readonly hasPasskeys?: boolean | undefined;
    /** A part of the `external_id`. */
    readonly contained?: string | undefined;
    readonly now: number;
    readonly limit: number;
  },
): Promise<DirectoryPage> {
  const { id, externalId, status, lockedUntil, createdAt } = identities;
  const conditions: SQL[] = [eq(identities.tenantId, tenantId)];
  if (page.after !== undefined) conditions.push(gt(id, page.after));
  const filters = [page.status, page.hasOtp, page.hasPasskeys, page.contained];
  const isFiltered = filters.some((filter) => filter !== undefined);
  const end = isFiltered ? await findScanEnd(db, identities, id, conditions, asc(id)) : undefined;
  if (end !== undefined) conditions.push(lte(id, end));
  const rows = await awaitStore(
    db
      .select({
        id,
        externalId,
        status,
        lockedUntil,
        createdAt,
        hasOtp: sql<number>`${hasOtp}`,
        hasPasskeys: sql<number>`${hasPasskeys}`,
        isDisabled: readState<number | null>("$.otpDisabled"),
        pendingUntil,
      })
      .from(identities)
      .where(
        and(
          ...conditions,
          statusFilterOf(page.status, page.now),
          factorFilterOf(hasOtp, page.hasOtp),
          factorFilterOf(hasPasskeys, page.hasPasskeys),
          nameFilterOf(page.contained),
        ),
      )
      .orderBy(id)
      .limit(page.limit + 1),
  );
  const shown = rows.slice(0, page.limit);
  const entries = shown.flatMap((row) =>
    row.status === "erased" || row.externalId === null
      ? []
      : [
          {
            ...row,
            status: row.status,
            externalId: row.externalId,
            hasOtp: row.hasOtp === 1,
            hasPasskeys: row.hasPasskeys === 1,
            isDisabled: row.isDisabled === 1,
          },
        ],
  );
  const isFull = rows.length > page.limit;
  return { entries, nextAfter: isFull ? (shown.at(-1)?.id ?? null) : (end ?? null) };
}

/** Deletes tombstones that no delivery can still need. @param now real time, Unix ms */
export async function deleteExpiredTombstones(db: Database, now: number): Promise<void> {
  const until = now - tombstoneLifetimeMs;
  const { tenantId, id, updatedAt } = identities;
  await deleteWhere(
    db,
    identities,
    [tenantId, id],
    and(isErased, lt(updatedAt, until), isResident(tenantId)),
  );
}
