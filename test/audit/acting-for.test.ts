/** `Acting-For`: the audit trail names the person on whose behalf a request acts, until that is erased. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deliverControlEvents } from "../../src/audit/control-outbox/deliver.ts";
import { type Answer, type Call, send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { guardOf } from "../support/guard.ts";
import { readRefusalLog } from "../support/refusal-log.ts";
import { problemsOf, saveTrail } from "../support/saved-trail.ts";
import { readDatabases } from "../support/stores.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const alice = "ORG_ADMIN_ALICE";
const bob = "ORG_ADMIN_BOB 2";

/** Sends a request of the tenant on behalf of a person. */
async function sendFor(
  tenant: Tenant,
  person: string,
  [method, path, body]: readonly [string, string, unknown?],
  call: Call = {},
): Promise<Answer> {
  const headers = { "Acting-For": person, ...call.headers };
  return await send(method, path, { token: tenant.token, body, ...call, headers });
}

async function eventsOf(tenant: Tenant, query = ""): Promise<Answer["body"][]> {
  const { body } = await tenant.send("GET", `/v1/audit/events?limit=100${query}`);
  return body.events;
}

async function exportOf(tenant: Tenant): Promise<Answer["body"][]> {
  const { exported } = await saveTrail(tenant);
  return String(exported)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** The values in D1 that contain the text. */
async function findInDatabases(text: string): Promise<string[]> {
  return (await readDatabases()).filter((value) => value.includes(text));
}

function personsOf(events: readonly Answer["body"][]): [string, string | null][] {
  return events.map(({ action, actor }) => [action, actor.acting_for]);
}

describe("The person on whose behalf a request acts", () => {
  it("is shown with the events of an identity, in the list and in the export", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "u");
    const context = { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" };
    await sendFor(tenant, alice, ["PATCH", user.path(), { user: { status: "suspended" } }]);
    await sendFor(tenant, bob, ["PATCH", user.path(), { user: { status: "active" } }]);
    await sendFor(tenant, alice, ["POST", user.path("/unlock")]);
    const otp = { id: "u", code: user.code(Date.now()) };
    await sendFor(tenant, bob, ["POST", "/v1/idp/otp/verify", { otp }]);
    await sendFor(tenant, alice, [
      "POST",
      "/v1/sentinel/discover",
      { sentinel: { id: user.id, context } },
    ]);
    const expected = [
      ["session.assessed", alice],
      ["otp.verified", bob],
      ["user.unlocked", alice],
      ["user.reactivated", bob],
      ["user.suspended", alice],
      ["otp.configured", null],
      ["user.provisioned", null],
    ];
    const listed = await user.events();
    expect(personsOf(listed)).toEqual(expected);
    expect(listed[0].personal).toMatchObject({ external_id: "u", acting_for: alice });
    const exported = (await exportOf(tenant)).filter(({ target }) => target.type === "identity");
    expect(personsOf(exported.toReversed())).toEqual(expected);
    expect(await findInDatabases("ORG_ADMIN")).toEqual([]);
  });

  it("is shown with the events of the tenant itself, and of its tokens", async () => {
    const tenant = await Tenant.create();
    await sendFor(tenant, alice, [
      "PATCH",
      "/v1/settings",
      { settings: { otp: { enrolment: "confirm" } } },
    ]);
    const token = { name: "support desk", permissions: ["idp:read"] };
    const { id } = (await sendFor(tenant, bob, ["POST", "/v1/tokens", { token }])).body.token;
    await sendFor(tenant, alice, ["POST", `/v1/tokens/${id}/rotate`, { token: {} }]);
    await sendFor(tenant, bob, ["DELETE", `/v1/tokens/${id}`]);
    const expected = [
      ["token.revoked", bob],
      ["token.rotated", alice],
      ["token.created", bob],
      ["settings.changed", alice],
      ["token.created", null],
      ["tenant.created", null],
    ];
    const events = await eventsOf(tenant);
    expect(personsOf(events)).toEqual(expected);
    expect(events[0].personal).toEqual({ acting_for: bob, nonce: expect.any(String) });
    expect(events[0].erased).toBe(false);
    expect(personsOf((await exportOf(tenant)).toReversed())).toEqual(expected);
    expect(await findInDatabases("ORG_ADMIN")).toEqual([]);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });

  it("is shown with what the operator does to a tenant", async () => {
    const created = await send("POST", "/v1/tenants", {
      token: env.OPERATOR_TOKEN,
      body: { tenant: { name: "Acme", mode: "test" } },
      headers: { "Acting-For": alice },
    });
    await send("PATCH", `/v1/tenants/${created.body.tenant.id}`, {
      token: env.OPERATOR_TOKEN,
      body: { tenant: { name: "Other" } },
      headers: { "Acting-For": bob },
    });
    const { body } = await send("GET", "/v1/audit/events", { token: created.body.token.secret });
    expect(personsOf(body.events)).toEqual([
      ["tenant.renamed", bob],
      ["token.created", alice],
      ["tenant.created", alice],
    ]);
    expect(body.events[1].actor).toEqual({
      type: "operator",
      id: null,
      name: null,
      acting_for: alice,
    });
  });

  it("is shown when the tenant's data is in another database, and with the tenant's relocation", async () => {
    const tenant = await Tenant.create("test", { shard: 1 });
    await sendFor(tenant, bob, ["PATCH", "/v1/settings", { settings: {} }]);
    const relocation = { shard: 0, limit: 100 };
    for (let phase = ""; phase !== "cleaning"; ) {
      const path = `/v1/tenants/${tenant.id}/relocation`;
      const call = { token: env.OPERATOR_TOKEN };
      const { body } = await sendFor(tenant, alice, ["POST", path, { relocation }], call);
      phase = body.relocation.phase;
    }
    await deliverControlEvents(env, tenant.id);
    expect(personsOf(await eventsOf(tenant)).slice(0, 2)).toEqual([
      ["tenant.relocated", alice],
      ["settings.changed", bob],
    ]);
    expect(await findInDatabases("ORG_ADMIN")).toEqual([]);
  });

  it("is the same for all when the first events of a tenant come at once", async () => {
    const tenant = await Tenant.create();
    const persons = Array.from({ length: 8 }, (_, n) => `admin-${n}`);
    await Promise.all(
      persons.map((person) =>
        sendFor(tenant, person, [
          "POST",
          "/v1/tokens",
          { token: { name: person, permissions: ["idp:read"] } },
        ]),
      ),
    );
    const events = await eventsOf(tenant, `&action=token.created&actor=${await idOf(tenant)}`);
    expect(events.map(({ actor }) => actor.acting_for).toSorted()).toEqual(persons);
  });

  it("is erased with the user, and the trail verifies as before", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant, "u");
    await sendFor(tenant, alice, ["PATCH", user.path(), { user: { status: "suspended" } }]);
    const before = await saveTrail(tenant);
    await sendFor(tenant, alice, ["DELETE", user.path()]);
    const events = (await eventsOf(tenant)).filter(({ target }) => target.type === "identity");
    expect(personsOf(events).map(([, person]) => person)).toEqual([null, null, null]);
    expect(events.every(({ erased, personal }) => erased && personal === null)).toBe(true);
    const saved = await saveTrail(tenant, { older: before.checkpoint });
    expect(await problemsOf(saved)).toEqual([]);
  });

  it("is erased with the tenant's own audit key", async () => {
    const tenant = await Tenant.create();
    await sendFor(tenant, alice, ["PATCH", "/v1/settings", { settings: {} }]);
    await env.DB.prepare("UPDATE tenants SET audit_key = NULL WHERE id = ?").bind(tenant.id).run();
    const [event] = await eventsOf(tenant);
    expect(event).toMatchObject({ personal: null, erased: true, actor: { acting_for: null } });
  });

  it("cannot be changed in an export unnoticed", async () => {
    const tenant = await Tenant.create();
    await sendFor(tenant, alice, ["PATCH", "/v1/settings", { settings: {} }]);
    const saved = await saveTrail(tenant);
    const edit = async (from: string, to: string) => {
      const exported = String(saved.exported).replace(from, to);
      return await problemsOf({ ...saved, exported });
    };
    const [own, sealed] = [`"acting_for":"${alice}"}`, `"acting_for":"${alice}","nonce"`];
    expect(await edit(own, `"acting_for":"${bob}"}`)).toEqual([
      "personal 2: leaf 2: acting_for is not its own",
    ]);
    expect(await edit(sealed, `"acting_for":"${bob}","nonce"`)).toHaveLength(1);
  });

  it("is named by the refusal that is reported at once, and by no count of several", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "u");
    await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    const refuse = (person: string) =>
      sendFor(tenant, person, ["POST", user.path("/backup-codes")]);
    for (const person of [alice, bob, alice]) expect((await refuse(person)).status).toBe(403);
    const refused = (await user.events()).filter(({ outcome }) => outcome === "refused");
    expect(refused.map(({ details, actor }) => [details.count, actor.acting_for])).toEqual([
      [2, null],
      [1, alice],
    ]);
  });

  it("is in no refusal that reaches no identity", async () => {
    const tenant = await Tenant.create();
    await sendFor(tenant, alice, ["POST", "/v1/idp/user/unlock?externalUserId=unknown"]);
    const log = JSON.stringify(await readRefusalLog(tenant.id));
    expect(log).toContain("user_not_found");
    expect(log).not.toContain(alice);
    expect(await findInDatabases("ORG_ADMIN")).toEqual([]);
  });

  it("is a part of what a repeated request is compared with", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "u");
    const path = user.path("/backup-codes");
    const repeat = (person: string) =>
      sendFor(tenant, person, ["POST", path], { headers: { "Idempotency-Key": "k" } });
    const first = await repeat(alice);
    expect((await repeat(alice)).body).toEqual(first.body);
    expect((await repeat(bob)).body.code).toBe("idempotency_mismatch");
    const without = { token: tenant.token, headers: { "Idempotency-Key": "k" } };
    expect((await send("POST", path, without)).body.code).toBe("idempotency_mismatch");
  });

  it("does not keep a token from being revoked while D1 takes no new key", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const tenant = await Tenant.create();
    const token = { name: "stolen", permissions: ["idp:read"] };
    const { id, secret } = (await tenant.send("POST", "/v1/tokens", { token })).body.token;
    const revoke = () => sendFor(tenant, alice, ["DELETE", `/v1/tokens/${id}`]);
    await withD1Fault("fails on write", revoke);
    expect((await tenant.send("GET", "/v1/idp/users", undefined, secret)).status).toBe(401);
  });
});

