/** `GET /v1/requests/{id}` over HTTP, and the tenant in the log of a failed request. */
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { send, Tenant } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { useQuietConsole } from "../support/quiet-console.ts";

useQuietConsole();

const asOperator = { token: env.OPERATOR_TOKEN };

async function find(requestId: string | null) {
  return await send("GET", `/v1/requests/${requestId}`, asOperator);
}

it.each([0, 1])("The operator finds the tenant of a request, in database %i", async (shard) => {
  const tenant = await Tenant.create("live", { shard });
  const user = { user: { external_id: "alice" } };
  const { headers } = await tenant.send("POST", "/v1/idp/users", user);
  const requestId = headers.get("X-Request-Id");
  const { status, body } = await find(requestId);
  expect(status).toBe(200);
  expect(body.request).toMatchObject({
    id: requestId,
    events: [{ tenant_id: tenant.id, action: "user.provisioned", outcome: "success" }],
  });
  expect(JSON.stringify(body)).not.toContain("alice");
});

it("An id of no request is not found", async () => {
  for (const id of ["0".repeat(24), "not-an-id"]) expect((await find(id)).status).toBe(404);
});

it("The log of a failed request names its tenant", async () => {
  const tenant = await Tenant.create("live");
  await tenant.send("GET", "/v1/idp/users");
  const lines: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
  const { status, body } = await withD1Fault(
    "throws",
    async () => await tenant.send("GET", "/v1/idp/users"),
  );
  expect(status).toBe(503);
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({
      event: "request_failed",
      request_id: body.request_id,
      tenant_id: tenant.id,
    }),
  );
});
