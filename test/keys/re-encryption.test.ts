import { createExecutionContext, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { requireConfig } from "../../src/env.ts";
import { buildDelivery } from "../../src/guard/delivery/build-delivery.ts";
import { GuardStorage } from "../../src/guard/storage.ts";
import worker from "../../src/index.ts";
import { secretOf } from "../../src/keys/keyring-names.ts";
import { causeOf } from "../../src/log.ts";
import { stampTenantEvents } from "../../src/tenancy/tenant-audit-key.ts";
import { codeFor } from "../support/authenticator.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { countUndelivered, evict, guardOf, loseStorage } from "../support/guard.ts";
import {
  clearKeyedData,
  deployKeys,
  firstCodeKey,
  firstSealingKey,
  secondCodeKey,
  secondSealingKey,
} from "../support/keys.ts";
import {
  connect,
  createReceiver,
  createWebhook,
  disconnect,
  verifyMessage,
} from "../support/receiver.ts";
import {
  fireLogAlarm,
  readRefusalEvents,
  readRefusalLog,
  refusalLogOf,
} from "../support/refusal-log.ts";
import { eventOf } from "../support/trail.ts";

const token = env.OPERATOR_TOKEN;
const bothKeys = `${firstSealingKey},${secondSealingKey}`;
const undo: (() => void)[] = [];

let secrets: Record<string, string> = {};

/** Deploys the keys and sends a first request to a new isolate that has them. */
async function deploy(...[name, text]: Parameters<typeof deployKeys>): Promise<void> {
  undo.push(await deployKeys(name, text));
  secrets = { ...secrets, [secretOf[name]]: text };
  await sendToNewIsolate("/openapi.json", secrets);
}

/** Sends a request to a new isolate with these secrets. */
async function sendToNewIsolate(path: string, changed: object): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}` };
  const request = new Request(`https://idp.test${path}`, { headers });
  return await worker.fetch(request, { ...env, ...changed }, createExecutionContext());
}

function runSlice(limit = 2): Promise<Answer> {
  return send("POST", "/v1/keys/re-encryption", { token, body: { re_encryption: { limit } } });
}

/** Runs slices until the re-encryption is done. @returns the number of identities seen after each slice */
async function runToEnd(limit = 2): Promise<number[]> {
  const seen: number[] = [];
  for (let n = 0; n < 50; n += 1) {
    const { status, body } = await runSlice(limit);
    expect(status).toBe(200);
    seen.push(body.re_encryption.seen);
    if (body.re_encryption.done) return seen;
  }
  throw new Error("The re-encryption does not end");
}

async function findVersionsInUse(keyring: string): Promise<number[]> {
  const { body } = await send("GET", "/v1/keys", { token });
  const keys: { keyring: string; version: number; in_use: boolean }[] = body.keys;
  return keys.filter((key) => key.keyring === keyring && key.in_use).map((key) => key.version);
}

/** The key versions of all sealed boxes of the users, in their guards and in D1. */
async function findStoredVersions(users: readonly User[]): Promise<Set<string>> {
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
    "SELECT state AS text FROM identities WHERE state IS NOT NULL UNION ALL SELECT box FROM request_keys UNION ALL SELECT audit_key FROM tenants WHERE audit_key IS NOT NULL UNION ALL SELECT credentials FROM destinations",
  ).all<{ text: string }>();
  texts.push(...results.map(({ text }) => `"${text}"`));
  const boxes = texts.flatMap((text) => [...text.matchAll(/(\d+)\.[\w-]{16}\.[\w-]{20,}/g)]);
  return new Set(boxes.map(([, version]) => String(version)));
}

/** The users that the current test created. */
const createdUsers: User[] = [];

async function createUsers(count: number): Promise<User[]> {
  const tenant = await Tenant.create();
  const users: User[] = [];
  for (let n = 0; n < count; n += 1) users.push(await User.withTotp(tenant));
  createdUsers.push(...users);
  return users;
}

beforeEach(async () => {
  secrets = {};
  await clearKeyedData();
  await deploy("sealing", firstSealingKey);
});

