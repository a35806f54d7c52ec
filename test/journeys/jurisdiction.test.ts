/** A tenant in the EU has its own objects, separate from objects of the same name elsewhere. All routes work. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { permissions } from "../../src/tenancy/permission.ts";
import { send, Tenant, User } from "../support/client.ts";
import { rememberDevice } from "../support/devices.ts";
import { nameIn, provideJurisdictions, recordRequestedObjects } from "../support/jurisdictions.ts";
import { deployKeys, firstSealingKey, secondSealingKey } from "../support/keys.ts";
import { givePasskey } from "../support/passkeys.ts";
import { deliverMessages, holdMessages, useQueue } from "../support/queue.ts";
import { giveAttempt } from "../support/receiver.ts";
import { readRefusalEvents } from "../support/refusal-log.ts";
import { requestTo } from "../support/requests.ts";
import { createStream } from "../support/stream-receiver.ts";

beforeEach(() => {
  provideJurisdictions();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The state that the guard of that name has stored; null when it has no tables. */
async function readState(name: string): Promise<string | null> {
  const stub = env.GUARD.get(env.GUARD.idFromName(name));
  return await runInDurableObject(stub, (_guard, { storage: { sql } }) => {
    const tables = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'live'").toArray();
    if (tables.length === 0) return null;
    return sql.exec<{ state: string }>("SELECT state FROM live").one().state;
  });
}

function guardNames({ tenant, id }: User) {
  const elsewhere = `${tenant.id}:${id}`;
  return { elsewhere, inEu: nameIn("eu", elsewhere) };
}

/** Sends a request to every route of a tenant. Routes that end the user or the token come last. */
async function collectStatuses(tenant: Tenant): Promise<string[]> {
  const user = await User.provision(tenant, "alexander");
  const { passkeyId } = await givePasskey(user);
  await user.configure();
  const { id: authenticatorId } = await user.addAuthenticator();
  const { assessment_id: assessmentId } = await user.assess();
  const { id: deviceId } = await rememberDevice(user, Date.now(), { assessment_id: assessmentId });
  tenant.clock = undefined;
  await tenant.send("GET", "/v1/audit/checkpoint");
  const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
  const { webhookId, eventId } = await giveAttempt(tenant);
  const { id: streamId } = await createStream(tenant, { url: "https://siem.example.com" });
  const ids = {
    externalId: user.externalId,
    id: user.id,
    assessmentId,
    passkeyId,
    authenticatorId,
    deviceId,
    webhookId,
    streamId,
  };
  const about = { ...ids, tenantId: tenant.id, tokenId: tokens[0].id, eventId };
  const last = [
    ...["setUserStatus", "eraseUser", "removeWebhook", "removeStream"],
    ...["rotateToken", "revokeToken"],
  ];
  const routes = apiRoutes
    .map(({ definition }) => definition)
    .filter(({ access }) => permissions.some((permission) => permission === access.kind))
    .toSorted((one, other) => last.indexOf(one.name) - last.indexOf(other.name));
  const statuses: string[] = [];
  for (const { name, method } of routes) {
    const { path, body } = requestTo(name, about);
    const token = name === "exportUsers" ? await tenant.allowExport() : tenant.token;
    const { status } = await tenant.send(method.toUpperCase(), path, body, token);
    statuses.push(`${name} ${status}`);
  }
  return statuses;
}

describe("A tenant in the EU", () => {
  useQueue();

  it("gets the same answer from every route as elsewhere, and has all its objects there", async () => {
    const other = await Tenant.create();
    const elsewhere = await collectStatuses(other);
    const tenant = await Tenant.create("test", { jurisdiction: "eu" });
    const objects = recordRequestedObjects();
    expect(await collectStatuses(tenant)).toEqual(elsewhere);
    expect(elsewhere.length).toBeGreaterThan(20);
    expect(elsewhere.filter((status) => / 5\d\d$/.test(status))).toEqual([]);
    // The destinations of the other tenant go on.
    const own = objects.filter(({ name }) => name?.includes(other.id) !== true);
    const located = own.map(
      ({ namespace, name }) => `${namespace} ${name?.startsWith("eu ") ? "eu" : "anywhere"}`,
    );
    expect(new Set(located)).toEqual(
      new Set([
        "GUARD eu",
        "PREFIXES eu",
        "TENANT_WATCHES eu",
        "REFUSALS eu",
        "EXPORTS eu",
        "PERSONAL_KEYS eu",
        "FOLLOWERS eu",
        "REGISTER anywhere",
      ]),
    );
  });

  it("sends no data of its users through the queue, which is in no jurisdiction", async () => {
    const held = holdMessages();
    const inEu = await User.withTotp(await Tenant.create("test", { jurisdiction: "eu" }), "in-eu");
    const other = await User.withTotp(await Tenant.create(), "elsewhere");
    for (const user of [inEu, other]) await user.verify(user.code(Date.now()));
    await vi.waitFor(() => expect(JSON.stringify(held)).toContain("elsewhere"), 20_000);
    await vi.waitFor(async () => {
      expect((await inEu.tenant.send("GET", "/v1/audit/events")).body.events[0]).toMatchObject({
        action: "otp.verified",
      });
    }, 20_000);
    expect(JSON.stringify(held)).not.toContain("in-eu");
    // No delivery of this test may reach the directory of a later one.
    vi.restoreAllMocks();
    expect(await deliverMessages(held)).toBe(0);
  });

  it("has its users' state there, and no state in the object of the same name elsewhere", async () => {
    const user = await User.withTotp(await Tenant.create("test", { jurisdiction: "eu" }));
    const code = user.code(Date.now());
    expect((await user.verify(code)).status).toBe(200);
    expect((await user.verify(code)).status).toBe(422);
    expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
    expect((await user.profile()).failed_attempts).toBe(1);
    const { inEu, elsewhere } = guardNames(user);
    expect(await readState(inEu)).toContain(user.externalId);
    expect(await readState(elsewhere)).toBeNull();
  });

  it("has refused requests counted there and reported in its trail", async () => {
    const tenant = await Tenant.create("test", { jurisdiction: "eu" });
    const narrow = await tenant.tokenWith(["idp:read"]);
    const objects = recordRequestedObjects();
    expect((await tenant.send("GET", "/v1/tokens", undefined, narrow)).status).toBe(403);
    const { id } = (
      await tenant.send("POST", "/v1/tokens", {
        token: { name: "gone", permissions: ["idp:read"] },
      })
    ).body.token;
    await tenant.send("DELETE", `/v1/tokens/${id}`);
    const logs = objects.filter(({ namespace }) => namespace === "REFUSALS");
    expect(logs.map(({ name }) => name)).toEqual([nameIn("eu", tenant.id)]);
    await vi.waitFor(async () => expect(await readRefusalEvents(tenant.id)).toHaveLength(1), {
      timeout: 10_000,
      interval: 100,
    });
  });
});

