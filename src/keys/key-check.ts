/**
 * Checks that the configured keys match the data: every key version that data was sealed, hashed or signed
 * with must be in its keyring, and must be the same key. Each database records the versions in use before
 * data under them is delivered to it. An isolate checks until all databases match.
 */
import { encodeUtf8, toHex } from "../crypto/bytes.ts";
import { hmacSha256Of } from "../crypto/digest.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Database } from "../db/client.ts";
import { listDatabases } from "../db/shards.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import type { Config } from "../env.ts";
import { causeOf, log } from "../log.ts";
import { type KeyringName, keyringNames, secretOf } from "./keyring-names.ts";
import { type KeyVersion, listKeyVersions, markKeysInUse } from "./version-store.ts";

const fingerprintBytes = 8;
/** The wait before keys that did not match, or could not be checked everywhere, are checked again. */
const recheckAfterMs = 10_000;

export function keyringOf(config: Config, name: KeyringName): Keyring {
  switch (name) {
    case "sealing":
      return config.sealingKeys;
    case "backup_codes":
      return config.backupCodeKeys;
    case "audit_signing":
      return config.auditSigningKeys;
  }
}

/** Identifies a key without revealing anything about it. */
function fingerprintOf(key: Uint8Array): string {
  return toHex(
    hmacSha256Of(key, encodeUtf8("edge-idp key fingerprint")).subarray(0, fingerprintBytes),
  );
}

/**
 * Compares the keys with the recorded versions.
 * @returns problems that name the secrets; empty if all match
 */
function compareKeys(config: Config, recorded: readonly KeyVersion[]): string[] {
  return recorded.flatMap(({ keyring, version, fingerprint, retiredAt }) => {
    const key = keyringOf(config, keyring).keys.get(version);
    const name = secretOf[keyring];
    if (key === undefined) {
      return retiredAt === null
        ? [`${name} lacks version ${version}, which stored data needs`]
        : [];
    }
    return fingerprintOf(key) === fingerprint
      ? []
      : [`${name} has another key as version ${version} than the stored data`];
  });
}

/** The versions to record: the newest of each keyring, and all of a keyring without recorded versions. */
function findUnmarkedVersions(
  config: Config,
  recorded: readonly KeyVersion[],
  now: number,
): KeyVersion[] {
  return keyringNames.flatMap((keyring) => {
    const { keys, newest } = keyringOf(config, keyring);
    const known = recorded.filter((one) => one.keyring === keyring);
    return [...keys].flatMap(([version, key]) => {
      const found = known.find((one) => one.version === version);
      const isNeeded = known.length === 0 || version === newest;
      if (!isNeeded || (found !== undefined && found.retiredAt === null)) return [];
      return [
        { keyring, version, fingerprint: fingerprintOf(key), firstUsedAt: now, retiredAt: null },
      ];
    });
  });
}

async function checkDatabase(db: Database, config: Config, now: number): Promise<string[]> {
  const recorded = await listKeyVersions(db);
  const problems = compareKeys(config, recorded);
  if (problems.length === 0) {
    await runEssentialBatch(db, markKeysInUse(db, findUnmarkedVersions(config, recorded, now)));
  }
  return problems;
}

interface KeyCheck {
  readonly problems: readonly string[];
  /** Whether every database has answered. */
  readonly isComplete: boolean;
}

/** An unreachable shard must not block other tenants. @throws StoreError if `DB` fails */
async function checkDatabases(env: Env, config: Config, now: number): Promise<KeyCheck> {
  const [control = Promise.resolve([]), ...further] = listDatabases(env).map((db) =>
    checkDatabase(db, config, now),
  );
  const [problems, settled] = await Promise.all([control, Promise.allSettled(further)]);
  const found = settled.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  for (const one of settled) if (one.status === "rejected") logUnchecked(one.reason);
  const isComplete = settled.every(({ status }) => status === "fulfilled");
  return { problems: [...new Set([...problems, ...found])], isComplete };
}

function logUnchecked(error: unknown): void {
  log("error", "keys_not_checked", { cause: causeOf(error) });
}

/**
 * Results, not promises: a promise never settles once the client of the request that created it has gone.
 */
const checks = new WeakMap<Config, { readonly at: number; readonly found: KeyCheck }>();
const matching = new WeakSet<Config>();

/**
 * Whether a check has found that the keys match. They match from then on, because new data is written with
 * keys from the same keyrings.
 */
export function hasMatchingKeys(config: Config): boolean {
  return matching.has(config);
}

/**
 * Checks the keys. If `DB` does not answer, there are no known problems and the next request checks again;
 * a box that does not open is a 503 anyway.
 * @param now real time, Unix ms
 * @returns problems that name the secrets; empty if all match
 */
export async function findKeyProblems(
  env: Env,
  config: Config,
  now: number,
): Promise<readonly string[]> {
  if (hasMatchingKeys(config)) return [];
  const known = checks.get(config);
  if (known !== undefined && now < known.at + recheckAfterMs) return known.found.problems;
  try {
    const found = await checkDatabases(env, config, now);
    checks.set(config, { at: now, found });
    const { problems, isComplete } = found;
    if (isComplete && problems.length === 0) matching.add(config);
    if (problems.length > 0) log("error", "keys_do_not_fit", { problems });
    return problems;
  } catch (error) {
    logUnchecked(error);
    return [];
  }
}

/** The configured keys do not match the data. */
class MismatchedKeysError extends Error {
  constructor() {
    super("The configured keys do not match the data");
    this.name = "MismatchedKeysError";
  }
}

/**
 * Checks the keys before a write to D1 that no request begins, such as that of an alarm.
 * @throws MismatchedKeysError; a later attempt may find other keys
 */
export async function requireMatchingKeys(env: Env, config: Config, now: number): Promise<void> {
  if ((await findKeyProblems(env, config, now)).length > 0) throw new MismatchedKeysError();
}
