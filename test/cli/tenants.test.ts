/** `edge-idp tenants delete`: it goes on until nothing is left. */
import { env } from "cloudflare:workers";
import { IdpError } from "@edge-idp/sdk";
import { describe, expect, it } from "vitest";
import { deleteTenant } from "../../packages/cli/src/tenants/delete-tenant.ts";
import { Tenant, User } from "../support/client.ts";
import { passWaiting, suspendSince } from "../support/tenant-deletion.ts";
import { answerWithService, connectWith } from "./support/tenant-client.ts";

const dayMs = 24 * 60 * 60 * 1000;

describe("The deletion of a tenant", () => {
  it("prints the progress and ends when nothing is left, also after an outage", async () => {
    const tenant = await Tenant.create("live");
    const user = await User.provision(tenant);
    await user.events();
    await suspendSince(tenant, 2 * dayMs);
    let requests = 0;
    const idp = connectWith(env.OPERATOR_TOKEN, async (request) => {
      requests += 1;
      if (requests === 2) throw new TypeError("connection refused");
      return await answerWithService(request);
    });
    const lines: string[] = [];
    await deleteTenant({
      idp,
      id: tenant.id,
      name: "Acme",
      print: (line) => lines.push(line),
      pause: () => passWaiting(tenant),
    });
    expect(requests).toBeGreaterThan(2);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(/^[a-z]+: [01] of 1 users erased$/);
    expect(new Set(lines).size).toBe(lines.length);
    await expect(idp.tenants.list().page()).resolves.not.toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ id: tenant.id })]),
    });
  });

  it("does not begin before the tenant has been suspended for a day", async () => {
    const tenant = await Tenant.create("live");
    const deletion = deleteTenant({
      idp: connectWith(env.OPERATOR_TOKEN),
      id: tenant.id,
      name: "Acme",
      print: () => {},
      pause: async () => {},
    });
    await expect(deletion).rejects.toThrow(IdpError);
  });
});
