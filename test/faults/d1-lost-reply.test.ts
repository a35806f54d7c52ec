/** D1 applies a batch and loses the reply. A retry must not apply the operation twice without notice. */
import { describe, expect, it } from "vitest";
import { withD1Fault } from "../support/d1-faults.ts";
import { readTrail } from "../support/delivered-trail.ts";
import { inspectGuard } from "../support/guard.ts";
import { erasure, guardOperations } from "../support/operations.ts";
import { tenantOperations } from "../support/tenant-operations.ts";
import { expectApplied, expectAppliedDespite503, prepareTrial } from "../support/under-fault.ts";

const fault = "loses the reply to batches only";

describe(`D1 that ${fault}`, () => {
  it.each(guardOperations)(
    "gets the events of $name again, and stores them once",
    async (operation) => {
      await expectApplied(operation, fault);
    },
  );

  it.each(tenantOperations)(
    "causes a 503 for $name, which is applied and reported once",
    async (operation) => {
      await expectAppliedDespite503(operation, (act) => withD1Fault(fault, act));
    },
  );

  it("causes a 503 for an erasure, which is applied and reported once", async () => {
    const { tenant, prepared, eventsBefore } = await prepareTrial(erasure);
    const during = await withD1Fault(fault, prepared.act);
    expect([during.status, during.body.code]).toEqual([503, "unavailable"]);
    expect(await prepared.readShown()).toEqual(erasure.after);
    // The retry alarm may have completed the erasure first.
    expect((await prepared.act()).status).toBeOneOf([204, 404]);
    const changes = (await readTrail(tenant)).filter(
      (event) => !event.startsWith("request.refused"),
    );
    expect(changes).toEqual([...eventsBefore, ...erasure.done.events]);
    if (prepared.user === undefined) throw new Error("No user was erased");
    expect((await inspectGuard(prepared.user)).tables).toEqual([]);
  });
});
