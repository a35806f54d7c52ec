/** A tenant whose data has been in another database than `DB` since its creation. */
import { createExecutionContext, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { apiRoutes } from "../../src/app.ts";
import { deliverControlEvents } from "../../src/audit/control-outbox/deliver.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import { findTenantDb, shardOf } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import { buildDelivery } from "../../src/guard/delivery/build-delivery.ts";
import { fileDelivery } from "../../src/guard/delivery/delivery.ts";
import { GuardStorage } from "../../src/guard/storage.ts";
import { deleteExpired } from "../../src/housekeeping.ts";
import worker from "../../src/index.ts";
import { causeOf } from "../../src/log.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { send, Tenant, User } from "../support/client.ts";
import { countCalls } from "../support/count-calls.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { guardOf, loseStorage } from "../support/guard.ts";
import { createLoginBody, createRegistrationBody, givePasskey } from "../support/passkeys.ts";
import { giveAttempt } from "../support/receiver.ts";
import { readTenantData } from "../support/relocation.ts";
import { type RequestTarget, requestTo } from "../support/requests.ts";
import { problemsOf, saveTrail } from "../support/saved-trail.ts";
import { createStream } from "../support/stream-receiver.ts";
import { eventOf } from "../support/trail.ts";

const dayMs = 24 * 60 * 60 * 1000;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function createOnOtherShard() {
  const tenant = await Tenant.create("test", { shard: 1 });
  const user = await User.withTotp(tenant);
  return { tenant, user };
}

describe("A tenant that was created in another database", () => {
  it("has its shard reported to the operator only", async () => {
    const created = await send("POST", "/v1/tenants", {
      token: env.OPERATOR_TOKEN,
      body: { tenant: { name: "Acme", mode: "test", shard: 2 } },
    });
    expect([created.status, created.body.tenant.shard]).toEqual([201, 2]);
    const missing = await send("POST", "/v1/tenants", {
      token: env.OPERATOR_TOKEN,
      body: { tenant: { name: "Acme", mode: "test", shard: 3 } },
    });
    expect([missing.status, missing.body.issues]).toEqual([
      400,
      [{ path: "tenant.shard", message: "is not a database of the service" }],
    ]);
    const settings = await send("GET", "/v1/settings", { token: created.body.token.secret });
    expect(JSON.stringify(settings.body)).not.toContain("shard");
  });

  it("has all its events there from the first one, and no row in DB", async () => {
    const { tenant, user } = await createOnOtherShard();
    await user.assess();
    await drainOutbox(user);
    expect(await readTrail(tenant)).toEqual([
      "tenant.created success",
      "token.created success",
      "user.provisioned success",
      "otp.configured success",
      "session.assessed success allow",
    ]);
    expect(await readTenantData(0, tenant)).toEqual({});
    expect(Object.keys(await readTenantData(1, tenant))).toEqual([
      ...["identities", "audit_events", "assessments"],
    ]);
    expect(await rowsIn(1, "api_tokens", tenant.id)).toEqual([]);
  });

  it("can use every route of a tenant", async () => {
    const tenant = await Tenant.create("test", { shard: 1 });
    const user = await User.provision(tenant);
    const { authenticator, passkeyId } = await givePasskey(user);
    await tenant.tokenWith(["idp:read"]);
    const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
    const [{ id: eventId }] = await user.events();
    const { assessment_id: assessmentId } = await user.assess();
    let about: RequestTarget = {
      tenantId: tenant.id,
      externalId: user.externalId,
      id: user.id,
      tokenId: tokens[1].id,
      eventId,
      assessmentId,
      passkeyId,
      authenticatorId: (await user.addAuthenticator()).id,
      deviceId: "",
      webhookId: (await giveAttempt(tenant)).webhookId,
      streamId: (await createStream(tenant, { url: "https://siem.example.com" })).id,
    };
    // A device is removed with the secrets that are added or removed, so those come first.
    const first = ["addAuthenticator", "renameAuthenticator", "removeAuthenticator"];
    const last = [
      ...["removeDevice", "removeDevices", "removeOtp", "removePasskey", "eraseUser"],
      ...["replayWebhookEvent", "removeWebhook", "removeStream"],
      "revokeToken",
    ];
    const names = apiRoutes
      .filter(({ definition }) => !["public", "operator"].includes(definition.access.kind))
      .map(({ definition }) => definition.name);
    const others = names.filter((name) => !first.includes(name) && !last.includes(name));
    const inOrder = [...first, ...others, ...last];
    const ownBodies: Record<string, (() => Promise<object>) | undefined> = {
      verifyOtp: async () => ({
        otp: {
          id: user.externalId,
          code: user.code(Date.now()),
          remember_device: { days: 30 },
        },
      }),
      verifyPasskey: () => createLoginBody(user, authenticator),
      registerPasskey: () => createRegistrationBody(user),
    };
    const answered: Record<string, number> = {};
    for (const name of inOrder) {
      const found = apiRoutes.find(({ definition }) => definition.name === name);
      const { path, body } = requestTo(name, about);
      if (name === "setUserStatus") continue;
      const sent = (await ownBodies[name]?.()) ?? body;
      const token = name === "exportUsers" ? await tenant.allowExport() : tenant.token;
      const method = found?.definition.method.toUpperCase() ?? "";
      const answer = await tenant.send(method, path, sent, token);
      answered[name] = answer.status;
      if (name === "listWebhookAttempts")
        about = { ...about, eventId: answer.body.attempts[0].event_id };
      if (name === "verifyOtp") about = { ...about, deviceId: answer.body.device.id };
      if (name === "configureOtp") user.secret = answer.body.user.new_otp_secret;
    }
    const refused = Object.entries(answered).filter(([, status]) => status >= 300);
    expect(refused).toEqual([]);
    expect(await readTenantData(0, tenant)).toEqual({});
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });

  it("rejects spent codes after its guard loses all data and after its database is restored", async () => {
    const { tenant, user } = await createOnOtherShard();
    await drainOutbox(user);
    const restore = await snapshotOfD1(databases()[1]);
    const code = user.code(Date.now());
    expect((await user.verify(code)).status).toBe(200);
    await drainOutbox(user);
    await loseStorage(user);
    expect((await user.verify(code)).body.code).toBe("code_already_used");
    await drainOutbox(user);
    await restore();
    expect((await user.verify(code)).body.code).toBe("code_already_used");
    await drainOutbox(user);
    expect((await tenant.send("GET", "/v1/idp/users")).body.users).toHaveLength(1);
  });

  it("keeps only a tombstone of an erased user", async () => {
    const { tenant, user } = await createOnOtherShard();
    await user.assess();
    await user.verify(user.code(Date.now()));
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    expect(await rowsIn(1, "assessments", tenant.id)).toEqual([]);
    expect(await rowsIn(1, "identities", tenant.id)).toMatchObject([
      { external_id: null, status: "erased", state: null },
    ]);
  });

  it("gets a delayed event after its database is available again", async () => {
    const { tenant } = await createOnOtherShard();
    const eventsBefore = await readTrail(tenant);
    vi.spyOn(console, "error").mockImplementation(() => {});
    const [, other] = databases();
    // Without its tables the database is unavailable.
    await other.prepare("ALTER TABLE audit_events RENAME TO elsewhere").run();
    await tenant.setSettings({ lockout: { lock_seconds: 61 } });
    await other.prepare("ALTER TABLE elsewhere RENAME TO audit_events").run();
    expect(await rowsIn(0, "control_outbox", tenant.id)).toHaveLength(1);
    await deliverControlEvents(env);
    await deliverControlEvents(env);
    expect(await readTrail(tenant)).toEqual([...eventsBefore, "settings.changed success"]);
    expect(await rowsIn(0, "control_outbox", tenant.id)).toEqual([]);
  });

  it("gets an event although thousands of undeliverable events of another tenant wait", async () => {
    const pair = [
      await Tenant.create("test", { shard: 1 }),
      await Tenant.create("test", { shard: 1 }),
    ];
    // The stuck tenant has the smaller id, so that its events come first.
    const [stuck, tenant] = pair.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    if (stuck === undefined || tenant === undefined) throw new Error("Two tenants are missing");
    const eventsBefore = await readTrail(tenant);
    vi.spyOn(console, "error").mockImplementation(() => {});
    const [control, other] = databases();
    await other.prepare("ALTER TABLE audit_events RENAME TO elsewhere").run();
    await tenant.setSettings({ lockout: { lock_seconds: 61 } });
    await other.prepare("ALTER TABLE elsewhere RENAME TO audit_events").run();
    // These rows are not events, so they cannot be filed.
    await control
      .prepare(
        `INSERT INTO control_outbox WITH RECURSIVE n(i) AS
          (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
        SELECT ?, printf('%024x', i), '{}' FROM n`,
      )
      .bind(stuck.id)
      .run();
    await deliverControlEvents(env);
    expect(await readTrail(tenant)).toEqual([...eventsBefore, "settings.changed success"]);
    expect(await rowsIn(0, "control_outbox", stuck.id)).toHaveLength(2_500);
    await control.prepare("DELETE FROM control_outbox").run();
  });

  it("gets an event once, although the delivered event could not be deleted from the outbox", async () => {
    const { tenant } = await createOnOtherShard();
    const eventsBefore = await readTrail(tenant);
    await env.DB.prepare(
      "CREATE TRIGGER stuck BEFORE DELETE ON control_outbox BEGIN SELECT RAISE(ABORT, 'stuck'); END",
    ).run();
    vi.spyOn(console, "error").mockImplementation(() => {});
    await tenant.setSettings({ lockout: { lock_seconds: 61 } });
    await env.DB.prepare("DROP TRIGGER stuck").run();
    expect(await rowsIn(0, "control_outbox", tenant.id)).toHaveLength(1);
    await deliverControlEvents(env);
    expect(await readTrail(tenant)).toEqual([...eventsBefore, "settings.changed success"]);
  });
});

describe("Events for a database that is out of reach", () => {
  /** Enqueues an event of each of `count` tenants of a shard, with ids that are lower than those of real tenants. */
  async function enqueueForTenants(shard: number, count: number): Promise<void> {
    const ids = Array.from({ length: count }, (_, n) => n.toString(16).padStart(24, "0"));
    const tenants = ids.map((id) =>
      env.DB.prepare(
        "INSERT INTO tenants (id, name, mode, created_at, shard) VALUES (?, 'x', 'live', 0, ?)",
      ).bind(id, shard),
    );
    const stamped = await stampEvents(
      requireConfig(env).auditSigningKeys,
      ids.map((id) => eventOf(id, Date.now())),
    );
    const waiting = stamped.map((event) =>
      env.DB.prepare("INSERT INTO control_outbox VALUES (?, ?, ?)").bind(
        event.tenantId,
        event.id,
        JSON.stringify(event),
      ),
    );
    await env.DB.batch([...tenants, ...waiting]);
  }

  /** Lists the tenants with waiting events. */
  async function listWaiting(): Promise<string[]> {
    const { results } = await env.DB.prepare(
      "SELECT DISTINCT tenant_id AS id FROM control_outbox ORDER BY id",
    ).all<{ id: string }>();
    return results.map(({ id }) => id);
  }

  afterEach(async () => {
    await env.DB.batch([
      env.DB.prepare("DELETE FROM control_outbox"),
      env.DB.prepare("DELETE FROM tenants WHERE name = 'x'"),
    ]);
  });

  it("do not keep those of other databases waiting, and few are tried in one run", async () => {
    await enqueueForTenants(9, 200);
    const { tenant } = await createOnOtherShard();
    const eventsBefore = await readTrail(tenant);
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
    const [, other] = databases();
    await other.prepare("ALTER TABLE audit_events RENAME TO elsewhere").run();
    await tenant.setSettings({ lockout: { lock_seconds: 61 } });
    await other.prepare("ALTER TABLE elsewhere RENAME TO audit_events").run();
    lines.length = 0;
    await deliverControlEvents(env);
    expect(await readTrail(tenant)).toEqual([...eventsBefore, "settings.changed success"]);
    expect(lines).toHaveLength(3);
  });

  it("are filed in few batches, although one of their tenants is moving", async () => {
    await enqueueForTenants(1, 100);
    const [moving = ""] = await listWaiting();
    const [, other] = databases();
    const fence = "INSERT INTO tenant_fences VALUES (?, 'leaving', '1')";
    await other.prepare(fence).bind(moving).run();
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { counts } = await countCalls(async () => await deliverControlEvents(env));
    await other.prepare("DELETE FROM tenant_fences WHERE tenant_id = ?").bind(moving).run();
    expect(await listWaiting()).toEqual([moving]);
    expect(counts.d1Calls).toBeLessThan(60);
  });

  it("are tried in turn: tenants whose events always fail do not come first in each run", async () => {
    await enqueueForTenants(1, 8);
    const ids = await listWaiting();
    // The events of the first six are not events, so they cannot be filed.
    await env.DB.prepare("UPDATE control_outbox SET event = '{' WHERE tenant_id <= ?")
      .bind(ids[5] ?? "")
      .run();
    vi.spyOn(console, "error").mockImplementation(() => {});
    for (let run = 0; run < 3; run += 1) await deliverControlEvents(env);
    expect(await listWaiting()).toEqual(ids.slice(0, 6));
  });
});

describe("For a tenant in another database, the scheduled work", () => {
  it("integrates and witnesses its trail", async () => {
    const { tenant, user } = await createOnOtherShard();
    await drainOutbox(user);
    await integrateLogs(env, Date.now());
    await witnessHeads(env, Date.now());
    expect(await rowsIn(1, "audit_trees", tenant.id)).toMatchObject([
      { size: 4, witnessed_size: 4 },
    ]);
    const { keys } = await env.AUDIT_WITNESS.list({ prefix: `head/${tenant.id}/` });
    expect(keys).toHaveLength(1);
  });

  it("archives by the tenant's own retention", async () => {
    const tenant = await Tenant.create("test", { shard: 1 });
    const other = await Tenant.create("test", { shard: 1 });
    await tenant.setSettings({ retention: { archive_after_days: 1 } });
    await integrateLogs(env, Date.now());
    await archiveLogs(env, Date.now() + 2 * dayMs, findRetentionDays);
    expect(await rowsIn(1, "audit_events", tenant.id)).toEqual([]);
    expect(await rowsIn(1, "audit_events", other.id)).toHaveLength(2);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });

  it("counts its population", async () => {
    const { tenant, user } = await createOnOtherShard();
    const { assessment_id } = await user.assess();
    await user.sendFeedback(assessment_id, "legitimate");
    await drainOutbox(user);
    await publishPopulations(env, Date.now() + 8 * dayMs);
    expect(await rowsIn(1, "populations", tenant.id)).toMatchObject([{ logins: 1 }]);
  });

  it("deletes its old assessments and tombstones", async () => {
    const { tenant, user } = await createOnOtherShard();
    await user.assess();
    const leaver = await User.provision(tenant);
    await tenant.send("DELETE", leaver.path());
    await drainOutbox(user);
    await deleteExpired(env, Date.now() + 200 * dayMs);
    expect(await rowsIn(1, "assessments", tenant.id)).toEqual([]);
    expect(await rowsIn(1, "identities", tenant.id)).toHaveLength(1);
  });
});

describe("With one database", () => {
  const { DB_1: _first, DB_2: _second, ...oneDatabase } = env;

  it("no query looks up the shard of a tenant", async () => {
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
    const spies = ["all", "raw", "first", "run"].map((name) => vi.spyOn(statement, name));
    expect(await shardOf(oneDatabase, "alice")).toBe(0);
    await findTenantDb(oneDatabase, "alice");
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  it("a tenant whose database is no longer bound gets a 503, and no row of it reaches DB", async () => {
    const { tenant, user } = await createOnOtherShard();
    vi.spyOn(console, "error").mockImplementation(() => {});
    await withD1Fault("throws", () => user.verify(user.wrongCode(Date.now())));
    const delivered = await runInDurableObject(guardOf(user), async (_guard, { storage }) => {
      const pending = new GuardStorage(storage).readPending();
      if (pending === undefined) throw new Error("The outbox is empty");
      const delivery = await buildDelivery(oneDatabase, pending, Date.now());
      return await fileDelivery(oneDatabase, delivery).catch(causeOf);
    });
    expect(delivered).toContain("FencedTenantError");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30_000 });
    const headers = { Authorization: `Bearer ${tenant.token}` };
    const request = new Request("https://idp.test/v1/idp/users", { headers });
    const answer = await worker.fetch(request, oneDatabase, createExecutionContext());
    expect(answer.status).toBe(503);
    expect(await readTenantData(0, tenant)).toEqual({});
  });
});
