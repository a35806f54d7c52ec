/** The name of a token, in the event about its creation. */
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { send, Tenant } from "../support/client.ts";

it("The event about a new token has its name, whoever created it", async () => {
  const tenant = await Tenant.create();
  const token = { name: "backend of the shop", permissions: ["idp:read"] };
  expect((await tenant.send("POST", "/v1/tokens", { token })).status).toBe(201);
  const byOperator = { token: { name: "rescue", permissions: ["audit:read"] } };
  const path = `/v1/tenants/${tenant.id}/tokens`;
  const call = { token: env.OPERATOR_TOKEN, body: byOperator };
  expect((await send("POST", path, call)).status).toBe(201);
  const { body } = await tenant.send("GET", "/v1/audit/events?action=token.created");
  expect(
    body.events.map(({ actor, details: { name, permissions } }: typeof body) => ({
      by: actor.type,
      name,
      permissions: permissions.split(" ").length,
    })),
  ).toEqual([
    { by: "operator", name: "rescue", permissions: 1 },
    { by: "api_token", name: "backend of the shop", permissions: 1 },
    { by: "operator", name: "initial", permissions: expect.any(Number) },
  ]);
});
