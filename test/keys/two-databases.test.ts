/** The service's keys while identities are in two databases. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runBatch } from "../../src/db/client.ts";
import { controlDbOf } from "../../src/db/shards.ts";
import worker from "../../src/index.ts";
import { markForCheck, retireChecked } from "../../src/keys/version-store.ts";
import { send, Tenant, User } from "../support/client.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { clearKeyedData, deployKeys, firstSealingKey, secondSealingKey } from "../support/keys.ts";
import { deleteBehindFence, relocate, relocateFully, relocateUpTo } from "../support/relocation.ts";

const token = env.OPERATOR_TOKEN;
const bothKeys = `${firstSealingKey},${secondSealingKey}`;
const undo: (() => void)[] = [];

/** Deploys the keys and sends a first request to a new isolate that has them. */
async function deploy(text: string): Promise<void> {
  undo.push(await deployKeys("sealing", text));
  const changed = { ...env, SEALING_KEYS: text };
  await worker.fetch(
    new Request("https://idp.test/openapi.json"),
    changed,
    createExecutionContext(),
  );
}

async function runSlice(limit = 2) {
  const answer = await send("POST", "/v1/keys/re-encryption", {
    token,
    body: { re_encryption: { limit } },
  });
  expect(answer.status).toBe(200);
  return answer.body.re_encryption;
}

async function runToEnd(): Promise<void> {
  for (let n = 0; n < 50; n += 1) if ((await runSlice()).done) return;
  throw new Error("The re-encryption does not end");
}

async function findVersionsInUse(): Promise<number[]> {
  const { body } = await send("GET", "/v1/keys", { token });
  const keys: { keyring: string; version: number; in_use: boolean }[] = body.keys;
  return keys
    .filter(({ keyring, in_use }) => keyring === "sealing" && in_use)
    .map(({ version }) => version);
}

async function createUsers(shard: number, count: number): Promise<User[]> {
  const tenant = await Tenant.create("test", { shard });
  const users: User[] = [];
  for (let n = 0; n < count; n += 1) users.push(await User.withTotp(tenant));
  return users;
}

