/**
 * D1 that fails only where several statements are written together: the way of every record and
 * event. Each operation is then done or not done, and the trail says which.
 */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { send } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { readTrail } from "../support/delivered-trail.ts";
import { inspectGuard } from "../support/guard.ts";
import { erasure, guardOperations } from "../support/operations.ts";
import { tenantOperations } from "../support/tenant-operations.ts";
import { expectApplied, expectNotApplied, prepareTrial } from "../support/under-fault.ts";

const faults: readonly D1Fault[] = ["fails on batches only", "hangs on batches only"];

async function rowsIn(table: "tenants" | "api_tokens" | "audit_events"): Promise<number> {
  const row = await env.DB.prepare(`SELECT count(*) AS n FROM ${table}`).first<{ n: number }>();
  return row?.n ?? 0;
}

const rowsOfTenancy = async () =>
  await Promise.all([rowsIn("tenants"), rowsIn("api_tokens"), rowsIn("audit_events")]);

describe.each(faults)("D1 that %s", (fault) => {
  it.each(guardOperations)("lets $name happen, and hears of it once", async (operation) => {
    await expectApplied(operation, fault);
  });

  it.each(tenantOperations)("makes it a 503 to $name, and nothing happens", async (operation) => {
    await expectNotApplied(operation, fault);
  });

  it("makes it a 503 to create a tenant, and nothing is left of it", async () => {
    const create = async () =>
      await send("POST", "/v1/tenants", {
        token: env.OPERATOR_TOKEN,
        body: { tenant: { name: "Acme", mode: "test" } },
      });
    const before = await rowsOfTenancy();
    const during = await withD1Fault(fault, create);
    expect([during.status, during.body.code]).toEqual([503, "unavailable"]);
    expect(await rowsOfTenancy()).toEqual(before);
    const { status, body } = await create();
    expect(status).toBe(201);
    const told = await readTrail({ id: body.tenant.id, token: body.token.secret });
    expect(told).toEqual(["tenant.created success", "token.created success"]);
  });

  it("makes it a 503 to erase, which happens all the same, once", async () => {
    const { tenant, prepared: ready, eventsBefore: told } = await prepareTrial(erasure);
    const during = await withD1Fault(fault, async () => {
      const answer = await ready.act();
      expect(await ready.readShown()).toEqual(erasure.before);
      return answer;
    });
    expect([during.status, during.body.code]).toEqual([503, "unavailable"]);
    // Its alarm may have been there before us.
    expect((await ready.act()).status).toBeOneOf([204, 404]);
    expect(await ready.readShown()).toEqual(erasure.after);
    const acts = (await readTrail(tenant)).filter((event) => !event.startsWith("request.refused"));
    expect(acts).toEqual([...told, ...erasure.done.events]);
    if (ready.user === undefined) throw new Error("Nobody was erased");
    expect((await inspectGuard(ready.user)).tables).toEqual([]);
  });
});