afterEach(async () => {
  for (const user of createdUsers.splice(0)) await drainOutbox(user);
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const back of undo.splice(0).toReversed()) back();
});

describe("A new sealing key", () => {
  it("seals new data, and old data can still be used", async () => {
    const users = await createUsers(2);
    await deploy("sealing", bothKeys);
    const [old, renewed] = users;
    if (old === undefined || renewed === undefined) throw new Error("no users");
    await renewed.configure();
    for (const user of users) expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect(await findStoredVersions([old])).toContain("1");
    expect(await findVersionsInUse("sealing")).toEqual([1, 2]);
  });

  it("seals everything after the re-encryption, including idle users and pending secrets", async () => {
    const users = await createUsers(5);
    const [first, second] = users;
    if (first === undefined || second === undefined) throw new Error("no users");
    await first.tenant.setSettings({ otp: { enrolment: "confirm" } });
    await second.configure();
    const added = await second.addAuthenticator();
    await first.tenant.setSettings({ otp: { enrolment: "immediate" } });
    const live = await second.addAuthenticator({ algorithm: "SHA256", digits: 8 });
    const keyed = { headers: { "Idempotency-Key": "k" }, token: first.tenant.token };
    const issued = await send("POST", first.path("/backup-codes"), keyed);
    await evict(first);
    await deploy("sealing", bothKeys);
    // A delivery at this point would already seal the audit key under the new key.
    expect(await findStoredVersions(users)).toContain("1");
    const seen = await runToEnd();
    expect(seen.slice(0, 2)).toEqual([2, 4]);
    expect(await findStoredVersions(users)).toEqual(new Set(["2"]));
    expect(await findVersionsInUse("sealing")).toEqual([2]);
    // Without the old key, codes, a pending secret, the trail and a repeated request still work.
    await deploy("sealing", secondSealingKey);
    for (const user of users) {
      expect((await user.verify(user.code(Date.now()))).status).toBe(200);
      expect((await user.events())[0].target.external_id).toBe(user.externalId);
    }
    for (const { new_otp_secret: secret, ...parameters } of [live, added]) {
      const code = codeFor(secret, Date.now(), parameters);
      expect((await second.verify(code)).status).toBe(200);
    }
    const repeated = await send("POST", first.path("/backup-codes"), keyed);
    expect(repeated.body).toEqual(issued.body);
    await loseStorage(second);
    expect((await second.profile()).has_otp).toBe(true);
  });

  it("seals the secrets of webhooks after the re-encryption, which sign as before", async () => {
    const tenant = await Tenant.create();
    const receiver = createReceiver();
    connect(receiver);
    try {
      const { id, secret } = await createWebhook(tenant, receiver, ["tenant.deleted"]);
      await deploy("sealing", bothKeys);
      await runToEnd();
      expect(await findVersionsInUse("sealing")).toEqual([2]);
      await deploy("sealing", secondSealingKey);
      const { body } = await tenant.send("POST", `/v1/webhooks/${id}/test`);
      expect(body.attempt.error).toBeNull();
      verifyMessage(secret, receiver.received[0] ?? expect.fail());
    } finally {
      disconnect();
    }
  });

  it("seals the audit key of a tenant after the re-encryption", async () => {
    const tenant = await Tenant.create();
    const change = () =>
      send("PATCH", "/v1/settings", {
        token: tenant.token,
        body: { settings: {} },
        headers: { "Acting-For": "ORG_ADMIN" },
      });
    await change();
    await deploy("sealing", bothKeys);
    expect(await findStoredVersions([])).toContain("1");
    await runToEnd();
    expect(await findStoredVersions([])).toEqual(new Set(["2"]));
    expect(await findVersionsInUse("sealing")).toEqual([2]);
    await deploy("sealing", secondSealingKey);
    await change();
    const { events } = (await tenant.send("GET", "/v1/audit/events?action=settings.changed")).body;
    const persons = events.map(({ actor }: Answer["body"]) => actor.acting_for);
    expect(persons).toEqual(["ORG_ADMIN", "ORG_ADMIN"]);
  });

  it("that was retired is in use again once a tenant's audit key is under it", async () => {
    const tenant = await Tenant.create();
    await deploy("sealing", bothKeys);
    await runToEnd();
    expect(await findVersionsInUse("sealing")).toEqual([2]);
    // An isolate of the deployment before, which has checked its keys.
    const config = requireConfig({ ...env, [secretOf.sealing]: firstSealingKey });
    const call = { env, config, now: Date.now() };
    const event = { ...eventOf(tenant.id, call.now), personal: { acting_for: "ORG_ADMIN" } };
    await stampTenantEvents(call, tenant.id, [event]);
    expect(await findVersionsInUse("sealing")).toEqual([1, 2]);
    await runToEnd();
    expect(await findVersionsInUse("sealing")).toEqual([2]);
  });

  it("does not change lock, failure counter, spent code or trail", async () => {
    const [user] = await createUsers(1);
    if (user === undefined) throw new Error("no user");
    const code = user.code(Date.now());
    await user.verify(code);
    for (let n = 0; n < 5; n += 1) await user.verify(user.wrongCode(Date.now()));
    const { updated_at: _updatedAt, ...profile } = await user.profile();
    await guardOf(user).deliver();
    const events = await user.events();
    await deploy("sealing", bothKeys);
    await runToEnd();
    expect(await user.profile()).toMatchObject(profile);
    expect(await user.events()).toEqual(events);
    await user.tenant.send("POST", user.path("/unlock"));
    expect((await user.verify(code)).status).toBe(422);
  });
});