/** The key versions that seal the tenant's records in a database. */
async function findVersionsIn(shard: 0 | 1, { tenant }: User): Promise<Set<string>> {
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
  it("seals all of them again, reports them together, and only then retires the old key", async () => {
    const [firstUser] = await createUsers(0, 3);
    const [secondUser] = await createUsers(1, 3);
    if (firstUser === undefined || secondUser === undefined) throw new Error("no users");
    await deploy(bothKeys);
    const first = await runSlice(10);
    expect(first).toMatchObject({ total: 6, seen: 3, done: false });
    await runSlice();
    expect(await findVersionsIn(0, firstUser)).toEqual(new Set(["2"]));
    expect(await findVersionsIn(1, secondUser)).toEqual(new Set(["1"]));
    expect(await findVersionsInUse()).toEqual([1, 2]);
    await runToEnd();
    expect(await findVersionsIn(1, secondUser)).toEqual(new Set(["2"]));
    expect(await findVersionsInUse()).toEqual([2]);
    await deploy(secondSealingKey);
    for (const user of [firstUser, secondUser]) {
      expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    }
  });

  it("starts again when a tenant arrives with records under the old key", async () => {
    const [user] = await createUsers(1, 2);
    if (user === undefined) throw new Error("no user");
    await deploy(bothKeys);
    // The re-encryption in DB is done already, and its old key is retired.
    await runSlice();
    await relocateUpTo(user.tenant, 0, "comparing");
    // Records that are moving cannot be sealed again, and keep their key in use.
    for (let n = 0; n < 6; n += 1) expect((await runSlice()).done).toBe(false);
    expect(await findVersionsInUse()).toEqual([1, 2]);
    await relocateFully(user.tenant, 0);
    await runToEnd();
    expect(await findVersionsIn(0, user)).toEqual(new Set(["2"]));
    expect(await findVersionsInUse()).toEqual([2]);
  });

  it("does not retire a key while a tenant that needs it is between two databases", async () => {
    const [user] = await createUsers(0, 1);
    if (user === undefined) throw new Error("no user");
    const { tenant } = user;
    await deploy(bothKeys);
    await relocateUpTo(tenant, 1, "opening");
    vi.spyOn(console, "error").mockImplementation(() => {});
    // Its rows in DB count as leftovers, but a row is missing in DB_1, so it returns to them.
    await deleteBehindFence(tenant, "audit_events", "leaf_index = 1");
    const body = { re_encryption: { limit: 2 } };
    const sendSlice = () => send("POST", "/v1/keys/re-encryption", { token, body });
    // The first slices seal identities anew, as many as other tests have left; then comes the check.
    let refused = await sendSlice();
    for (let n = 0; n < 20 && refused.status === 200; n += 1) refused = await sendSlice();
    const db = controlDbOf(env);
    await runBatch(db, [markForCheck(db, "sealing", [1], "check")]);
    expect((await relocate(tenant, 1, 1)).body.relocation.phase).toBe("returning");
    await relocateFully(tenant, 0);
    await retireChecked(db, "sealing", [1], "check", Date.now());
    expect(await findVersionsIn(0, user)).toEqual(new Set(["1"]));
    expect(await findVersionsInUse()).toEqual([1, 2]);
    for (let n = 0; n < 6; n += 1) {
      await sendSlice();
      const stored = [...(await findVersionsIn(0, user))].map(Number);
      expect(await findVersionsInUse()).toEqual(expect.arrayContaining(stored));
    }
    expect(refused.body.code).toBe("relocation_in_progress");
    await runToEnd();
    expect(await findVersionsIn(0, user)).toEqual(new Set(["2"]));
    expect(await findVersionsInUse()).toEqual([2]);
  });

  it("keeps the key of a tenant that returns to a database that was already closed", async () => {
    const [user] = await createUsers(0, 1);
    if (user === undefined) throw new Error("no user");
    await relocateUpTo(user.tenant, 1, "switching");
    // The request ends after it has closed DB, and the tenant's rows there look like leftovers.
    await databases()[0]
      .prepare("UPDATE tenant_fences SET state = 'left' WHERE tenant_id = ?")
      .bind(user.tenant.id)
      .run();
    await deploy(bothKeys);
    vi.spyOn(console, "error").mockImplementation(() => {});
    const body = { re_encryption: { limit: 2 } };
    const statuses: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      const answer = await send("POST", "/v1/keys/re-encryption", { token, body });
      statuses.push(answer.status);
      expect(answer.body.re_encryption?.done).not.toBe(true);
    }
    // The check waits for the end of the relocation.
    expect(statuses.at(-1)).toBe(409);
    expect(await findVersionsInUse()).toEqual([1, 2]);
    await relocateFully(user.tenant, 0);
    await runToEnd();
    expect(await findVersionsIn(0, user)).toEqual(new Set(["2"]));
    expect(await findVersionsInUse()).toEqual([2]);
  });
});

describe("An unreachable database other than DB", () => {
  it("delays only the first request, and is queried again later", async () => {
    const [, otherDatabase] = databases();
    vi.spyOn(console, "error").mockImplementation(() => {});
    await otherDatabase.prepare("ALTER TABLE key_versions RENAME TO elsewhere").run();
    const changed = { ...env, SEALING_KEYS: firstSealingKey };
    const sendRequest = async () =>
      await worker.fetch(
        new Request("https://idp.test/openapi.json"),
        changed,
        createExecutionContext(),
      );
    expect((await sendRequest()).status).toBe(200);
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
    const queries = vi.spyOn(statement, "raw");
    expect((await sendRequest()).status).toBe(200);
    expect(queries).not.toHaveBeenCalled();
    await otherDatabase.prepare("ALTER TABLE elsewhere RENAME TO key_versions").run();
    await otherDatabase
      .prepare("UPDATE key_versions SET fingerprint = 'another' WHERE keyring = 'sealing'")
      .run();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });
    expect((await sendRequest()).status).toBe(503);
  });
});
