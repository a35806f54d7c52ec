/** A tenant in the EU: its objects are others than those of the same name elsewhere, and all works there. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { permissions } from "../../src/tenancy/permission.ts";
import { send, Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { nameIn, provideJurisdictions, recordRequestedObjects } from "../support/jurisdictions.ts";
import { deployKeys, firstSealingKey, secondSealingKey } from "../support/keys.ts";
import { holdMessages } from "../support/queue.ts";
import { readRefusalEvents } from "../support/refusal-log.ts";
import { requestTo } from "../support/requests.ts";

beforeEach(() => {
  provideJurisdictions();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** What the guard of that name has stored; null where it has no tables. */
async function stored(name: string): Promise<string | null> {
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

/** Asks every route of a tenant; what ends the user or the token comes last. */
async function statusesOf(tenant: Tenant): Promise<string[]> {
  const user = await User.withTotp(tenant, "alexander");
  const { assessment_id: assessmentId } = await user.assess();
  await user.verify(user.code(Date.now()), undefined, assessmentId);
  await tenant.send("GET", "/v1/audit/checkpoint");
  const [event] = await user.events();
  const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
  const ids = { externalId: user.externalId, id: user.id, assessmentId };
  const about = { ...ids, tenantId: tenant.id, tokenId: tokens[0].id, eventId: event.id };
  const last = ["setUserStatus", "eraseUser", "rotateToken", "revokeToken"];
  const routes = apiRoutes
    .map(({ definition }) => definition)
    .filter(({ access }) => permissions.some((permission) => permission === access.kind))
    .toSorted((one, other) => last.indexOf(one.name) - last.indexOf(other.name));
  const told: string[] = [];
  for (const { name, method } of routes) {
    const { path, body } = requestTo(name, about);
    told.push(`${name} ${(await tenant.send(method.toUpperCase(), path, body)).status}`);
  }
  return told;
}

describe("A tenant in the EU", () => {
  it("has every route answer as anywhere, and all its objects there", async () => {
    // What it brings of the others is no part of this.
    holdMessages();
    const anywhere = await statusesOf(await Tenant.create());
    const tenant = await Tenant.create("test", { jurisdiction: "eu" });
    const asked = recordRequestedObjects();
    expect(await statusesOf(tenant)).toEqual(anywhere);
    expect(anywhere.length).toBeGreaterThan(20);
    expect(anywhere.filter((told) => / 5\d\d$/.test(told))).toEqual([]);
    const placed = asked.map(
      ({ namespace, name }) => `${namespace} ${name?.startsWith("eu ") ? "eu" : "anywhere"}`,
    );
    expect(new Set(placed)).toEqual(new Set(["GUARD eu", "PREFIXES eu", "REGISTER anywhere"]));
  });

  it("has nothing of its users go through the queue, which is in no jurisdiction", async () => {
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
    // The later tests find a directory that nothing is delivered to any more.
    vi.restoreAllMocks();
    await drainOutbox(other);
  });

  it("has its users' state there, and nothing in the object of the same name elsewhere", async () => {
    const user = await User.withTotp(await Tenant.create("test", { jurisdiction: "eu" }));
    const code = user.code(Date.now());
    expect((await user.verify(code)).status).toBe(200);
    expect((await user.verify(code)).status).toBe(422);
    expect((await user.profile()).failed_attempts).toBe(1);
    const { inEu, elsewhere } = guardNames(user);
    expect(await stored(inEu)).toContain(user.externalId);
    expect(await stored(elsewhere)).toBeNull();
  });

  it("has what is refused to its tokens counted there, and told to its trail", async () => {
    const tenant = await Tenant.create("test", { jurisdiction: "eu" });
    const narrow = await tenant.tokenWith(["idp:read"]);
    const asked = recordRequestedObjects();
    expect((await tenant.send("GET", "/v1/tokens", undefined, narrow)).status).toBe(403);
    const { id } = (
      await tenant.send("POST", "/v1/tokens", {
        token: { name: "gone", permissions: ["idp:read"] },
      })
    ).body.token;
    await tenant.send("DELETE", `/v1/tokens/${id}`);
    const logs = asked.filter(({ namespace }) => namespace === "REFUSALS");
    expect(logs.map(({ name }) => name)).toEqual([nameIn("eu", tenant.id)]);
    await vi.waitFor(async () => expect(await readRefusalEvents(tenant.id)).toHaveLength(1), {
      timeout: 10_000,
      interval: 100,
    });
  });
});

const operator = { token: env.OPERATOR_TOKEN, body: { re_encryption: { limit: 50 } } };

/** Slices until one of them ends a pass. */
async function reEncrypt() {
  for (let n = 0; n < 20; n += 1) {
    const { status, body } = await send("POST", "/v1/keys/re-encryption", operator);
    expect(status).toBe(200);
    const { done, left_over: leftOver } = body.re_encryption;
    if (done || leftOver > 0) return { done, leftOver };
  }
  throw new Error("It does not end");
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

  /** A user of such a tenant under the first key, and the second deployed. */
  async function sealedBefore(): Promise<User> {
    const user = await User.withTotp(await Tenant.create("test", { jurisdiction: "eu" }));
    undo = await deployKeys("sealing", `${firstSealingKey},${secondSealingKey}`);
    return user;
  }

  it("reaches the guards in the EU, and makes none elsewhere", async () => {
    const user = await sealedBefore();
    const other = await User.withTotp(await Tenant.create());
    await other.tenant.setSettings({ location: { hint: "oc" } });
    const asked = recordRequestedObjects();
    expect(await reEncrypt()).toEqual({ done: true, leftOver: 0 });
    const { inEu, elsewhere } = guardNames(user);
    expect(await stored(inEu)).toContain('"sealed":"2.');
    // A guard that lost its storage is made anew by this: near the hint, too.
    expect(asked.find(({ name }) => name === guardNames(other).elsewhere)?.hint).toBe("oc");
    expect(await stored(elsewhere)).toBeNull();
    expect(await stored(guardNames(other).elsewhere)).toContain('"sealed":"2.');
  });

  it("leaves alone what it cannot find the place of", async () => {
    const user = await sealedBefore();
    const { id } = user.tenant;
    await env.DB.batch([
      env.DB.prepare("DELETE FROM api_tokens WHERE tenant_id = ?").bind(id),
      env.DB.prepare("DELETE FROM tenants WHERE id = ?").bind(id),
    ]);
    expect(await reEncrypt()).toEqual({ done: false, leftOver: 1 });
    const { inEu, elsewhere } = guardNames(user);
    expect(await stored(inEu)).toContain('"sealed":"1.');
    expect(await stored(elsewhere)).toBeNull();
  });

  it("waits where the runtime has no jurisdictions", async () => {
    const user = await sealedBefore();
    vi.restoreAllMocks();
    expect(await reEncrypt()).toEqual({ done: false, leftOver: 1 });
    expect(await stored(guardNames(user).elsewhere)).toBeNull();
  });
});

describe("On a runtime without jurisdictions a tenant of the EU", () => {
  it("is out of reach, never elsewhere; what D1 has of it can be read", async () => {
    const user = await User.withTotp(await Tenant.create("test", { jurisdiction: "eu" }));
    vi.restoreAllMocks();
    const asked = recordRequestedObjects();
    const lost = await user.verify(user.code(Date.now()));
    expect([lost.status, lost.body.code]).toEqual([503, "unavailable"]);
    expect((await user.tenant.send("GET", user.path())).status).toBe(503);
    const assessed = await user.discover();
    expect([assessed.status, assessed.body.code]).toEqual([503, "unavailable"]);
    expect((await user.tenant.send("GET", "/v1/idp/users")).body.users).toHaveLength(1);
    expect((await user.events()).length).toBeGreaterThan(0);
    expect(asked.filter(({ namespace }) => namespace !== "REGISTER")).toEqual([]);
    expect(await stored(guardNames(user).elsewhere)).toBeNull();
  });
});
