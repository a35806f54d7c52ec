/** The event that every export of the trail leaves before its first byte. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { Tenant } from "../support/client.ts";
import {
  eventOf,
  fetchCheckpoint,
  fetchReportedExport,
  fileEvents,
  rowsOf,
  sql,
} from "../support/trail.ts";

function exportTrail(tenant: Tenant, query = "") {
  return tenant.send("GET", `/v1/audit/export${query}`);
}

/** The details of the tenant's reports, the oldest first. */
async function readReports(tenant: Tenant): Promise<unknown[]> {
  const rows = await rowsOf("audit_events", tenant.id);
  return rows
    .filter(({ action }) => action === "audit.exported")
    .map(({ details }) => JSON.parse(String(details)));
}

/** Makes D1 refuse reports of this tenant while the work runs. */
async function withoutReports(tenant: Tenant, work: () => Promise<void>): Promise<void> {
  const trigger = `refuse_reports_${tenant.id}`;
  await env.DB.exec(
    `CREATE TRIGGER ${trigger} BEFORE INSERT ON audit_events WHEN NEW.tenant_id = '${tenant.id}' AND NEW.action = 'audit.exported' BEGIN SELECT RAISE(ABORT, 'refused'); END`,
  );
  try {
    await work();
  } finally {
    await env.DB.exec(`DROP TRIGGER ${trigger}`);
  }
}

describe("An export of the trail", () => {
  it("leaves an event that says who exported which leaves, how many, and in which format", async () => {
    const tenant = await Tenant.create();
    const { body: own } = await tenant.send("GET", "/v1/token");
    const before = (await fetchCheckpoint(tenant)).tree_size;
    expect(before).toBe(2);
    const { headers } = await exportTrail(tenant);
    await exportTrail(tenant, "?format=ocsf&from=1&to=1000");
    const [, , first, second] = await fetchReportedExport(tenant, "?to=4");
    expect(first).toMatchObject({
      leaf_index: 2,
      action: "audit.exported",
      outcome: "success",
      actor: { type: "api_token", id: own.token.id, name: "initial", acting_for: null },
      target: { type: "tenant", id: tenant.id },
      request_id: headers.get("X-Request-Id"),
      details: { format: "native", from: 0, to: 2, count: 2 },
      personal: null,
    });
    expect(second.details).toEqual({ format: "ocsf", from: 1, to: 3, count: 2 });
  });

  it("does not contain its own event, and leaves none if it has nothing to send", async () => {
    const tenant = await Tenant.create();
    const lines = await fetchReportedExport(tenant);
    expect(lines.map(({ action }) => action)).toEqual(["tenant.created", "token.created"]);
    for (const query of ["?from=3", "?from=1&to=1", "?to=0", "?from=1000"]) {
      expect(await fetchReportedExport(tenant, query)).toEqual([]);
    }
    expect(await readReports(tenant)).toHaveLength(1);
  });

  it("is a 503 without any event of the trail if it cannot be recorded, and keeps no place", async () => {
    const tenant = await Tenant.create();
    await withoutReports(tenant, async () => {
      for (const format of ["native", "ocsf", "native", "ocsf"]) {
        const { status, body } = await exportTrail(tenant, `?format=${format}`);
        expect([status, body.code]).toEqual([503, "unavailable"]);
        expect(JSON.stringify(body)).not.toContain("tenant.created");
      }
    });
    expect(await readReports(tenant)).toEqual([]);
    expect(await fetchReportedExport(tenant)).toHaveLength(2);
  });

  it("sends nothing if another isolate has revoked its token meanwhile", async () => {
    const tenant = await Tenant.create();
    await fetchCheckpoint(tenant);
    await sql("UPDATE api_tokens SET revoked_at = 1 WHERE tenant_id = ?", tenant.id);
    const { status, body } = await exportTrail(tenant);
    expect([status, body.code]).toEqual([401, "invalid_token"]);
    expect(await readReports(tenant)).toEqual([]);
  });

  it("of such events alone leaves none, so that programs that follow the trail come to rest", async () => {
    const tenant = await Tenant.create();
    const other = await tenant.tokenWith(["audit:read"]);
    const follow = async (from: number, token: string) => {
      const { tree_size: to } = await fetchCheckpoint(tenant);
      await tenant.send("GET", `/v1/audit/export?from=${from}&to=${to}`, undefined, token);
      return Number(to);
    };
    let [own, others] = [0, 0];
    for (let round = 0; round < 5; round += 1) {
      own = await follow(own, tenant.token);
      others = await follow(others, other);
    }
    expect(await readReports(tenant)).toHaveLength(2);
    await fileEvents(tenant.id, [eventOf(tenant.id, Date.now())]);
    own = await follow(own, tenant.token);
    expect(await readReports(tenant)).toHaveLength(3);
    await follow(own, tenant.token);
    expect(await readReports(tenant)).toHaveLength(3);
  });
});
