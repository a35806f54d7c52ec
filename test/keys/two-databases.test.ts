/** Keys of the service while identities are in two databases. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import { send, Tenant, User } from "../support/client.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { clearKeyedData, deployKeys, firstSealingKey, secondSealingKey } from "../support/keys.ts";
import { relocateFully, relocateUpTo } from "../support/relocation.ts";

const token = env.OPERATOR_TOKEN;
const both = `${firstSealingKey},${secondSealingKey}`;
const undo: (() => void)[] = [];

/** Puts the keys in force, and has a first request reach a new isolate that has them. */
async function deploy(text: string): Promise<void> {
  undo.push(await deployKeys("sealing", text));
  const changed = { ...env, SEALING_KEYS: text };
  await worker.fetch(new Request("https://idp.test/docs"), changed, createExecutionContext());
}

async function slice(limit = 2) {
  const answer = await send("POST", "/v1/keys/re-encryption", {
    token,
    body: { re_encryption: { limit } },
  });
  expect(answer.status).toBe(200);
  return answer.body.re_encryption;
}

async function finish(): Promise<void> {
  for (let n = 0; n < 50; n += 1) if ((await slice()).done) return;
  throw new Error("It does not end");
}

async function sealingInUse(): Promise<number[]> {
  const { body } = await send("GET", "/v1/keys", { token });
  const keys: { keyring: string; version: number; in_use: boolean }[] = body.keys;
  return keys
    .filter(({ keyring, in_use }) => keyring === "sealing" && in_use)
    .map(({ version }) => version);
}

async function newUsers(shard: number, count: number): Promise<User[]> {
  const tenant = await Tenant.create("test", { shard });
  const users: User[] = [];
  for (let n = 0; n < count; n += 1) users.push(await User.withTotp(tenant));
  return users;
}

/** Versions that the tenants' records are sealed under. */
async function versionsIn(shard: 0 | 1, { tenant }: User): Promise<Set<string>> {
  const rows = await rowsIn(shard, "identities", tenant.id);
  const boxes = rows.flatMap(({ state }) => [...String(state).matchAll(/"sealed":"(\d+)\./g)]);
  return new Set(boxes.map(([, version]) => String(version)));
}

beforeEach(async () => {
  await clearKeyedData();
  await deploy(firstSealingKey);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const back of undo.splice(0).toReversed()) back();
});

describe("A re-encryption with identities in two databases", () => {
  it("reaches all of them, tells of them together, and only then frees the old key", async () => {
    const [near] = await newUsers(0, 3);
    const [far] = await newUsers(1, 3);
    if (near === undefined || far === undefined) throw new Error("no users");
    await deploy(both);
    const first = await slice(10);
    expect(first).toMatchObject({ total: 6, seen: 3, done: false });
    await slice();
    expect(await versionsIn(0, near)).toEqual(new Set(["2"]));
    expect(await versionsIn(1, far)).toEqual(new Set(["1"]));
    expect(await sealingInUse()).toEqual([1, 2]);
    await finish();
    expect(await versionsIn(1, far)).toEqual(new Set(["2"]));
    expect(await sealingInUse()).toEqual([2]);
    await deploy(secondSealingKey);
    for (const user of [near, far]) {
      expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    }
  });

  it("is reopened by a tenant that arrives with records under the old key", async () => {
    const [user] = await newUsers(1, 2);
    if (user === undefined) throw new Error("no user");
    await deploy(both);
    // In DB all is done already, and its old key free.
    await slice();
    await relocateUpTo(user.tenant, 0, "comparing");
    // What is moving cannot be sealed anew, and keeps its key in use.
    for (let n = 0; n < 6; n += 1) expect((await slice()).done).toBe(false);
    expect(await sealingInUse()).toEqual([1, 2]);
    await relocateFully(user.tenant, 0);
    await finish();
    expect(await versionsIn(0, user)).toEqual(new Set(["2"]));
    expect(await sealingInUse()).toEqual([2]);
  });
});

describe("A database besides DB that does not answer", () => {
  it("keeps no request waiting for its keys but the first, and is asked again", async () => {
    const [, away] = databases();
    vi.spyOn(console, "error").mockImplementation(() => {});
    await away.prepare("ALTER TABLE key_versions RENAME TO elsewhere").run();
    const changed = { ...env, SEALING_KEYS: firstSealingKey };
    const ask = async () =>
      await worker.fetch(
        new Request("https://idp.test/openapi.json"),
        changed,
        createExecutionContext(),
      );
    expect((await ask()).status).toBe(200);
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
    const asked = vi.spyOn(statement, "raw");
    expect((await ask()).status).toBe(200);
    expect(asked).not.toHaveBeenCalled();
    await away.prepare("ALTER TABLE elsewhere RENAME TO key_versions").run();
    await away
      .prepare("INSERT OR REPLACE INTO key_versions VALUES ('sealing', 1, 'another', 1, NULL)")
      .run();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });
    expect((await ask()).status).toBe(503);
  });
});
