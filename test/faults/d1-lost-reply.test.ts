/** D1 that carries a batch out and does not tell. Who asks again must not do it twice unawares. */
import { describe, expect, it } from "vitest";
import { withD1Fault } from "../support/d1-faults.ts";
import { readTrail } from "../support/delivered-trail.ts";
import { inspectGuard } from "../support/guard.ts";
import { erasure, guardOperations } from "../support/operations.ts";
import { tenantOperations } from "../support/tenant-operations.ts";
import { expectApplied, expectAppliedDespite503, prepareTrial } from "../support/under-fault.ts";

const fault = "loses the reply to batches only";

describe(`D1 that ${fault}`, () => {
  it.each(guardOperations)("is told of $name again, and files it once", async (operation) => {
    await expectApplied(operation, fault);
  });

  it.each(tenantOperations)(
    "makes it a 503 to $name, which is done and told",
    async (operation) => {
      await expectAppliedDespite503(operation, (act) => withD1Fault(fault, act));
    },
  );

  it("makes it a 503 to erase, which is done and told once", async () => {
    const { tenant, prepared: ready, eventsBefore: told } = await prepareTrial(erasure);
    const during = await withD1Fault(fault, ready.act);
    expect([during.status, during.body.code]).toEqual([503, "unavailable"]);
    expect(await ready.readShown()).toEqual(erasure.after);
    // Its alarm may have been there before us.
    expect((await ready.act()).status).toBeOneOf([204, 404]);
    const acts = (await readTrail(tenant)).filter((event) => !event.startsWith("request.refused"));
    expect(acts).toEqual([...told, ...erasure.done.events]);
    if (ready.user === undefined) throw new Error("Nobody was erased");
    expect((await inspectGuard(ready.user)).tables).toEqual([]);
  });
});
