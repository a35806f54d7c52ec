/** A rotation of the sealing key with the operator's requests. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import worker from "../../src/index.ts";
import type { KeyringName } from "../../src/keys/keyring-names.ts";
import { type Answer, send } from "./client.ts";
import { databases } from "./databases.ts";

const token = env.OPERATOR_TOKEN;

/** Sends the first request to a new isolate with these sealing keys. */
export async function firstRequestWith(sealingKeys: string): Promise<Response> {
  const changed = { ...env, SEALING_KEYS: sealingKeys };
  const request = new Request("https://idp.test/openapi.json");
  return await worker.fetch(request, changed, createExecutionContext());
}

/** Re-encrypts the next identities. */
export async function reEncryptSlice(limit = 2): Promise<Answer["body"]> {
  const body = { re_encryption: { limit } };
  const answer = await send("POST", "/v1/keys/re-encryption", { token, body });
  if (answer.status !== 200) throw new Error(`No slice: ${answer.status}`);
  return answer.body.re_encryption;
}

/** Re-encrypts slice by slice until all identities are done. */
export async function reEncryptAll(): Promise<void> {
  for (let n = 0; n < 50; n += 1) if ((await reEncryptSlice()).done) return;
  throw new Error("The re-encryption does not end");
}

export async function listVersionsInUse(keyring: KeyringName): Promise<number[]> {
  const { body } = await send("GET", "/v1/keys", { token });
  const keys: { keyring: string; version: number; in_use: boolean }[] = body.keys;
  return keys.filter((key) => key.keyring === keyring && key.in_use).map(({ version }) => version);
}

/** The key versions that the records in D1 are sealed with. */
export async function findVersionsInRecords(): Promise<Set<number>> {
  const versions = new Set<number>();
  for (const database of databases()) {
    const { results } = await database
      .prepare("SELECT state FROM identities WHERE state IS NOT NULL")
      .all<{ state: string }>();
    for (const { state } of results) {
      for (const [, version] of state.matchAll(/"sealed":"(\d+)\./g)) versions.add(Number(version));
    }
  }
  return versions;
}