describe("A re-encryption", () => {
  it("continues from the previous slice if it could not save its progress", async () => {
    const users = await createUsers(5);
    await deploy("sealing", bothKeys);
    expect((await runSlice()).body.re_encryption.seen).toBe(2);
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
    const raw: (...args: unknown[]) => Promise<unknown> = statement.raw;
    vi.spyOn(statement, "raw").mockImplementation(function (this: object, ...args) {
      const isSave = String(Reflect.get(this, "statement")).startsWith('update "re_encryptions"');
      if (isSave) throw new Error("injected: the Worker was stopped");
      return raw.apply(this, args);
    });
    expect((await runSlice()).status).toBe(503);
    vi.restoreAllMocks();
    expect((await runSlice()).body.re_encryption.seen).toBe(4);
    await runToEnd();
    expect(await findStoredVersions(users)).toEqual(new Set(["2"]));
  });

  it("counts no identity too early when D1 fails, and completes later", async () => {
    const users = await createUsers(3);
    await deploy("sealing", bothKeys);
    expect((await withD1Fault("throws", () => runSlice())).status).toBe(503);
    expect((await withD1Fault("fails on write", () => runSlice())).status).toBe(503);
    await runToEnd();
    expect(await findStoredVersions(users)).toEqual(new Set(["2"]));
    expect(await findVersionsInUse("sealing")).toEqual([2]);
  });

  it("starts another pass after a guard was unreachable, and retires no key before it completes", async () => {
    const users = await createUsers(3);
    const [broken] = users;
    if (broken === undefined) throw new Error("no user");
    await deploy("sealing", bothKeys);
    const { state } = await runInDurableObject(guardOf(broken), (_guard, { storage }) => {
      const row = storage.sql.exec<{ state: string }>("SELECT state FROM live").one();
      storage.sql.exec(
        'UPDATE live SET state = replace(state, \'"sealed":"1.\', \'"sealed":"9.\')',
      );
      return row;
    });
    await evict(broken);
    const progress: Answer["body"][] = [];
    for (let n = 0; n < 4; n += 1) progress.push((await runSlice(10)).body.re_encryption);
    expect(progress.at(0)).toMatchObject({ seen: 3, failed: 1, done: false });
    expect(progress.at(1)).toMatchObject({ seen: 0, passes: 1, left_over: 1, done: false });
    expect(await findVersionsInUse("sealing")).toEqual([1, 2]);
    await runInDurableObject(guardOf(broken), (_guard, { storage }) => {
      storage.sql.exec("UPDATE live SET state = ?", state);
    });
    await evict(broken);
    await runToEnd();
    expect(await findVersionsInUse("sealing")).toEqual([2]);
    expect((await broken.verify(broken.code(Date.now()))).status).toBe(200);
  });

  it("completes when several requests run it at once", async () => {
    const users = await createUsers(6);
    await deploy("sealing", bothKeys);
    for (let n = 0; n < 6; n += 1) await Promise.all([runSlice(), runSlice(), runSlice()]);
    await runToEnd();
    expect(await findStoredVersions(users)).toEqual(new Set(["2"]));
  });
});

