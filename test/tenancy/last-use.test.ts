import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { controlDbOf } from "../../src/db/shards.ts";
import worker from "../../src/index.ts";
import { touchToken } from "../../src/tenancy/token-store.ts";
import { Tenant } from "../support/client.ts";

describe("The last use of a token", () => {
  it("is recorded after the response, with the platform's waitUntil", async () => {
    const tenant = await Tenant.create();
    const token = await tenant.tokenWith(["idp:read"]);
    const headers = { Authorization: `Bearer ${token}` };
    const sendRequest = async () => {
      const context = createExecutionContext();
      const waitUntil = vi.spyOn(context, "waitUntil");
      const request = new Request("https://idp.test/v1/idp/users", { headers });
      expect((await worker.fetch(request, env, context)).status).toBe(200);
      await waitOnExecutionContext(context);
      return waitUntil.mock.calls.length;
    };
    expect(await sendRequest()).toBe(1);
    const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
    expect(tokens[1].last_used_at).not.toBeNull();
    // The next use finds the token in the cache, and the recorded last use is recent enough.
    expect(await sendRequest()).toBe(0);
  });

  it("stays when an earlier one is recorded late", async () => {
    const tenant = await Tenant.create();
    const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
    const db = controlDbOf(env);
    const later = Date.now() + 60_000;
    await touchToken(db, tokens[0].id, later);
    await touchToken(db, tokens[0].id, later - 1);
    const { body } = await tenant.send("GET", "/v1/tokens");
    expect(Date.parse(body.tokens[0].last_used_at)).toBe(later);
  });
});
