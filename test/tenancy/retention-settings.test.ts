/** The settings that limit how long data is kept, and the earlier name of one of them. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { findPersonalDays, findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { Tenant } from "../support/client.ts";

function patch(tenant: Tenant, settings: object) {
  return tenant.send("PATCH", "/v1/settings", { settings });
}

async function readStored(tenant: Tenant): Promise<unknown> {
  const row = await env.DB.prepare("SELECT settings FROM tenants WHERE id = ?")
    .bind(tenant.id)
    .first<{ settings: string }>();
  return JSON.parse(row?.settings ?? "null");
}

async function store(tenant: Tenant, settings: object): Promise<void> {
  await env.DB.prepare("UPDATE tenants SET settings = ? WHERE id = ?")
    .bind(JSON.stringify(settings), tenant.id)
    .run();
}

async function readChanges(tenant: Tenant): Promise<unknown[]> {
  const { body } = await tenant.send("GET", "/v1/audit/events?action=settings.changed");
  return body.events.map(({ details }: { details: unknown }) => details);
}

describe("The days before events move to the archive", () => {
  it("are set under either name, or under both with the same value", async () => {
    const tenant = await Tenant.create();
    for (const [days, settings] of [
      [30, { audit: { retention_days: 30 } }],
      [31, { retention: { archive_after_days: 31 } }],
      [32, { audit: { retention_days: 32 }, retention: { archive_after_days: 32 } }],
    ] as const) {
      const { status, body } = await patch(tenant, settings);
      expect(status).toBe(200);
      const read = (await tenant.send("GET", "/v1/settings")).body;
      for (const answer of [body, read]) {
        expect(answer.settings.audit).toEqual({ retention_days: days });
        expect(answer.settings.retention.archive_after_days).toBe(days);
      }
      expect((await findRetentionDays(env, [tenant.id])).get(tenant.id)).toBe(days);
    }
  });

  it("are refused under both names with different values, and then nothing changes", async () => {
    const tenant = await Tenant.create();
    const { status, body } = await patch(tenant, {
      audit: { retention_days: 30 },
      retention: { archive_after_days: 31, personal_days: 90 },
    });
    expect(status).toBe(400);
    expect(body.issues).toEqual([
      {
        path: "settings.audit.retention_days",
        message:
          "must have the value of retention.archive_after_days, of which it is the earlier name, or be left out",
      },
    ]);
    expect(await readStored(tenant)).toEqual({});
  });

  it("are one field of the event, whichever name the request has", async () => {
    const tenant = await Tenant.create();
    await patch(tenant, { audit: { retention_days: 30 } });
    await patch(tenant, { audit: { retention_days: 40 }, retention: { personal_days: 90 } });
    expect(await readChanges(tenant)).toEqual([
      {
        changed: "retention.archive_after_days retention.personal_days",
        "retention.archive_after_days.old": 30,
        "retention.archive_after_days.new": 40,
        "retention.personal_days.old": null,
        "retention.personal_days.new": 90,
      },
      {
        changed: "retention.archive_after_days",
        "retention.archive_after_days.old": 400,
        "retention.archive_after_days.new": 30,
      },
    ]);
  });

  it("are stored under the name that an older build reads", async () => {
    const tenant = await Tenant.create();
    await patch(tenant, { retention: { archive_after_days: 30, assessment_days: 60 } });
    expect(await readStored(tenant)).toEqual({
      audit: { retention_days: 30 },
      retention: { assessment_days: 60 },
    });
    // What an older build stores.
    await store(tenant, { audit: { retention_days: 20 }, retention: { assessment_days: 50 } });
    const { settings } = (await tenant.send("GET", "/v1/settings")).body;
    expect(settings).toMatchObject({
      audit: { retention_days: 20 },
      retention: { archive_after_days: 20, personal_days: null, assessment_days: 50 },
    });
    await patch(tenant, { retention: { personal_days: 90 } });
    expect(await readStored(tenant)).toEqual({
      audit: { retention_days: 20 },
      retention: { assessment_days: 50, personal_days: 90 },
    });
  });
});

describe("The days before personal parts expire", () => {
  it("can be set and removed, and are then listed for the tenants of a database", async () => {
    const first = await Tenant.create();
    const second = await Tenant.create();
    await patch(first, { retention: { personal_days: 30 } });
    await patch(second, { retention: { personal_days: 3_650 } });
    const ofThese = async () =>
      (await findPersonalDays(env, 0, { limit: 1_000 })).filter(({ tenantId }) =>
        [first.id, second.id].includes(tenantId),
      );
    const [lower, higher] = [
      { tenantId: first.id, days: 30 },
      { tenantId: second.id, days: 3_650 },
    ].toSorted((one, other) => (one.tenantId < other.tenantId ? -1 : 1));
    expect(await ofThese()).toEqual([lower, higher]);
    const after = lower?.tenantId ?? "";
    expect(await findPersonalDays(env, 0, { after, limit: 1 })).toEqual([higher]);
    expect(await findPersonalDays(env, 1, { limit: 1_000 })).not.toContainEqual(lower);
    const { body } = await patch(second, { retention: { personal_days: null } });
    expect(body.settings.retention.personal_days).toBe(null);
    await patch(first, { retention: { personal_days: 31 } });
    expect(await ofThese()).toEqual([{ tenantId: first.id, days: 31 }]);
    expect(await readStored(second)).toEqual({ retention: {} });
  });
});