const operator = { token: env.OPERATOR_TOKEN, body: { re_encryption: { limit: 50 } } };

/** Re-encrypts in slices until a pass ends. */
async function reEncryptAll() {
  for (let n = 0; n < 20; n += 1) {
    const { status, body } = await send("POST", "/v1/keys/re-encryption", operator);
    expect(status).toBe(200);
    const { done, left_over: leftOver } = body.re_encryption;
    if (done || leftOver > 0) return { done, leftOver };
  }
  throw new Error("Re-encryption does not end");
}

describe("A new sealing key", () => {
  let undo: () => void;

  beforeEach(async () => {
    await env.DB.batch(
      ["identities", "request_keys", "key_versions", "re_encryptions"].map((table) =>
        env.DB.prepare(`DELETE FROM ${table}`),
      ),
    );
  });

  afterEach(() => {
    undo();
  });

  /** Creates a user in the EU under the first key, then deploys the second. */
  async function createUserUnderFirstKey(): Promise<User> {
    const user = await User.withTotp(await Tenant.create("test", { jurisdiction: "eu" }));
    undo = await deployKeys("sealing", `${firstSealingKey},${secondSealingKey}`);
    return user;
  }

  it("reaches the guards in the EU and creates no guard elsewhere", async () => {
    const user = await createUserUnderFirstKey();
    const other = await User.withTotp(await Tenant.create());
    await other.tenant.setSettings({ location: { hint: "oc" } });
    const objects = recordRequestedObjects();
    expect(await reEncryptAll()).toEqual({ done: true, leftOver: 0 });
    const { inEu, elsewhere } = guardNames(user);
    expect(await readState(inEu)).toContain('"sealed":"2.');
    // Re-encryption can recreate a guard that lost its storage, so it passes the hint too.
    expect(objects.find(({ name }) => name === guardNames(other).elsewhere)?.hint).toBe("oc");
    expect(await readState(elsewhere)).toBeNull();
    expect(await readState(guardNames(other).elsewhere)).toContain('"sealed":"2.');
  });

  it("leaves a guard alone when it cannot find its location", async () => {
    const user = await createUserUnderFirstKey();
    const { id } = user.tenant;
    await env.DB.batch([
      env.DB.prepare("DELETE FROM api_tokens WHERE tenant_id = ?").bind(id),
      env.DB.prepare("DELETE FROM tenants WHERE id = ?").bind(id),
    ]);
    expect(await reEncryptAll()).toEqual({ done: false, leftOver: 1 });
    const { inEu, elsewhere } = guardNames(user);
    expect(await readState(inEu)).toContain('"sealed":"1.');
    expect(await readState(elsewhere)).toBeNull();
  });

  it("leaves such a guard over while the runtime has no jurisdictions", async () => {
    const user = await createUserUnderFirstKey();
    vi.restoreAllMocks();
    expect(await reEncryptAll()).toEqual({ done: false, leftOver: 1 });
    expect(await readState(guardNames(user).elsewhere)).toBeNull();
  });
});

describe("On a runtime without jurisdictions a tenant of the EU", () => {
  it("gets 503 and no object elsewhere, but can read its directory in D1", async () => {
    const user = await User.withTotp(await Tenant.create("test", { jurisdiction: "eu" }));
    vi.restoreAllMocks();
    const objects = recordRequestedObjects();
    const verified = await user.verify(user.code(Date.now()));
    expect([verified.status, verified.body.code]).toEqual([503, "unavailable"]);
    expect((await user.tenant.send("GET", user.path())).status).toBe(503);
    const assessed = await user.discover();
    expect([assessed.status, assessed.body.code]).toEqual([503, "unavailable"]);
    expect((await user.tenant.send("GET", "/v1/idp/users")).body.users).toHaveLength(1);
    // The trail has personal parts, whose keys are in an object.
    expect((await user.tenant.send("GET", "/v1/audit/events")).status).toBe(503);
    expect(objects.filter(({ namespace }) => namespace !== "REGISTER")).toEqual([]);
    expect(await readState(guardNames(user).elsewhere)).toBeNull();
  });
});
