import { createExecutionContext, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { buildDelivery } from "../../src/guard/delivery/delivery.ts";
import { GuardStorage } from "../../src/guard/storage.ts";
import worker from "../../src/index.ts";
import { secretOf } from "../../src/keys/keyring-names.ts";
import { causeOf } from "../../src/log.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { countOutboxRows, evict, guardOf, loseStorage } from "../support/guard.ts";
import {
  clearKeyedData,
  deployKeys,
  firstCodeKey,
  firstSealingKey,
  secondCodeKey,
  secondSealingKey,
} from "../support/keys.ts";
import { refuseMessages } from "../support/queue.ts";
import {
  fireLogAlarm,
  readRefusalEvents,
  readRefusalLog,
  refusalLogOf,
} from "../support/refusal-log.ts";

const token = env.OPERATOR_TOKEN;
const both = `${firstSealingKey},${secondSealingKey}`;
const undo: (() => void)[] = [];

let secrets: Record<string, string> = {};

/** Puts the keys in force, and has a first request reach a new isolate that has them. */
async function deploy(...[name, text]: Parameters<typeof deployKeys>): Promise<void> {
  undo.push(await deployKeys(name, text));
  secrets = { ...secrets, [secretOf[name]]: text };
  await ask("/openapi.json", secrets);
}

/** A request to a new isolate with these secrets. */
async function ask(path: string, changed: object): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}` };
  const request = new Request(`https://idp.test${path}`, { headers });
  return await worker.fetch(request, { ...env, ...changed }, createExecutionContext());
}

function slice(limit = 2): Promise<Answer> {
  return send("POST", "/v1/keys/re-encryption", { token, body: { re_encryption: { limit } } });
}

/** Sends slices until it is done. @returns how many identities were seen after each */
async function finish(limit = 2): Promise<number[]> {
  const seen: number[] = [];
  for (let n = 0; n < 50; n += 1) {
    const { status, body } = await slice(limit);
    expect(status).toBe(200);
    seen.push(body.re_encryption.seen);
    if (body.re_encryption.done) return seen;
  }
  throw new Error("It does not end");
}

async function versionsInUse(keyring: string): Promise<number[]> {
  const { body } = await send("GET", "/v1/keys", { token });
  const keys: { keyring: string; version: number; in_use: boolean }[] = body.keys;
  return keys.filter((key) => key.keyring === keyring && key.in_use).map((key) => key.version);
}

/** Versions of all sealed boxes of the users, in their guards and in D1. */
async function versionsStored(users: readonly User[]): Promise<Set<string>> {
  const texts: string[] = [];
  for (const user of users) {
    texts.push(
      ...(await runInDurableObject(guardOf(user), (_guard, { storage }) => [
        storage.sql.exec<{ state: string }>("SELECT state FROM live").one().state,
        JSON.stringify(
          storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'answers'").toArray().length
            ? storage.sql.exec("SELECT receipt FROM answers").toArray()
            : [],
        ),
      ])),
    );
  }
  const { results } = await env.DB.prepare(
    "SELECT state AS text FROM identities WHERE state IS NOT NULL UNION ALL SELECT box FROM request_keys",
  ).all<{ text: string }>();
  texts.push(...results.map(({ text }) => `"${text}"`));
  const boxes = texts.flatMap((text) => [...text.matchAll(/(\d+)\.[\w-]{16}\.[\w-]{20,}/g)]);
  return new Set(boxes.map(([, version]) => String(version)));
}

/** Users of the present test. */
const made: User[] = [];

async function newUsers(count: number): Promise<User[]> {
  const tenant = await Tenant.create();
  const users: User[] = [];
  for (let n = 0; n < count; n += 1) users.push(await User.withTotp(tenant));
  made.push(...users);
  return users;
}

beforeEach(async () => {
  secrets = {};
  // Nothing of one test arrives in the next.
  refuseMessages();
  await clearKeyedData();
  await deploy("sealing", firstSealingKey);
});

afterEach(async () => {
  for (const user of made.splice(0)) await drainOutbox(user);
  vi.restoreAllMocks();
  for (const back of undo.splice(0).toReversed()) back();
});

