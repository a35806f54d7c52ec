/** D1 fails only on statements outside a batch: all reads, and the few writes that have no event. */
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

/** The operations whose decision needs a read from D1. */
const readingOperations = [
  ...["provision", "change the settings"],
  ...["rotate a token", "revoke a token"],
];
const operationsButErasure = [...guardOperations, ...tenantOperations];
const operations = [...operationsButErasure, erasure];

describe("D1 that fails on single reads only", () => {
  it.each(operationsButErasure.filter(({ name }) => !readingOperations.includes(name)))(
    "is not needed for $name",
    async (operation) => {
      await expectApplied(operation, "fails on single reads only");
    },
  );

  it.each(operationsButErasure.filter(({ name }) => readingOperations.includes(name)))(
    "causes a 503 for $name, which has no effect",
    async (operation) => {
      await expectNotApplied(operation, "fails on single reads only");
    },
  );

  it("causes a 503 for an erasure, which is applied once, because another database may have rows", async () => {
    await expectAppliedDespite503(erasure, (act) => withD1Fault("fails on single reads only", act));
  });
});

describe("A failure of D1 about a text that a client chose", () => {
  it.each([
    ["revocation", "DELETE", ""],
    ["rotation", "POST", "/rotate"],
  ])("is a 503 for a %s, whatever the text says", async (_, method, suffix) => {
    const tenant = await Tenant.create();
    await tenant.send("GET", "/v1/tokens");
    const path = `/v1/tokens/unmet_condition_too_many${suffix}`;
    const body = method === "POST" ? { token: {} } : undefined;
    const answer = await withD1Fault("fails on single reads only", () =>
      tenant.send(method, path, body),
    );
    expect([answer.status, answer.body.code]).toEqual([503, "unavailable"]);
  });
});

describe("D1 that fails on single writes only", () => {
  it.each(operations)("does not prevent $name", async (operation) => {
    await expectApplied(operation, "fails on single writes only");
  });

  it("loses only the time at which a token was last used", async () => {
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
