import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
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
});