describe("A new sealing key", () => {
  it("seals what is new, while what is old goes on working", async () => {
    const users = await newUsers(2);
    await deploy("sealing", both);
    const [old, renewed] = users;
    if (old === undefined || renewed === undefined) throw new Error("no users");
    await renewed.configure();
    for (const user of users) expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect(await versionsStored([old])).toContain("1");
    expect(await versionsInUse("sealing")).toEqual([1, 2]);
  });

  it("has everything under it after the re-encryption, the idle and the unconfirmed too", async () => {
    const users = await newUsers(5);
    const [first, second] = users;
    if (first === undefined || second === undefined) throw new Error("no users");
    await first.tenant.setSettings({ otp: { enrolment: "confirm" } });
    await second.configure();
    const keyed = { headers: { "Idempotency-Key": "k" }, token: first.tenant.token };
    const issued = await send("POST", first.path("/backup-codes"), keyed);
    await evict(first);
    await deploy("sealing", both);
    // A delivery that comes only now puts an audit key under the new one by itself.
    expect(await versionsStored(users)).toContain("1");
    const seen = await finish();
    expect(seen.slice(0, 2)).toEqual([2, 4]);
    expect(await versionsStored(users)).toEqual(new Set(["2"]));
    expect(await versionsInUse("sealing")).toEqual([2]);
    // With the old key gone: codes, an unconfirmed secret, the trail, a repeated request.
    await deploy("sealing", secondSealingKey);
    for (const user of users) {
      expect((await user.verify(user.code(Date.now()))).status).toBe(200);
      expect((await user.events())[0].target.external_id).toBe(user.externalId);
    }
    const repeated = await send("POST", first.path("/backup-codes"), keyed);
    expect(repeated.body).toEqual(issued.body);
    await loseStorage(second);
    expect((await second.profile()).has_otp).toBe(true);
  });

  it("leaves lock, counter, spent code and trail as they were", async () => {
    const [user] = await newUsers(1);
    if (user === undefined) throw new Error("no user");
    const code = user.code(Date.now());
    await user.verify(code);
    for (let n = 0; n < 5; n += 1) await user.verify(user.wrongCode(Date.now()));
    const { updated_at: _updatedAt, ...profile } = await user.profile();
    await guardOf(user).deliver();
    const events = await user.events();
    await deploy("sealing", both);
    await finish();
    expect(await user.profile()).toMatchObject(profile);
    expect(await user.events()).toEqual(events);
    await user.tenant.send("POST", user.path("/unlock"));
    expect((await user.verify(code)).status).toBe(422);
  });
});

describe("A re-encryption that is killed", () => {
  it("before it could save where it stands goes on from the slice before", async () => {
    const users = await newUsers(5);
    await deploy("sealing", both);
    expect((await slice()).body.re_encryption.seen).toBe(2);
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
    const raw: (...args: unknown[]) => Promise<unknown> = statement.raw;
    vi.spyOn(statement, "raw").mockImplementation(function (this: object, ...args) {
      const isSave = String(Reflect.get(this, "statement")).startsWith('update "re_encryptions"');
      if (isSave) throw new Error("injected: the Worker is gone");
      return raw.apply(this, args);
    });
    expect((await slice()).status).toBe(503);
    vi.restoreAllMocks();
    expect((await slice()).body.re_encryption.seen).toBe(4);
    await finish();
    expect(await versionsStored(users)).toEqual(new Set(["2"]));
  });

  it("by a fault of D1 counts nobody as done who is not, and ends whole", async () => {
    const users = await newUsers(3);
    await deploy("sealing", both);
    expect((await withD1Fault("throws", () => slice())).status).toBe(503);
    expect((await withD1Fault("fails on write", () => slice())).status).toBe(503);
    await finish();
    expect(await versionsStored(users)).toEqual(new Set(["2"]));
    expect(await versionsInUse("sealing")).toEqual([2]);
  });

  it("by a guard that is out of reach makes another pass, and retires no key before", async () => {
    const users = await newUsers(3);
    const [broken] = users;
    if (broken === undefined) throw new Error("no user");
    await deploy("sealing", both);
    const { state } = await runInDurableObject(guardOf(broken), (_guard, { storage }) => {
      const row = storage.sql.exec<{ state: string }>("SELECT state FROM live").one();
      storage.sql.exec(
        'UPDATE live SET state = replace(state, \'"sealed":"1.\', \'"sealed":"9.\')',
      );
      return row;
    });
    await evict(broken);
    const progress: Answer["body"][] = [];
    for (let n = 0; n < 4; n += 1) progress.push((await slice(10)).body.re_encryption);
    expect(progress.at(0)).toMatchObject({ seen: 3, failed: 1, done: false });
    expect(progress.at(1)).toMatchObject({ seen: 0, passes: 1, left_over: 1, done: false });
    expect(await versionsInUse("sealing")).toEqual([1, 2]);
    await runInDurableObject(guardOf(broken), (_guard, { storage }) => {
      storage.sql.exec("UPDATE live SET state = ?", state);
    });
    await evict(broken);
    await finish();
    expect(await versionsInUse("sealing")).toEqual([2]);
    expect((await broken.verify(broken.code(Date.now()))).status).toBe(200);
  });

  it("and run by two at once ends as if by one", async () => {
    const users = await newUsers(6);
    await deploy("sealing", both);
    for (let n = 0; n < 6; n += 1) await Promise.all([slice(), slice(), slice()]);
    await finish();
    expect(await versionsStored(users)).toEqual(new Set(["2"]));
  });
});

