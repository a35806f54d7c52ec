/** `DELETE /v1/tenants/:id`: when it begins, what it shows, and what is left. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import { removeEndedTrails } from "../../src/deletion/delete-tenant.ts";
import { onSchedule } from "../../src/scheduled.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { send, Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict, fireAlarm, guardOf, inspectGuard, replaceState } from "../support/guard.ts";
import { snapshotOfGuard } from "../support/guard-snapshot.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { registerPasskey, setUpPasskeys } from "../support/passkeys.ts";
import { readDayKeys } from "../support/personal-keys.ts";
import { fireLogAlarm } from "../support/refusal-log.ts";
import { relocateFully, relocateUpTo } from "../support/relocation.ts";
import {
  deleteFully,
  listTablesWith,
  passWaiting,
  requestDeletion,
  suspendSince,
} from "../support/tenant-deletion.ts";
import { rowsOf, sql } from "../support/trail.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const trailTables = ["audit_events", "audit_trees"];

async function listActions(tenant: Tenant): Promise<string[]> {
  return (await rowsOf("audit_events", tenant.id)).map(({ action }) => String(action));
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("A deletion begins only", () => {
  it.each(["live", "test"] as const)(
    "after the suspension of a %s tenant is old enough",
    async (mode) => {
      const tenant = await Tenant.create(mode);
      const minAgeMs = mode === "live" ? dayMs : minuteMs;
      expect((await requestDeletion(tenant)).body.code).toBe("tenant_active");
      await suspendSince(tenant, minAgeMs - 5_000);
      const early = await requestDeletion(tenant);
      expect([early.status, early.body.code]).toEqual([409, "tenant_active"]);
      await suspendSince(tenant, minAgeMs);
      expect((await requestDeletion(tenant)).status).toBe(202);
    },
  );

  it("in real time, whatever a test clock says", async () => {
    const tenant = await Tenant.create();
    await suspendSince(tenant, 0);
    const path = `/v1/tenants/${tenant.id}`;
    const headers = { "Test-Clock": new Date(Date.now() + dayMs).toISOString() };
    const body = { tenant: { name: "Acme" } };
    const { status } = await send("DELETE", path, { token: env.OPERATOR_TOKEN, body, headers });
    expect(status).toBe(400);
  });

  it("with the tenant's name, for a tenant that exists and does not move", async () => {
    const tenant = await Tenant.create();
    await suspendSince(tenant, minuteMs);
    expect((await requestDeletion(tenant, "acme")).body.issues).toEqual([
      { path: "tenant.name", message: "must be the tenant's name" },
    ]);
    expect((await requestDeletion({ id: "0".repeat(24) })).status).toBe(404);
    await relocateUpTo(tenant, 1, "copying");
    expect((await requestDeletion(tenant)).body.code).toBe("relocation_in_progress");
    expect(await rowsOf("tenant_deletions", tenant.id)).toEqual([]);
  });
});

describe("A deletion", () => {
  it("shows its progress, and leaves the sealed trail alone", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "deleted-person");
    const { assessment_id } = await user.assess();
    await user.sendFeedback(assessment_id, "legitimate");
    await user.sendFeedback((await user.assess()).assessment_id, "fraud");
    await setUpPasskeys(tenant);
    const leaver = await User.provision(tenant);
    await registerPasskey(leaver, new PasskeyAuthenticator());
    await tenant.send("DELETE", leaver.path());
    await registerPasskey(await User.provision(tenant), new PasskeyAuthenticator());
    // One whose registration was interrupted.
    await sql("INSERT INTO passkey_claims VALUES (?, 'passkey', 'identity', 'claim')", tenant.id);
    tenant.requestKey = "k";
    const { body } = await tenant.send("POST", "/v1/tokens", {
      token: { name: "t", permissions: ["idp:read"] },
    });
    tenant.requestKey = undefined;
    await tenant.send("DELETE", `/v1/tokens/${body.token.id}`);
    const unused = await tenant.tokenWith(["settings:write"]);
    const narrow = await tenant.tokenWith(["idp:read"]);
    await tenant.send("GET", "/v1/audit/export");
    await tenant.send("GET", "/v1/settings", undefined, narrow);
    await publishPopulations(env, Date.now());
    await suspendSince(tenant, minuteMs);
    expect((await readDayKeys(tenant.id)).size).toBe(1);

    const answers = await deleteFully(tenant);
    expect(answers[0]?.body).toEqual({ deletion: { state: "clearing", done: 3, total: 3 } });
    expect(answers.at(-1)?.status).toBe(204);
    expect((await requestDeletion(tenant, "any")).status).toBe(204);
    expect(await listTablesWith(tenant.id)).toEqual(
      [...trailTables, "tenant_deletions", "tenant_fences"].map((table) => `0 ${table}`),
    );
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    expect(await env.IP_REPUTATION.get(`pop/v1/${tenant.id}`)).toBeNull();
    const { REFUSALS, REGISTER, EXPORTS, TENANT_WATCHES, PERSONAL_KEYS } = env;
    for (const namespace of [REFUSALS, REGISTER, EXPORTS, TENANT_WATCHES, PERSONAL_KEYS]) {
      const object = namespace.get(namespace.idFromName(tenant.id));
      const left = await runInDurableObject(object, async (_, { storage }) => [
        storage.sql
          .exec(
            "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
          )
          .toArray(),
        await storage.getAlarm(),
      ]);
      expect(left).toEqual([[], null]);
    }
    const actions = await listActions(tenant);
    expect([actions.at(-5), ...actions.slice(-4, -1).toSorted(), actions.at(-1)]).toEqual([
      "tenant.deletion_started",
      "request.refused",
      "user.erased",
      "user.erased",
      "tenant.deleted",
    ]);
    expect(actions.filter((action) => action === "token.revoked")).toHaveLength(1);
    const [tree] = await rowsOf("audit_trees", tenant.id);
    expect(tree?.size).toBe(actions.length);
    expect((await send("GET", "/v1/settings", { token: unused })).status).toBe(401);
  });

  it("is continued by the scheduled job, without a further request", async () => {
    const tenant = await Tenant.create();
    await User.provision(tenant);
    await suspendSince(tenant, minuteMs);
    await requestDeletion(tenant);
    for (let run = 0; run < 8; run += 1) {
      await passWaiting(tenant);
      vi.spyOn(scheduler, "wait").mockResolvedValue(undefined);
      await onSchedule(env, "* * * * *", Date.now());
    }
    expect((await requestDeletion(tenant)).status).toBe(204);
  });

  it("discards an identity that cannot be read", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const tenant = await Tenant.create();
    const [damaged, empty] = [await User.withTotp(tenant), await User.withTotp(tenant)];
    await env.DB.prepare("UPDATE identities SET state = '{}' WHERE tenant_id = ?")
      .bind(tenant.id)
      .run();
    await runInDurableObject(guardOf(empty), (_, { storage }) => storage.deleteAll());
    await replaceState(damaged, "'{'");
    await evict(damaged);
    await evict(empty);
    await suspendSince(tenant, minuteMs);
    await deleteFully(tenant);
    expect(await inspectGuard(damaged)).toEqual({ tables: [], alarm: null });
    expect(await listTablesWith(damaged.id)).toEqual(["0 audit_events"]);
  });

  it("erases an identity that only its guard has, as after D1 was restored", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await drainOutbox(user);
    await env.DB.prepare("DELETE FROM identities WHERE tenant_id = ?").bind(tenant.id).run();
    await suspendSince(tenant, minuteMs);
    await deleteFully(tenant);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    expect(await listActions(tenant)).toContain("user.erased");
  });

  it("refuses what arrives later, and the guard that sends it clears itself", async () => {
    for (const level of ["error", "warn"] as const) vi.spyOn(console, level).mockReturnValue();
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const restore = await snapshotOfGuard(user);
    await suspendSince(tenant, minuteMs);
    await deleteFully(tenant);
    const before = await rowsOf("audit_events", tenant.id);
    await restore();
    await runInDurableObject(guardOf(user), async (_, { storage }) => {
      storage.sql.exec("CREATE TABLE outbox (seq INTEGER PRIMARY KEY, dispatch TEXT NOT NULL)");
      storage.sql.exec("INSERT INTO outbox (seq, dispatch) VALUES (1000, '{\"events\":[]}')");
      await storage.setAlarm(Date.now() + dayMs);
    });
    await fireAlarm(user);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    expect(await rowsOf("identities", tenant.id)).toEqual([]);
    expect(await rowsOf("audit_events", tenant.id)).toEqual(before);
  });

  it("refuses what the refusal log counts later, and the log clears itself", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const tenant = await Tenant.create();
    await suspendSince(tenant, minuteMs);
    await deleteFully(tenant);
    const log = env.REFUSALS.get(env.REFUSALS.idFromName(tenant.id));
    await log.count(tenant.id, {
      action: "request.refused",
      reason: "rate_limited",
      route: "listUsers",
      count: 1,
      at: Date.now(),
      actor: { type: "api_token", id: "t" },
      requestId: "r",
    });
    await fireLogAlarm(tenant.id);
    const left = await runInDurableObject(log, async (_, { storage }) => [
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('live', 'outbox')").toArray(),
      await storage.getAlarm(),
    ]);
    expect(left).toEqual([[], null]);
    expect((await rowsOf("audit_events", tenant.id)).at(-1)?.action).toBe("tenant.deleted");
  });

  it("works for a tenant in another database, which then cannot move", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await relocateFully(tenant, 1);
    await suspendSince(tenant, minuteMs);
    await requestDeletion(tenant);
    const { body } = await send("POST", `/v1/tenants/${tenant.id}/relocation`, {
      token: env.OPERATOR_TOKEN,
      body: { relocation: { shard: 2 } },
    });
    expect(body.code).toBe("tenant_deleting");
    await deleteFully(tenant);
    expect(await listTablesWith(tenant.id)).toEqual([
      ...["0 tenant_deletions", "0 tenant_fences"],
      ...[...trailTables, "tenant_fences"].map((table) => `1 ${table}`),
    ]);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    expect((await rowsIn(1, "audit_events", tenant.id)).at(-1)?.action).toBe("tenant.deleted");
  });

  it("ends with the trail, once every event is in the archive and each witness has the last head", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ retention: { archive_after_days: 30 } });
    await suspendSince(tenant, minuteMs);
    await deleteFully(tenant);
    await integrateLogs(env, Date.now());
    // A longer log has full tiles too.
    await sql("INSERT INTO audit_tiles VALUES (?, 3, 0, 'AAAA')", tenant.id);
    await removeEndedTrails(env);
    await archiveLogs(env, Date.now() + 29 * dayMs, findRetentionDays);
    await removeEndedTrails(env);
    expect(await rowsOf("audit_events", tenant.id)).not.toEqual([]);
    await archiveLogs(env, Date.now() + 31 * dayMs, findRetentionDays);
    await removeEndedTrails(env);
    expect(await rowsOf("audit_trees", tenant.id)).toHaveLength(1);
    await witnessHeads(env, Date.now() + 31 * dayMs);
    await removeEndedTrails(env);
    expect(await listTablesWith(tenant.id)).toEqual(["0 tenant_fences"]);
    expect((await requestDeletion(tenant)).status).toBe(404);
    expect(
      (await env.AUDIT_ARCHIVE?.list({ prefix: `events/${tenant.id}/` }))?.objects,
    ).toHaveLength(1);
  });
});
