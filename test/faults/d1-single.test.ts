/** D1 that fails only on statements that come alone: all reads, and the few writes without an event. */
import { describe, expect, it } from "vitest";
import { Tenant } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { erasure, guardOperations } from "../support/operations.ts";
import { tenantOperations } from "../support/tenant-operations.ts";
import {
  expectApplied,
  expectAppliedDespite503,
  expectNotApplied,
} from "../support/under-fault.ts";

/** What must be read in D1 before it can be decided. */
const reading = [
  ...["provision", "change the settings"],
  ...["create a token", "rotate a token", "revoke a token"],
];
const unerasing = [...guardOperations, ...tenantOperations];
const operations = [...unerasing, erasure];

describe("D1 that fails on single reads only", () => {
  it.each(unerasing.filter(({ name }) => !reading.includes(name)))(
    "is not asked to $name",
    async (operation) => {
      await expectApplied(operation, "fails on single reads only");
    },
  );

  it.each(unerasing.filter(({ name }) => reading.includes(name)))(
    "makes it a 503 to $name, and nothing happens",
    async (operation) => {
      await expectNotApplied(operation, "fails on single reads only");
    },
  );

  it("makes it a 503 to erase, which happens once: it is not known whether another database has rows", async () => {
    await expectAppliedDespite503(erasure, (act) => withD1Fault("fails on single reads only", act));
  });
});

describe("D1 that fails on single writes only", () => {
  it.each(operations)("does not stand in the way of who wants to $name", async (operation) => {
    await expectApplied(operation, "fails on single writes only");
  });

  it("costs a token nothing but the time of its last use", async () => {
    const tenant = await Tenant.create();
    const token = await tenant.tokenWith(["idp:read"]);
    const used = await withD1Fault(
      "fails on single writes only",
      async () => await tenant.send("GET", "/v1/idp/users", undefined, token),
    );
    expect(used.status).toBe(200);
    const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
    expect(tokens[1]).toMatchObject({ name: "narrow", last_used_at: null });
  });
});
