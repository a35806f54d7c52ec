/** A thief's copy of all stores, and a search of it for plain and encoded values. */
import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { base32nopad, base64, base64urlnopad, hex } from "@scure/base";
import type { PersonalKeys } from "../../src/audit/personal-keys/personal-keys.ts";
import type { DestinationFollower } from "../../src/destinations/follower.ts";
import type { IdentityGuard } from "../../src/guard/identity-guard.ts";
import type { RefusalLog } from "../../src/guard/refusal-log/refusal-log.ts";
import type { PrefixWatch } from "../../src/sentinel/activity/prefix-watch.ts";
import type { TenantWatch } from "../../src/sentinel/activity/tenant-watch.ts";
import type { ExportRegister } from "../../src/tenancy/export-register.ts";
import type { TokenRegister } from "../../src/tenancy/token-register.ts";
import { databases } from "./databases.ts";

const tablesQuery = "SELECT name FROM sqlite_master WHERE type = 'table'";

function isOwnTable(name: string): boolean {
  return !name.startsWith("_cf") && !name.startsWith("sqlite_");
}

/** The value as text. Each byte becomes one character. */
function textOf(value: unknown): string {
  if (value instanceof ArrayBuffer) return latin1(new Uint8Array(value));
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

type AnyObject =
  | DestinationFollower
  | ExportRegister
  | IdentityGuard
  | PersonalKeys
  | PrefixWatch
  | RefusalLog
  | TenantWatch
  | TokenRegister;

async function readObjects<T extends AnyObject>(
  namespace: DurableObjectNamespace<T>,
): Promise<string[]> {
  const values: string[] = [];
  for (const id of await listDurableObjectIds(namespace)) {
    const found = await runInDurableObject(namespace.get(id), (_, { storage: { sql, kv } }) => [
      ...sql
        .exec<{ name: string }>(tablesQuery)
        .toArray()
        .filter(({ name }) => isOwnTable(name))
        .flatMap(({ name }) => sql.exec(`SELECT * FROM ${name}`).toArray().flatMap(Object.values))
        .map(textOf),
      ...[...kv.list()].flat().map(textOf),
    ]);
    values.push(...found);
  }
  return values;
}

async function countIn<T extends AnyObject>(
  namespace: DurableObjectNamespace<T>,
  known: ReadonlySet<string>,
): Promise<number> {
  let count = 0;
  for (const id of await listDurableObjectIds(namespace)) {
    if (known.has(String(id))) continue;
    const isUsed = await runInDurableObject(namespace.get(id), async (_, { storage }) => {
      const tables = storage.sql.exec<{ name: string }>(tablesQuery).toArray();
      return tables.some(({ name }) => isOwnTable(name)) || (await storage.getAlarm()) !== null;
    });
    if (isUsed) count += 1;
  }
  return count;
}

export async function listObjects(): Promise<ReadonlySet<string>> {
  const { FOLLOWERS, GUARD, PREFIXES, REFUSALS, REGISTER, TENANT_WATCHES } = env;
  const lists = await Promise.all([
    listDurableObjectIds(FOLLOWERS),
    listDurableObjectIds(GUARD),
    listDurableObjectIds(PREFIXES),
    listDurableObjectIds(REFUSALS),
    listDurableObjectIds(REGISTER),
    listDurableObjectIds(TENANT_WATCHES),
  ]);
  return new Set(lists.flat().map(String));
}

/** Counts the objects that have a table or an alarm. @param known objects that are left out */
export async function countStorages(known: ReadonlySet<string>): Promise<number> {
  const { FOLLOWERS, GUARD, PREFIXES, REFUSALS, REGISTER, TENANT_WATCHES } = env;
  const counts = await Promise.all([
    countIn(FOLLOWERS, known),
    countIn(GUARD, known),
    countIn(PREFIXES, known),
    countIn(REFUSALS, known),
    countIn(REGISTER, known),
    countIn(TENANT_WATCHES, known),
  ]);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** All values in all databases. */
export async function readDatabases(): Promise<string[]> {
  const values: string[] = [];
  for (const database of databases()) {
    const { results } = await database.prepare(tablesQuery).all<{ name: string }>();
    for (const { name } of results.filter((table) => isOwnTable(table.name))) {
      const rows = await database.prepare(`SELECT * FROM ${name}`).all();
      // As arguments of one call, the values of a long table would be too many.
      for (const value of rows.results.flatMap(Object.values)) values.push(textOf(value));
    }
  }
  return values;
}

async function readKv(): Promise<string[]> {
  const values: string[] = [];
  for (const namespace of [env.IP_REPUTATION, env.AUDIT_WITNESS]) {
    for (const { name } of (await namespace.list()).keys) {
      const stored = await namespace.get(name, "arrayBuffer");
      values.push(name, latin1(new Uint8Array(stored ?? new ArrayBuffer(0))));
    }
  }
  return values;
}

async function readArchive(): Promise<string[]> {
  const bucket = env.AUDIT_ARCHIVE;
  const { objects } = (await bucket?.list()) ?? { objects: [] };
  const texts = objects.map(async ({ key }) => [
    key,
    (await (await bucket?.get(key))?.text()) ?? "",
  ]);
  return (await Promise.all(texts)).flat();
}

/** Every value in each store, as text. */
export interface StoresCopy {
  readonly database: readonly string[];
  readonly kv: readonly string[];
  readonly archive: readonly string[];
  readonly guards: readonly string[];
  readonly refusalLogs: readonly string[];
  readonly watches: readonly string[];
  readonly registers: readonly string[];
  readonly followers: readonly string[];
  readonly dayKeys: readonly string[];
}

export async function copyStores(): Promise<StoresCopy> {
  return {
    database: await readDatabases(),
    kv: await readKv(),
    archive: await readArchive(),
    guards: await readObjects(env.GUARD),
    refusalLogs: await readObjects(env.REFUSALS),
    watches: [...(await readObjects(env.PREFIXES)), ...(await readObjects(env.TENANT_WATCHES))],
    registers: [...(await readObjects(env.REGISTER)), ...(await readObjects(env.EXPORTS))],
    followers: await readObjects(env.FOLLOWERS),
    dayKeys: await readObjects(env.PERSONAL_KEYS),
  };
}

/** The decodings of a string in hex, base64, base64url and base32, where valid. */
function decodingsOf(encoded: string): string[] {
  const readings = [
    () => hex.decode(encoded.toLowerCase()),
    () => base64.decode(encoded.padEnd(Math.ceil(encoded.length / 4) * 4, "=")),
    () => base64urlnopad.decode(encoded.replaceAll("=", "")),
    () => base32nopad.decode(encoded.toUpperCase()),
  ];
  return readings.flatMap((read) => {
    try {
      return [latin1(read())];
    } catch {
      return [];
    }
  });
}

/** The values and the decodings of everything in them that looks encoded, in upper case. */
export function decodeText(values: readonly string[]): string {
  const encoded = new Set(values.flatMap((value) => value.match(/[\w+/=-]{12,}/g) ?? []));
  return [...values, ...[...encoded].flatMap(decodingsOf)].join("\n").toUpperCase();
}

/** Which of the texts can be found in which stores, plain or encoded. */
export async function findInStores(needles: readonly string[]): Promise<string[]> {
  return Object.entries(await copyStores()).flatMap(([store, values]) => {
    const text = decodeText(values);
    return needles
      .filter((needle) => text.includes(needle.toUpperCase()))
      .map((needle) => `${store}: ${needle}`);
  });
}

/** The spellings that a store may use for a secret, in upper case. */
export function spellingsOf(secret: Uint8Array): string[] {
  return [
    latin1(secret),
    base32nopad.encode(secret),
    hex.encode(secret),
    base64.encode(secret).replaceAll("=", ""),
    base64urlnopad.encode(secret),
    [...secret].join(","),
  ].map((text) => text.toUpperCase());
}
