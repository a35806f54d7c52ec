/**
 * The data in D1 that a re-encryption seals anew: identities' records, the receipts of kept requests, the audit keys of
 * tenants, and the credentials of destinations.
 */
import { and, eq, isNotNull, ne, type SQL, sql } from "drizzle-orm";
import type { AuditKey } from "../audit/personal.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { awaitStore, type Database } from "../db/client.ts";
import { tenants } from "../db/tables.ts";
import { isNotLeftover } from "../db/tenant-fence.ts";
import { requestKeys } from "../idempotency/tables.ts";
import { identities } from "../identity/tables.ts";
import { destinations } from "../tenancy/tables.ts";
import { addCounts, noRecords, type RecordCounts } from "./record-counts.ts";

/** Excludes erased identities, and leftovers of tenants that were relocated. */
const isLive = and(
  isNotNull(identities.state),
  ne(identities.status, "erased"),
  isNotLeftover(identities.tenantId),
);

/**
 * Lists identities after the given one, in the order of the primary key.
 * @throws StoreError, as do all of these
 */
export async function listIdentitiesAfter(
  db: Database,
  last: Owner,
  limit: number,
): Promise<Owner[]> {
  return await awaitStore(
    db
      .select({ tenantId: identities.tenantId, identityId: identities.id })
      .from(identities)
      .where(and(isAfter(last), isLive))
      .orderBy(identities.tenantId, identities.id)
      .limit(limit),
  );
}

/** A row value. SQLite looks it up in the primary key, but not in a condition with NOT. */
const position = sql`(${identities.tenantId}, ${identities.id})`;

function isAfter({ tenantId, identityId }: Owner): SQL {
  return sql`${position} > (${tenantId}, ${identityId})`;
}

function isUpTo({ tenantId, identityId }: Owner): SQL {
  return sql`${position} <= (${tenantId}, ${identityId})`;
}

/** Whether the box at that path of the state is under another version. */
function isUnderAnother(path: string, version: number): SQL {
  const box = sql.raw(`(${identities.state.name} ->> '$.${path}')`);
  return sql`(${box} IS NOT NULL AND ${box} NOT LIKE ${`${version}.%`})`;
}

/** Whether the box of a secret beside the primary one is under another version. */
function hasSecretUnderAnother(version: number): SQL {
  const added = sql`json_each(${identities.state}, '$.authenticators')`;
  const isOther = sql`value ->> '$.sealed' NOT LIKE ${`${version}.%`}`;
  return sql`EXISTS (SELECT 1 FROM ${added} WHERE ${isOther})`;
}

/** Finds the last identity of the range that begins after another; undefined if fewer are left. */
async function findRangeEnd(db: Database, start: Owner, size: number): Promise<Owner | undefined> {
  const rows = await awaitStore(
    db
      .select({ tenantId: identities.tenantId, identityId: identities.id })
      .from(identities)
      .where(isAfter(start))
      .orderBy(identities.tenantId, identities.id)
      .limit(1)
      .offset(size - 1),
  );
  return rows[0];
}

/** A part of the directory, in the order of the primary key. */
export interface CountedRange {
  readonly counts: RecordCounts;
  /** Its last identity; undefined if no range follows. */
  readonly end: Owner | undefined;
}

/**
 * Counts the records of the range after an identity, in two statements.
 * @param version the newest version of the sealing key
 * @param size records in the range, so that a statement meets its deadline
 */
export async function countRange(
  db: Database,
  start: Owner,
  version: number,
  size: number,
): Promise<CountedRange> {
  const end = await findRangeEnd(db, start, size);
  const paths = ["totp.sealed", "pendingTotp.sealed", "auditKey.sealed"];
  const isOlder = sql.join(
    [...paths.map((path) => isUnderAnother(path, version)), hasSecretUnderAnother(version)],
    sql` OR `,
  );
  const codeVersion = sql<number | null>`${identities.state} ->> '$.backupCodes.keyVersion'`;
  const rows = await awaitStore(
    db
      .select({ codeVersion, n: sql<number>`count(*)`, older: sql<number>`total(${isOlder})` })
      .from(identities)
      .where(and(isAfter(start), end === undefined ? undefined : isUpTo(end), isLive))
      .groupBy(codeVersion),
  );
  const counts = rows.map(
    (row): RecordCounts => ({
      identities: row.n,
      underOlderKeys: row.older,
      codeSets: row.codeVersion === null ? {} : { [row.codeVersion]: row.n },
    }),
  );
  return { end, counts: counts.reduce(addCounts, noRecords) };
}

/** Lists kept requests whose receipt is not under this version. */
export async function listRequestsToReseal(db: Database, version: number, limit: number) {
  return await awaitStore(
    db
      .select()
      .from(requestKeys)
      .where(sql`${requestKeys.box} NOT LIKE ${`${version}.%`}`)
      .limit(limit),
  );
}

/** Replaces a receipt, unless it has changed or was deleted. */
export async function replaceReceipt(
  db: Database,
  { tenantId, key, box }: { readonly tenantId: string; readonly key: string; readonly box: string },
  replacement: string,
): Promise<void> {
  await awaitStore(
    db
      .update(requestKeys)
      .set({ box: replacement })
      .where(
        and(eq(requestKeys.tenantId, tenantId), eq(requestKeys.key, key), eq(requestKeys.box, box)),
      ),
  );
}

export interface TenantKey {
  readonly tenantId: string;
  readonly auditKey: AuditKey;
}

const sealedTenantKey = sql<string | null>`${tenants.auditKey} ->> '$.sealed'`;

/** Lists tenants' audit keys that are not under this version. */
export async function listTenantKeysToReseal(
  db: Database,
  version: number,
  limit: number,
): Promise<TenantKey[]> {
  const rows = await awaitStore(
    db
      .select({ tenantId: tenants.id, auditKey: tenants.auditKey })
      .from(tenants)
      .where(sql`${sealedTenantKey} NOT LIKE ${`${version}.%`}`)
      .limit(limit),
  );
  return rows.flatMap(({ tenantId, auditKey }) =>
    auditKey === null ? [] : [{ tenantId, auditKey }],
  );
}

/** Replaces a tenant's audit key, unless it has changed or was destroyed. */
export async function replaceTenantKey(
  db: Database,
  { tenantId, auditKey }: TenantKey,
  replacement: AuditKey,
): Promise<void> {
  await awaitStore(
    db
      .update(tenants)
      .set({ auditKey: replacement })
      .where(and(eq(tenants.id, tenantId), sql`${sealedTenantKey} = ${auditKey.sealed}`)),
  );
}

export interface SealedDestination {
  readonly tenantId: string;
  readonly id: string;
  readonly credentials: string;
}

/** Lists destinations whose credentials are not under this version. */
export async function listDestinationsToReseal(
  db: Database,
  version: number,
  limit: number,
): Promise<SealedDestination[]> {
  const { tenantId, id, credentials } = destinations;
  return await awaitStore(
    db
      .select({ tenantId, id, credentials })
      .from(destinations)
      .where(sql`${credentials} NOT LIKE ${`${version}.%`}`)
      .limit(limit),
  );
}

/** Replaces the credentials of a destination, unless they have changed or were deleted. */
export async function replaceCredentials(
  db: Database,
  { tenantId, id, credentials }: SealedDestination,
  replacement: string,
): Promise<void> {
  await awaitStore(
    db
      .update(destinations)
      .set({ credentials: replacement })
      .where(
        and(
          eq(destinations.tenantId, tenantId),
          eq(destinations.id, id),
          eq(destinations.credentials, credentials),
        ),
      ),
  );
}
