/** Replaces the keys of this isolate, as a deployment with other secrets does. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { type Keyring, parseKey, parseKeyring } from "../../src/crypto/keyring.ts";
import { type Config, requireConfig } from "../../src/env.ts";
import { keyringOf } from "../../src/keys/key-check.ts";
import type { KeyringName } from "../../src/keys/keyring-names.ts";
import { databases } from "./databases.ts";

/** The configurations of the Worker and of the guards, which may be separate objects. */
async function findConfigs(): Promise<Config[]> {
  const guard = env.GUARD.get(env.GUARD.idFromName("keys of the test"));
  const guardConfig = await runInDurableObject(guard, (instance) =>
    requireConfig(Reflect.get(instance, "env")),
  );
  return [...new Set([requireConfig(env), guardConfig])];
}

function parseRing(text: string): Keyring {
  const ring = parseKeyring(text);
  if (typeof ring === "string") throw new Error(ring);
  return ring;
}

/** Replaces a keyring. @returns a function that restores it */
export async function deployKeys(name: KeyringName, text: string): Promise<() => void> {
  const all = await findConfigs();
  const before = all.map((config) => ({ config, ring: { ...keyringOf(config, name) } }));
  for (const config of all) Object.assign(keyringOf(config, name), parseRing(text));
  return () => {
    for (const { config, ring } of before) Object.assign(keyringOf(config, name), ring);
  };
}

/** Replaces `ADDRESS_HASH_KEY`. @returns a function that restores it */
export async function deployAddressKey(text: string): Promise<() => void> {
  const key = parseKey(text);
  if (typeof key === "string") throw new Error(key);
  const before = (await findConfigs()).map((config) => ({
    config,
    addressHashKey: config.addressHashKey,
  }));
  for (const { config } of before) Object.assign(config, { addressHashKey: key });
  return () => {
    for (const { config, addressHashKey } of before) Object.assign(config, { addressHashKey });
  };
}

export const firstSealingKey = `1:${btoa("sealing key one, thirty-two byte")}`;
export const secondSealingKey = `2:${btoa("sealing key two, thirty-two byte")}`;
export const firstCodeKey = `1:${btoa("backup codes key, 32 bytes long!")}`;
export const secondCodeKey = `2:${btoa("second backup code key, 32 bytes")}`;

/** Deletes all rows in D1 that need a key, and the list of key versions. */
export async function clearKeyedData(): Promise<void> {
  for (const database of databases()) {
    const tables = ["destinations", "identities", "request_keys", "key_versions", "re_encryptions"];
    await database.batch([
      ...tables.map((table) => database.prepare(`DELETE FROM ${table}`)),
      database.prepare("UPDATE tenants SET audit_key = NULL"),
    ]);
  }
}