async function idOf(tenant: Tenant): Promise<string> {
  return (await tenant.send("GET", "/v1/tokens")).body.tokens[0].id;
}

describe("The header Acting-For", () => {
  it.each(["", "a".repeat(256), "caf\u00e9", "a\tb"])(
    "is a 400 with the value %j",
    async (value) => {
      const tenant = await Tenant.create();
      const { status, body } = await sendFor(tenant, value, [
        "POST",
        "/v1/idp/users",
        { user: { external_id: "u" } },
      ]);
      expect({ status, path: body.issues?.[0].path }).toEqual({ status: 400, path: "Acting-For" });
      expect(body.error).toContain("printable ASCII");
    },
  );

  it("may have 255 characters, and is ignored by a request that only reads", async () => {
    const tenant = await Tenant.create();
    const long = `${"~ ".repeat(127)}~`;
    const body = { user: { external_id: "u" } };
    expect((await sendFor(tenant, long, ["POST", "/v1/idp/users", body])).status).toBe(201);
    const [event] = await eventsOf(tenant, "&externalUserId=u");
    expect(event.actor.acting_for).toBe(long);
    expect((await sendFor(tenant, "caf\u00e9", ["GET", "/v1/idp/users"])).status).toBe(200);
  });

  it("leaves nothing of the person in the state of the guard once the events are delivered", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "u");
    await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    for (let n = 0; n < 3; n += 1) {
      await sendFor(tenant, alice, ["POST", user.path("/backup-codes")]);
    }
    await user.events();
    const state = await runInDurableObject(guardOf(user), (_guard, { storage }) =>
      storage.sql.exec<{ state: string }>("SELECT state FROM live").one(),
    );
    expect(state.state).toContain("backup_codes.generated");
    expect(state.state).not.toContain(alice);
  });
});
