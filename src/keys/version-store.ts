/** The key versions in use, in D1: numbers and fingerprints, never a key. */
import { and, eq, inArray, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import type { Owner } from "../crypto/seal-context.ts";
import {
  awaitStore,
  chunkRows,
  type Database,
  hasNoChanges,
  type Statement,
} from "../db/client.ts";
import { identities } from "../identity/tables.ts";
import type { KeyringName } from "./keyring-names.ts";
import { keyVersions } from "./tables.ts";

const keyVersionColumns = 5;

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
  return await awaitStore(
    db.select().from(keyVersions).orderBy(keyVersions.keyring, keyVersions.version),
  );
}

/** Records versions as in use. A retired version is in use again; its fingerprint stays. */
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
      .set({ retiredAt: null })
      .where(and(isOneOf(keyring, versions), isNotNull(keyVersions.retiredAt))),
  );
}

/** A version of an identity's record, and the key version that it needs. */
export interface NeededKey extends Owner {
  readonly recordVersion: number;
  readonly keyVersion: number;
}

/**
 * Works like `reinstateKeys`, for the keys that these records need. A record counts only if D1 has this version
 * of it.
 */
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

/** @returns whether one of them was in use */
export async function retireKeys(
  db: Database,
  keyring: KeyringName,
  versions: readonly number[],
  now: number,
): Promise<boolean> {
  if (versions.length === 0) return false;
  const retired = await awaitStore(
    db
      .update(keyVersions)
      .set({ retiredAt: now })
      .where(and(isOneOf(keyring, versions), isNull(keyVersions.retiredAt))),
  );
  return !hasNoChanges(retired);
}
