/**
 * D1 fails only on batches, which write all records and events. Each operation then succeeds or has no
 * effect, and the trail agrees.
 */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { shareOf } from "../support/campaign.ts";
import { send } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { readTrail } from "../support/delivered-trail.ts";
import { inspectGuard } from "../support/guard.ts";
import { erasure, guardOperations } from "../support/operations.ts";
import { tenantOperations } from "../support/tenant-operations.ts";
import { expectApplied, expectNotApplied, prepareTrial } from "../support/under-fault.ts";

const faults: readonly D1Fault[] = ["fails on batches only", "hangs on batches only"];

async function countRows(table: "tenants" | "api_tokens" | "audit_events"): Promise<number> {
  const row = await env.DB.prepare(`SELECT count(*) AS n FROM ${table}`).first<{ n: number }>();
  return row?.n ?? 0;
}

const countTenancyRows = async () =>
  await Promise.all([countRows("tenants"), countRows("api_tokens"), countRows("audit_events")]);

describe.each(faults)("D1 that %s", (fault) => {
  it.each(shareOf(guardOperations, faults.indexOf(fault), faults.length))(
    "does not prevent $name, and gets its events once",
    async (operation) => {
      await expectApplied(operation, fault);
    },
  );

  it.each(shareOf(tenantOperations, faults.indexOf(fault), faults.length))(
    "causes a 503 for $name, which has no effect",
    async (operation) => {
      await expectNotApplied(operation, fault);
    },
  );

  it("causes a 503 for the creation of a tenant, which leaves no rows", async () => {
    const create = async () =>
      await send("POST", "/v1/tenants", {
        token: env.OPERATOR_TOKEN,
        body: { tenant: { name: "Acme", mode: "test" } },
      });
    const before = await countTenancyRows();
    const during = await withD1Fault(fault, create);
    expect([during.status, during.body.code]).toEqual([503, "unavailable"]);
    expect(await countTenancyRows()).toEqual(before);
    const { status, body } = await create();
    expect(status).toBe(201);
    const events = await readTrail({ id: body.tenant.id, token: body.token.secret });
    expect(events).toEqual(["tenant.created success", "token.created success"]);
  });

  it("causes a 503 for an erasure, which still completes once", async () => {
    const { tenant, prepared, eventsBefore } = await prepareTrial(erasure);
    const during = await withD1Fault(fault, async () => {
      const answer = await prepared.act();
      expect(await prepared.readShown()).toEqual(erasure.before);
      return answer;
    });
    expect([during.status, during.body.code]).toEqual([503, "unavailable"]);
    // The retry alarm may have completed the erasure first.
    expect((await prepared.act()).status).toBeOneOf([204, 404]);
    expect(await prepared.readShown()).toEqual(erasure.after);
    const changes = (await readTrail(tenant)).filter(
      (event) => !event.startsWith("request.refused"),
    );
    expect(changes).toEqual([...eventsBefore, ...erasure.done.events]);
    if (prepared.user === undefined) throw new Error("No user was erased");
    expect((await inspectGuard(prepared.user)).tables).toEqual([]);
  });
});
