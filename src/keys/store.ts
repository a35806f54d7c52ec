/** Keys in use and the progress of a re-encryption, in D1. Never a key: only numbers and fingerprints. */

import { and, eq, inArray, isNotNull, isNull, ne, or, type SQL, sql } from "drizzle-orm";
import type { Owner } from "../crypto/seal-context.ts";
import { isNotLeftover } from "../db/tenant-fence.ts";
import {
  chunkRows,
  type Database,
  type Statement,
  StoreError,
  withinStoreTimeout,
  hasNoChanges,
} from "../db/client.ts";
import { requestKeys } from "../idempotency/tables.ts";
import { identities } from "../identity/tables.ts";
import type { KeyringName } from "./keyring-names.ts";
import { keyVersions, reEncryptions } from "./tables.ts";

const keyVersionColumns = 5;

/** Times are Unix ms. */
export interface KeyVersion {
  readonly keyring: KeyringName;
  readonly version: number;
  readonly fingerprint: string;
  readonly firstUsedAt: number;
  /** Nothing needs it any more; null as long as something may. */
  readonly retiredAt: number | null;
}

export interface ReEncryption {
  /** The version everything is sealed under anew. */
  readonly version: number;
  /** The last identity that was dealt with. */
  readonly tenantId: string;
  readonly identityId: string;
  /** Identities there were when it began. */
  readonly total: number;
  readonly seen: number;
  /** Of those seen, how many could not be sealed anew. */
  readonly failed: number;
  /** Passes that ended with something left over, and how much the last of them left. */
  readonly passes: number;
  readonly leftOver: number;
  readonly startedAt: number;
  readonly finishedAt: number | null;
}

/** @throws StoreError, as all of these */
export async function listKeyVersions(db: Database): Promise<KeyVersion[]> {
  return await withinStoreTimeout(
    db.select().from(keyVersions).orderBy(keyVersions.keyring, keyVersions.version),
  );
}

/** Notes versions as in use. One that was retired is in use again; its fingerprint stays. */
export function markKeysInUse(db: Database, versions: readonly KeyVersion[]): Statement[] {
  return chunkRows(versions, keyVersionColumns).map((some) =>
    db
      .insert(keyVersions)
      .values(some)
      .onConflictDoUpdate({
        target: [keyVersions.keyring, keyVersions.version],
        set: { retiredAt: null },
      }),
  );
}

function isOneOf(keyring: KeyringName, versions: readonly number[]): SQL | undefined {
  return and(eq(keyVersions.keyring, keyring), inArray(keyVersions.version, [...versions]));
}

/** Should one of these be retired, it is in use again. */
export async function reinstateKeys(
  db: Database,
  keyring: KeyringName,
  versions: readonly number[],
): Promise<void> {
  if (versions.length === 0) return;
  await withinStoreTimeout(
    db
      .update(keyVersions)
      .set({ retiredAt: null })
      .where(and(isOneOf(keyring, versions), isNotNull(keyVersions.retiredAt))),
  );
}

/** A version of a record, and a version of a key that it needs. */
export interface NeededKey extends Owner {
  readonly recordVersion: number;
  readonly keyVersion: number;
}

/** As `reviveKeys`, for the keys of those records that are in the directory. */
export function reinstateNeededKeys(
  db: Database,
  keyring: KeyringName,
  needed: readonly NeededKey[],
): Statement {
  const field = (name: keyof NeededKey) => sql.raw(`needed.value ->> '${name}'`);
  return db
    .update(keyVersions)
    .set({ retiredAt: null })
    .where(
      and(
        isOneOf(keyring, [...new Set(needed.map(({ keyVersion }) => keyVersion))]),
        isNotNull(keyVersions.retiredAt),
        sql`EXISTS (SELECT 1 FROM json_each(${JSON.stringify(needed)}) AS needed JOIN ${identities}
          ON ${identities.tenantId} = ${field("tenantId")} AND ${identities.id} = ${field("identityId")}
          WHERE ${field("keyVersion")} = ${keyVersions.version}
            AND ${field("recordVersion")} = ${identities.version})`,
      ),
    );
}

/** @returns whether one of them was in use until now */
export async function retireKeys(
  db: Database,
  keyring: KeyringName,
  versions: readonly number[],
  now: number,
): Promise<boolean> {
  if (versions.length === 0) return false;
  const retired = await withinStoreTimeout(
    db
      .update(keyVersions)
      .set({ retiredAt: now })
      .where(and(isOneOf(keyring, versions), isNull(keyVersions.retiredAt))),
  );
  return !hasNoChanges(retired);
}

/** Not erased, and not what a tenant left behind that lives in another database now. */
const isLive = and(
  isNotNull(identities.state),
  ne(identities.status, "erased"),
  isNotLeftover(identities.tenantId),
);

/** The identities after the given one, in the order of the primary key. */
export async function listIdentitiesAfter(
  db: Database,
  last: Owner,
  limit: number,
): Promise<Owner[]> {
  return await withinStoreTimeout(
    db
      .select({ tenantId: identities.tenantId, identityId: identities.id })
      .from(identities)
      .where(and(isBehind(last), isLive))
      .orderBy(identities.tenantId, identities.id)
      .limit(limit),
  );
}

