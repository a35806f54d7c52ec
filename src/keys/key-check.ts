/**
 * Whether the keys of the configuration fit the data: a version that something is sealed, hashed or
 * signed with must be in its ring, and be the same key. Versions are noted in D1 before anything under
 * them is delivered there, and checked once in each isolate.
 */
import { toHex, utf8 } from "../crypto/bytes.ts";
import { hmacSha256 } from "../crypto/digest.ts";
import type { Keyring } from "../crypto/keyring.ts";
import { type Database, runBatch } from "../db/client.ts";
import { listDatabases } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { causeOf, log } from "../log.ts";
import { type KeyringName, keyringNames, secretOf } from "./keyring-names.ts";
import { type KeyVersion, listKeyVersions, markKeysInUse } from "./store.ts";

const fingerprintBytes = 8;
/**
 * Keys that do not fit, or of which not every database has said that they do, are looked at again after
 * this: what was missing may be retired by then.
 */
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

/** Tells whether a key is the same as before, and nothing of the key. */
function fingerprintOf(key: Uint8Array): string {
  return toHex(hmacSha256(key, utf8("edge-idp key fingerprint")).subarray(0, fingerprintBytes));
}

/** What is wrong with the keys, in the words of the secrets; empty where they fit. */
function compareKeys(config: Config, noted: readonly KeyVersion[]): string[] {
  return noted.flatMap(({ keyring, version, fingerprint, retiredAt }) => {
    const key = keyringOf(config, keyring).keys.get(version);
    const name = secretOf[keyring];
    if (key === undefined) {
      return retiredAt === null ? [`${name} lacks version ${version}, which data needs`] : [];
    }
    return fingerprintOf(key) === fingerprint
      ? []
      : [`${name} has another key as version ${version} than data was written with`];
  });
}

/** What is to be noted: the newest of each ring, and all of a ring of which nothing is known yet. */
function findUnmarkedVersions(
  config: Config,
  noted: readonly KeyVersion[],
  now: number,
): KeyVersion[] {
  return keyringNames.flatMap((keyring) => {
    const { keys, newest } = keyringOf(config, keyring);
    const known = noted.filter((one) => one.keyring === keyring);
    return [...keys].flatMap(([version, key]) => {
      const one = known.find((candidate) => candidate.version === version);
      const isNeeded = known.length === 0 || version === newest;
      if (!isNeeded || (one !== undefined && one.retiredAt === null)) return [];
      return [
        { keyring, version, fingerprint: fingerprintOf(key), firstUsedAt: now, retiredAt: null },
      ];
    });
  });
}

async function checkDatabase(db: Database, config: Config, now: number): Promise<string[]> {
  const noted = await listKeyVersions(db);
  const found = compareKeys(config, noted);
  if (found.length === 0)
    await runBatch(db, markKeysInUse(db, findUnmarkedVersions(config, noted, now)));
  return found;
}

interface KeyCheck {
  readonly problems: readonly string[];
  /** Every database has answered. */
  readonly isWhole: boolean;
}

/** Of the further databases one that does not answer keeps nobody waiting for whom it is not. */
async function checkDatabases(env: Env, config: Config, now: number): Promise<KeyCheck> {
  const [control = Promise.resolve([]), ...further] = listDatabases(env).map((db) =>
    checkDatabase(db, config, now),
  );
  const [problems, settled] = await Promise.all([control, Promise.allSettled(further)]);
  const found = settled.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  for (const one of settled) if (one.status === "rejected") logUnchecked(one.reason);
  const isWhole = settled.every(({ status }) => status === "fulfilled");
  return { problems: [...new Set([...problems, ...found])], isWhole };
}

function logUnchecked(error: unknown): void {
  log("error", "keys_not_checked", { cause: causeOf(error) });
}

/** Data, never promises: who waited for another request's would wait for ever, once its client has gone. */
const checks = new WeakMap<Config, { readonly at: number; readonly found: KeyCheck }>();
const matching = new WeakSet<Config>();

/** Whether it has been seen that the keys fit. It stays so: data gets new keys from rings that have them. */
export function hasMatchingKeys(config: Config): boolean {
  return matching.has(config);
}

/**
 * What is wrong with the keys. A `DB` that does not answer says nothing against them: the check is then
 * made with the next request, and what cannot be opened answers 503 by itself.
 * @param now real time, Unix ms
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
    const { problems, isWhole } = found;
    if (isWhole && problems.length === 0) matching.add(config);
    if (problems.length > 0) log("error", "keys_do_not_fit", { problems });
    return problems;
  } catch (error) {
    logUnchecked(error);
    return [];
  }
}

/** Thrown where work would go on with keys that do not fit the data. */
class MismatchedKeysError extends Error {
  constructor() {
    super("The keys do not fit the data");
    this.name = "UnfitKeysError";
  }
}

/**
 * For what writes to D1 without a request at the door: an alarm, the clock.
 * @throws UnfitKeysError; then nothing is written, and a later try finds better keys
 */
export async function requireMatchingKeys(env: Env, config: Config, now: number): Promise<void> {
  if ((await findKeyProblems(env, config, now)).length > 0) throw new MismatchedKeysError();
}
