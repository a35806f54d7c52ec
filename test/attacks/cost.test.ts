/** Input: one request has a bounded cost for any tenant size, because tenants share databases. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { countCalls } from "../support/count-calls.ts";
import { sql } from "../support/trail.ts";

const userCount = 45_000;
const maxRowsRead = 41_000;

/** Inserts `userCount` users, all active except the last but one. */
async function insertUsers(tenant: Tenant, status: string, lockedUntil: string): Promise<void> {
  await sql(
    `INSERT INTO identities
       (tenant_id, id, external_id, status, locked_until, created_at, updated_at, version)
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${userCount})
     SELECT ?1, printf('%024x', i), 'user-' || i, CASE i WHEN ${userCount - 1} THEN ?2 ELSE 'active' END,
       CASE i WHEN ${userCount - 1} THEN ${lockedUntil} END, 0, 0, 1 FROM n`,
    tenant.id,
    status,
  );
}

describe("A directory search for the one user of 45,000 that is", () => {
  it.each([
    ["suspended", "suspended", "NULL"],
    ["locked", "active", "9999999999999"],
  ])(
    "%s reads a bounded number of rows per page and finds the user",
    async (status, stored, until) => {
      const tenant = await Tenant.create();
      await insertUsers(tenant, stored, until);
      const found: string[] = [];
      let pages = 0;
      for (let after = ""; ; pages += 1) {
        const path = `/v1/idp/users?status=${status}&limit=5${after}`;
        const { answer, counts } = await countCalls<Answer>(() => tenant.send("GET", path));
        expect(counts.d1RowsRead).toBeLessThan(maxRowsRead);
        const { users, has_more, next_after } = answer.body;
        found.push(...users.map(({ external_id }: { external_id: string }) => external_id));
        if (!has_more) break;
        after = `&after=${next_after}`;
      }
      expect(found).toEqual([`user-${userCount - 1}`]);
      expect(pages).toBeLessThan(4);
    },
  );
});

describe("A simulation that changes hundreds of recommendations", () => {
  it("stores only its idempotency key, and a repeated request computes the answer again", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await user.assess({ ua: "" });
    await user.events();
    await sql(
      `WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < 400)
      INSERT INTO assessments SELECT tenant_id,
        printf('%012x', at + 60000) || printf('%012x', n) || identity_id, identity_id, at, model,
        risk_score, recommendation, reasons, degraded, evidence, context_digest, evidence_digest,
        policy, verdict, verdict_source, verdict_at
      FROM assessments, copy WHERE tenant_id = ?`,
      tenant.id,
    );
    const simulate = async (challengeAt: number) =>
      await send("POST", "/v1/sentinel/simulate", {
        token: tenant.token,
        headers: { "Idempotency-Key": "one" },
        body: { simulation: { sentinel: { challenge_at: challengeAt, deny_at: 0.002 } } },
      });
    const { simulation } = (await simulate(0.001)).body;
    expect(simulation.changed).toHaveLength(401);
    const storedBytes = await env.DB.prepare(
      "SELECT coalesce(sum(length(box)), 0) AS size FROM request_keys WHERE tenant_id = ?",
    )
      .bind(tenant.id)
      .first<number>("size");
    expect(storedBytes).toBeLessThan(32 * 1024);
    expect((await simulate(0.001)).body.simulation).toEqual(simulation);
    expect((await simulate(0.0015)).body.code).toBe("idempotency_mismatch");
    // The smaller answer would fit now, but the key already has its row.
    await sql("DELETE FROM assessments WHERE tenant_id = ? AND id LIKE '%1%'", tenant.id);
    expect((await simulate(0.001)).status).toBe(200);
  });
});
