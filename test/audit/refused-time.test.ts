import { expect, it } from "vitest";
import { Tenant } from "../support/client.ts";
import { fireLogAlarm, readRefusalEvents } from "../support/refusal-log.ts";

it("The event of a refused request has the time of the request's test clock", async () => {
  const tenant = await Tenant.create();
  const token = await tenant.tokenWith(["audit:read"]);
  tenant.clock = "2031-02-03T04:05:06.000Z";
  expect((await tenant.send("GET", "/v1/settings", undefined, token)).status).toBe(403);
  await fireLogAlarm(tenant.id);
  expect(await readRefusalEvents(tenant.id)).toMatchObject([
    { at: Date.parse(tenant.clock), reason: "insufficient_scope" },
  ]);
});