/** Records one statement reads at most, so that it keeps its deadline however many there are. */
const maxRecordsPerStatement = 10_000;

/** As row values, which SQLite looks up in the primary key; NOT before one of them it would not. */
const position = sql`(${identities.tenantId}, ${identities.id})`;

function isBehind({ tenantId, identityId }: Owner): SQL {
  return sql`${position} > (${tenantId}, ${identityId})`;
}

function isUpTo({ tenantId, identityId }: Owner): SQL {
  return sql`${position} <= (${tenantId}, ${identityId})`;
}

/** The directory in stretches, one after the other in the order of the primary key. */
async function* splitDirectory(db: Database): AsyncGenerator<SQL | undefined> {
  let start: Owner = { tenantId: "", identityId: "" };
  for (;;) {
    const rows = await withinStoreTimeout(
      db
        .select({ tenantId: identities.tenantId, identityId: identities.id })
        .from(identities)
        .where(isBehind(start))
        .orderBy(identities.tenantId, identities.id)
        .limit(1)
        .offset(maxRecordsPerStatement - 1),
    );
    const [end] = rows;
    yield end === undefined ? isBehind(start) : and(isBehind(start), isUpTo(end));
    if (end === undefined) return;
    start = end;
  }
}

async function countWhere(db: Database, condition: SQL | undefined): Promise<number> {
  let count = 0;
  for await (const stretch of splitDirectory(db)) {
    const rows = await withinStoreTimeout(
      db.select({ n: sql<number>`count(*)` }).from(identities).where(and(stretch, condition)),
    );
    count += rows[0]?.n ?? 0;
  }
  return count;
}

/** Whether the box at that place of the state is under another version. */
function isUnderAnother(path: string, version: number): SQL {
  const box = sql.raw(`(${identities.state.name} ->> '$.${path}')`);
  return sql`(${box} IS NOT NULL AND ${box} NOT LIKE ${`${version}.%`})`;
}

/** Records with a box that is not under this version. Reads them all. */
export async function countRecordsToReseal(db: Database, version: number): Promise<number> {
  const places = ["totp.sealed", "pendingTotp.sealed", "auditKey.sealed"];
  return await countWhere(
    db,
    and(isLive, or(...places.map((place) => isUnderAnother(place, version)))),
  );
}

/** How many sets of backup codes there are under each version. Reads all records. */
export async function countBackupCodeSets(db: Database): Promise<ReadonlyMap<number, number>> {
  const version = sql<number>`${identities.state} ->> '$.backupCodes.keyVersion'`;
  const sets = new Map<number, number>();
  for await (const stretch of splitDirectory(db)) {
    const rows = await withinStoreTimeout(
      db
        .select({ version, n: sql<number>`count(*)` })
        .from(identities)
        .where(and(stretch, isLive, sql`${version} IS NOT NULL`))
        .groupBy(version),
    );
    for (const row of rows) {
      const of = Number(row.version);
      sets.set(of, (sets.get(of) ?? 0) + row.n);
    }
  }
  return sets;
}

/** Kept requests whose receipt is not under this version. */
export async function listRequestsToReseal(db: Database, version: number, limit: number) {
  return await withinStoreTimeout(
    db
      .select()
      .from(requestKeys)
      .where(sql`${requestKeys.box} NOT LIKE ${`${version}.%`}`)
      .limit(limit),
  );
}

/** Puts one receipt in the place of another, unless that has gone. */
export async function replaceReceipt(
  db: Database,
  { tenantId, key, box }: { readonly tenantId: string; readonly key: string; readonly box: string },
  replacement: string,
): Promise<void> {
  await withinStoreTimeout(
    db
      .update(requestKeys)
      .set({ box: replacement })
      .where(
        and(eq(requestKeys.tenantId, tenantId), eq(requestKeys.key, key), eq(requestKeys.box, box)),
      ),
  );
}

/** The re-encryption under a version, begun if there is none. */
export async function findOrBeginReEncryption(
  db: Database,
  version: number,
  now: number,
): Promise<ReEncryption> {
  const known = await findReEncryption(db, version);
  if (known !== undefined) return known;
  const total = await countWhere(db, isLive);
  const begun = db.insert(reEncryptions).values({ version, total, startedAt: now });
  await withinStoreTimeout(begun.onConflictDoNothing());
  const row = await findReEncryption(db, version);
  if (row === undefined) throw new StoreError("A row just written is not there");
  return row;
}

export async function findReEncryption(
  db: Database,
  version: number,
): Promise<ReEncryption | undefined> {
  const rows = await withinStoreTimeout(
    db.select().from(reEncryptions).where(eq(reEncryptions.version, version)),
  );
  return rows[0];
}

/** Moves on from where it was; false where another runner has moved it already. */
export async function saveReEncryption(
  db: Database,
  before: ReEncryption,
  after: ReEncryption,
): Promise<boolean> {
  const rows = await withinStoreTimeout(
    db
      .update(reEncryptions)
      .set(after)
      .where(
        and(
          eq(reEncryptions.version, before.version),
          eq(reEncryptions.tenantId, before.tenantId),
          eq(reEncryptions.identityId, before.identityId),
          eq(reEncryptions.seen, before.seen),
        ),
      )
      .returning({ version: reEncryptions.version }),
  );
  return rows.length > 0;
}
