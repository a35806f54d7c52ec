/** The key versions in use, in D1: numbers and fingerprints, never a key. */
import { and, eq, inArray, isNotNull, isNull, or, type SQL, sql } from "drizzle-orm";
import type { Owner } from "../crypto/seal-context.ts";
import { awaitStore, chunkRows, type Database, type Statement } from "../db/client.ts";
import { prepareStatement } from "../db/prepared.ts";
import { identities } from "../identity/tables.ts";
import type { KeyringName } from "./keyring-names.ts";
import { keyVersions } from "./tables.ts";

const keyVersionColumns = 6;

/** Times are Unix ms. */
export interface KeyVersion {
  readonly keyring: KeyringName;
  readonly version: number;
  /** The first 8 bytes of an HMAC under the key, hex. */
  readonly fingerprint: string;
  readonly firstUsedAt: number;
  /** From then on no data needs the key; null as long as some data may need it. */
  readonly retiredAt: number | null;
}

/** @throws StoreError, as do all of these */
export async function listKeyVersions(db: Database): Promise<KeyVersion[]> {
  const { keyring, version, fingerprint, firstUsedAt, retiredAt } = keyVersions;
  return await awaitStore(
    db
      .select({ keyring, version, fingerprint, firstUsedAt, retiredAt })
      .from(keyVersions)
      .orderBy(keyring, version),
  );
}

/** What puts a version in use: it is not retired, and no check that has begun may retire it. */
const inUse = { retiredAt: null, checkId: null };
const isNotInUse = or(isNotNull(keyVersions.retiredAt), isNotNull(keyVersions.checkId));

/** Records versions as in use. A retired version is in use again; its fingerprint stays. */
export function markKeysInUse(db: Database, versions: readonly KeyVersion[]): Statement[] {
  return chunkRows(versions, keyVersionColumns).map((some) =>
    db
      .insert(keyVersions)
      .values(some)
      .onConflictDoUpdate({
        target: [keyVersions.keyring, keyVersions.version],
        set: inUse,
      }),
  );
}

function isOneOf(keyring: KeyringName, versions: readonly number[]): SQL | undefined {
  return and(eq(keyVersions.keyring, keyring), inArray(keyVersions.version, [...versions]));
}

/** Puts versions that were retired back in use. */
export async function reinstateKeys(
  db: Database,
  keyring: KeyringName,
  versions: readonly number[],
): Promise<void> {
  if (versions.length === 0) return;
  await awaitStore(
    db
      .update(keyVersions)
      .set(inUse)
      .where(and(isOneOf(keyring, versions), isNotInUse)),
  );
}

/** A version of an identity's record, and the key version that it needs. */
export interface NeededKey extends Owner {
  readonly recordVersion: number;
  readonly keyring: KeyringName;
  readonly keyVersion: number;
}

/**
 * Works like `reinstateKeys`, for the keys that these records need. A record counts only if D1 has this version
 * of it.
 */
export function reinstateNeededKeys(db: Database, needed: readonly NeededKey[]): Statement {
  return reinstateKeysOf(db, { needed: JSON.stringify(needed) });
}

const reinstateKeysOf = prepareStatement<{ readonly needed: string }>((db, value) => {
  const field = (name: keyof NeededKey) => sql.raw(`needed.value ->> '${name}'`);
  return db
    .update(keyVersions)
    .set(inUse)
    .where(
      and(
        isNotInUse,
        sql`EXISTS (SELECT 1 FROM json_each(${value("needed")}) AS needed JOIN ${identities}
          ON ${identities.tenantId} = ${field("tenantId")} AND ${identities.id} = ${field("identityId")}
          WHERE ${field("keyring")} = ${keyVersions.keyring}
            AND ${field("keyVersion")} = ${keyVersions.version}
            AND ${field("recordVersion")} = ${identities.version})`,
      ),
    );
});

/** Marks versions that a check may retire. The mark of an earlier check is replaced, so it retires nothing. */
export function markForCheck(
  db: Database,
  keyring: KeyringName,
  versions: readonly number[],
  checkId: string,
): Statement {
  return db
    .update(keyVersions)
    .set({ checkId })
    .where(and(isOneOf(keyring, versions), isNull(keyVersions.retiredAt)));
}

/** Retires the versions that still have the mark of the check: no data under them arrived since it began. */
export async function retireChecked(
  db: Database,
  keyring: KeyringName,
  versions: readonly number[],
  checkId: string,
  now: number,
): Promise<void> {
  if (versions.length === 0) return;
  await awaitStore(
    db
      .update(keyVersions)
      .set({ retiredAt: now, checkId: null })
      .where(and(isOneOf(keyring, versions), eq(keyVersions.checkId, checkId))),
  );
}