describe("A new key for backup codes", () => {
  it("leaves the codes of before working, and the old key in use while anybody has some", async () => {
    await deploy("backup_codes", firstCodeKey);
    const [user] = await newUsers(1);
    if (user === undefined) throw new Error("no user");
    const [code = "", second = ""] = await user.backupCodes();
    await deploy("backup_codes", `${firstCodeKey},${secondCodeKey}`);
    expect((await user.verify(code)).status).toBe(200);
    await finish();
    expect(await versionsInUse("backup_codes")).toEqual([1, 2]);
    const [renewed = ""] = await user.backupCodes();
    await finish();
    expect(await versionsInUse("backup_codes")).toEqual([2]);
    await deploy("backup_codes", secondCodeKey);
    expect((await user.verify(renewed)).status).toBe(200);
    expect((await user.verify(second)).status).toBe(422);
  });
});

describe("The service with keys that do not fit its data", () => {
  const withBoth = { SEALING_KEYS: both };

  function logged(): string[] {
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
    return lines;
  }

  it.each([
    ["without the newest", { SEALING_KEYS: firstSealingKey }, "SEALING_KEYS lacks version 2"],
    ["without an older one", { SEALING_KEYS: secondSealingKey }, "SEALING_KEYS lacks version 1"],
    [
      "with another key under the same number",
      { BACKUP_CODE_KEYS: `1:${btoa("another code key, 32 bytes long!")}` },
      "BACKUP_CODE_KEYS has another key as version 1",
    ],
    [
      "without the key that signed the trail",
      { AUDIT_SIGNING_KEYS: `2:${btoa("another audit seed, 32 bytes (!)")}` },
      "AUDIT_SIGNING_KEYS lacks version 1",
    ],
  ])("refuses to work %s, and the log says which", async (_how, secrets, problem) => {
    expect((await ask("/v1/keys", { SEALING_KEYS: firstSealingKey })).status).toBe(200);
    expect((await ask("/v1/keys", withBoth)).status).toBe(200);
    const lines = logged();
    const broken = { ...withBoth, ...secrets };
    for (const path of ["/v1/keys", "/readyz", "/docs", "/openapi.json"]) {
      expect((await ask(path, broken)).status).toBe(503);
    }
    expect((await ask("/healthz", broken)).status).toBe(200);
    expect(lines.join()).toContain(problem);
    for (const secret of Object.values(secrets)) {
      expect(lines.join()).not.toContain(secret.split(":")[1]);
    }
    expect((await ask("/v1/keys", withBoth)).status).toBe(200);
  });

  it("delivers nothing of a guard, whose alarm no door keeps out, and all of it with the right ones", async () => {
    const [user] = await newUsers(1);
    if (user === undefined) throw new Error("no user");
    await withD1Fault("throws", () => user.verify(user.wrongCode(Date.now())));
    const other = { AUDIT_SIGNING_KEYS: `1:${btoa("another audit seed, 32 bytes (!)")}` };
    logged();
    const tried = await runInDurableObject(guardOf(user), async (_guard, { storage }) => {
      const pending = new GuardStorage(storage).readPending();
      if (pending === undefined) throw new Error("nothing waits");
      return await buildDelivery({ ...env, ...other }, pending, Date.now()).catch(causeOf);
    });
    expect(tried).toBe("MismatchedKeysError");
    expect(await countOutboxRows(user)).toBe(1);
    await guardOf(user).deliver();
    expect(await countOutboxRows(user)).toBe(0);
    expect((await user.events())[0]).toMatchObject({ action: "otp.verified" });
    expect((await user.tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(200);
  });

  it("delivers nothing of a refusal log, and all of it with the right ones", async () => {
    const { id } = await Tenant.create();
    const refusal = {
      ...({ action: "request.refused", reason: "insufficient_scope", route: "verifyOtp" } as const),
      ...{ count: 1, at: Date.now(), requestId: "request" },
      actor: { type: "api_token", id: "a".repeat(24) } as const,
    };
    const log = refusalLogOf(id);
    const withEnv = async (changed: object): Promise<object> =>
      await runInDurableObject(log, (instance) => {
        const before: object = Reflect.get(instance, "env");
        Reflect.set(instance, "env", { ...before, ...changed });
        return before;
      });
    const right = await withEnv({
      AUDIT_SIGNING_KEYS: `1:${btoa("another audit seed, 32 bytes (!)")}`,
    });
    const lines = logged();
    expect(await log.count(id, refusal)).toBe(true);
    await fireLogAlarm(id);
    expect(lines.join()).toContain("AUDIT_SIGNING_KEYS has another key as version 1");
    expect((await readRefusalLog(id)).undelivered).toBe(1);
    expect(await readRefusalEvents(id)).toEqual([]);
    await withEnv(right);
    await fireLogAlarm(id);
    expect((await readRefusalLog(id)).undelivered).toBe(0);
    expect(await readRefusalEvents(id)).toHaveLength(1);
  });

  it("works without a key that nothing needs any more", async () => {
    await newUsers(1);
    await ask("/v1/keys", { SEALING_KEYS: firstSealingKey });
    await deploy("sealing", both);
    await ask("/v1/keys", withBoth);
    await finish();
    expect((await ask("/v1/keys", { SEALING_KEYS: secondSealingKey })).status).toBe(200);
  });

  it("counts a key as needed again when something under it arrives late", async () => {
    const [user] = await newUsers(1);
    if (user === undefined) throw new Error("no user");
    await ask("/v1/keys", { SEALING_KEYS: firstSealingKey });
    await deploy("sealing", both);
    await ask("/v1/keys", withBoth);
    await finish();
    expect(await versionsInUse("sealing")).toEqual([2]);
    await deploy("sealing", firstSealingKey);
    await user.configure();
    await deploy("sealing", both);
    await user.verify(user.code(Date.now()));
    await guardOf(user).deliver();
    expect(await versionsInUse("sealing")).toEqual([1, 2]);
    const lines = logged();
    expect((await ask("/v1/keys", { SEALING_KEYS: secondSealingKey })).status).toBe(503);
    expect(lines.join()).toContain("SEALING_KEYS lacks version 1");
    await finish();
    expect(await versionsStored([user])).toEqual(new Set(["2"]));
    expect(await versionsInUse("sealing")).toEqual([2]);
  });

  it("is put right where a kept request under the old key arrives after the end", async () => {
    const [user] = await newUsers(1);
    if (user === undefined) throw new Error("no user");
    await deploy("sealing", both);
    await finish();
    await deploy("sealing", firstSealingKey);
    const keyed = { headers: { "Idempotency-Key": "late" }, token: user.tenant.token };
    const body = { token: { name: "t", permissions: ["idp:read"] } };
    const issued = await send("POST", "/v1/tokens", { ...keyed, body });
    await deploy("sealing", both);
    await finish();
    await deploy("sealing", secondSealingKey);
    expect((await send("POST", "/v1/tokens", { ...keyed, body })).body).toEqual(issued.body);
  });

  it("is put right after a restore of D1 to before the re-encryption", async () => {
    const users = await newUsers(2);
    await deploy("sealing", both);
    const restore = await snapshotOfD1();
    await finish();
    await restore();
    expect(await versionsStored(users)).toContain("1");
    await finish();
    expect(await versionsStored(users)).toEqual(new Set(["2"]));
    expect(await versionsInUse("sealing")).toEqual([2]);
  });

  it("does not take a silent D1 for a missing key", async () => {
    const lines = logged();
    const answer = await withD1Fault("throws", () => ask("/openapi.json", withBoth));
    expect(answer.status).toBe(200);
    expect(lines.join()).toContain("keys_not_checked");
  });
});