describe("A new key for backup codes", () => {
  it("still accepts the old codes, and keeps the old key in use while any user has some", async () => {
    await deploy("backup_codes", firstCodeKey);
    const [user] = await createUsers(1);
    if (user === undefined) throw new Error("no user");
    const [code = "", second = ""] = await user.backupCodes();
    await deploy("backup_codes", `${firstCodeKey},${secondCodeKey}`);
    expect((await user.verify(code)).status).toBe(200);
    await runToEnd();
    expect(await findVersionsInUse("backup_codes")).toEqual([1, 2]);
    const [renewed = ""] = await user.backupCodes();
    await runToEnd();
    expect(await findVersionsInUse("backup_codes")).toEqual([2]);
    await deploy("backup_codes", secondCodeKey);
    expect((await user.verify(renewed)).status).toBe(200);
    expect((await user.verify(second)).status).toBe(422);
  });
});

describe("The service with keys that do not match its data", () => {
  const withBoth = { SEALING_KEYS: bothKeys };

  function collectErrorLines(): string[] {
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
  ])("answers 503 %s, and the log names the key", async (_case, secrets, problem) => {
    expect((await sendToNewIsolate("/v1/keys", { SEALING_KEYS: firstSealingKey })).status).toBe(
      200,
    );
    expect((await sendToNewIsolate("/v1/keys", withBoth)).status).toBe(200);
    const lines = collectErrorLines();
    const broken = { ...withBoth, ...secrets };
    for (const path of ["/v1/keys", "/readyz", "/openapi.json"]) {
      expect((await sendToNewIsolate(path, broken)).status).toBe(503);
    }
    const toTheOperator = await (await sendToNewIsolate("/v1/keys", broken)).json();
    expect(toTheOperator).toMatchObject({ code: "unavailable", cause: "keys_do_not_fit" });
    expect(await (await sendToNewIsolate("/readyz", broken)).json()).not.toHaveProperty("cause");
    expect(lines.join()).toContain('"code":"unavailable","cause":"keys_do_not_fit"');
    expect((await sendToNewIsolate("/healthz", broken)).status).toBe(200);
    expect(lines.join()).toContain(problem);
    for (const secret of Object.values(secrets)) {
      expect(lines.join()).not.toContain(secret.split(":")[1]);
    }
    expect((await sendToNewIsolate("/v1/keys", withBoth)).status).toBe(200);
  });

  it("does not deliver a guard's outbox until the keys are right, because alarms bypass the request check", async () => {
    const [user] = await createUsers(1);
    if (user === undefined) throw new Error("no user");
    // No alarm fires by itself.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    await user.verify(user.wrongCode(Date.now()));
    const other = { AUDIT_SIGNING_KEYS: `1:${btoa("another audit seed, 32 bytes (!)")}` };
    collectErrorLines();
    const failure = await runInDurableObject(guardOf(user), async (_guard, { storage }) => {
      const pending = new GuardStorage(storage).readPending();
      if (pending === undefined) throw new Error("the outbox is empty");
      return await buildDelivery({ ...env, ...other }, pending, Date.now()).catch(causeOf);
    });
    expect(failure).toBe("MismatchedKeysError");
    expect(await countUndelivered(user)).toBe(1);
    await guardOf(user).deliver();
    expect(await countUndelivered(user)).toBe(0);
    expect((await user.events())[0]).toMatchObject({ action: "otp.verified" });
    expect((await user.tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(200);
  });

  it("does not deliver a refusal log's outbox until the keys are right", async () => {
    const { id } = await Tenant.create();
    const refusal = {
      ...({ action: "request.refused", reason: "insufficient_scope", route: "verifyOtp" } as const),
      count: 1,
      at: Date.now(),
      requestId: "request",
      actor: { type: "api_token", id: "a".repeat(24) } as const,
    };
    const log = refusalLogOf(id);
    const setEnv = async (changed: object): Promise<object> =>
      await runInDurableObject(log, (instance) => {
        const before: object = Reflect.get(instance, "env");
        Reflect.set(instance, "env", { ...before, ...changed });
        return before;
      });
    const right = await setEnv({
      AUDIT_SIGNING_KEYS: `1:${btoa("another audit seed, 32 bytes (!)")}`,
    });
    const lines = collectErrorLines();
    expect(await log.count(id, refusal)).toBe(true);
    await fireLogAlarm(id);
    expect(lines.join()).toContain("AUDIT_SIGNING_KEYS has another key as version 1");
    expect((await readRefusalLog(id)).undelivered).toBe(1);
    expect(await readRefusalEvents(id)).toEqual([]);
    await setEnv(right);
    await fireLogAlarm(id);
    expect((await readRefusalLog(id)).undelivered).toBe(0);
    expect(await readRefusalEvents(id)).toHaveLength(1);
  });

  it("works without a key that no data needs", async () => {
    await createUsers(1);
    await sendToNewIsolate("/v1/keys", { SEALING_KEYS: firstSealingKey });
    await deploy("sealing", bothKeys);
    await sendToNewIsolate("/v1/keys", withBoth);
    await runToEnd();
    expect((await sendToNewIsolate("/v1/keys", { SEALING_KEYS: secondSealingKey })).status).toBe(
      200,
    );
  });

  it("counts a key as in use again when data under it arrives late", async () => {
    const [user] = await createUsers(1);
    if (user === undefined) throw new Error("no user");
    await sendToNewIsolate("/v1/keys", { SEALING_KEYS: firstSealingKey });
    await deploy("sealing", bothKeys);
    await sendToNewIsolate("/v1/keys", withBoth);
    await runToEnd();
    expect(await findVersionsInUse("sealing")).toEqual([2]);
    await deploy("sealing", firstSealingKey);
    await user.configure();
    await deploy("sealing", bothKeys);
    await user.verify(user.code(Date.now()));
    await guardOf(user).deliver();
    expect(await findVersionsInUse("sealing")).toEqual([1, 2]);
    const lines = collectErrorLines();
    expect((await sendToNewIsolate("/v1/keys", { SEALING_KEYS: secondSealingKey })).status).toBe(
      503,
    );
    expect(lines.join()).toContain("SEALING_KEYS lacks version 1");
    await runToEnd();
    expect(await findStoredVersions([user])).toEqual(new Set(["2"]));
    expect(await findVersionsInUse("sealing")).toEqual([2]);
  });

  it("re-encrypts a stored request under the old key that arrives after the end", async () => {
    const [user] = await createUsers(1);
    if (user === undefined) throw new Error("no user");
    await deploy("sealing", bothKeys);
    await runToEnd();
    await deploy("sealing", firstSealingKey);
    const keyed = { headers: { "Idempotency-Key": "late" }, token: user.tenant.token };
    const body = { token: { name: "t", permissions: ["idp:read"] } };
    const issued = await send("POST", "/v1/tokens", { ...keyed, body });
    await deploy("sealing", bothKeys);
    await runToEnd();
    await deploy("sealing", secondSealingKey);
    expect((await send("POST", "/v1/tokens", { ...keyed, body })).body).toEqual(issued.body);
  });

  it("re-encrypts everything again after D1 is restored to a time before the re-encryption", async () => {
    const users = await createUsers(2);
    await deploy("sealing", bothKeys);
    const restore = await snapshotOfD1();
    await runToEnd();
    await restore();
    expect(await findStoredVersions(users)).toContain("1");
    await runToEnd();
    expect(await findStoredVersions(users)).toEqual(new Set(["2"]));
    expect(await findVersionsInUse("sealing")).toEqual([2]);
  });

  it("does not treat an unreachable D1 as a missing key", async () => {
    const lines = collectErrorLines();
    const answer = await withD1Fault("throws", () => sendToNewIsolate("/openapi.json", withBoth));
    expect(answer.status).toBe(200);
    expect(lines.join()).toContain("keys_not_checked");
  });
});
