/**
 * A client disconnects while its request is under way. The platform then ends the request, and no later code
 * runs, not even a `finally`. Other requests must not wait for it.
 */
import { env, exports } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Call, send, Tenant, User } from "../support/client.ts";
import { hangForever } from "../support/deadlines.ts";

const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
const database = Object.getPrototypeOf(env.DB);
const kv = Object.getPrototypeOf(env.IP_REPUTATION);
const asOperator = { token: env.OPERATOR_TOKEN };
const acme = { tenant: { name: "Acme", mode: "test" } };

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Sends a POST whose client disconnects at the first of the named calls. These calls never answer. */
async function abandonRequest(path: string, call: Call, on: object, ...names: readonly string[]) {
  let reached = false;
  const spies = names.map((name) =>
    vi.spyOn(on as Record<string, () => Promise<never>>, name).mockImplementation(() => {
      reached = true;
      return hangForever();
    }),
  );
  const client = new AbortController();
  const answer = exports.default.fetch(
    new Request(`https://idp.test${path}`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Authorization: `Bearer ${call.token}`,
        ...call.headers,
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      signal: client.signal,
    }),
  );
  await vi.waitFor(() => expect(reached).toBe(true));
  client.abort();
  await expect(answer).rejects.toThrow("abort");
  for (const spy of spies) spy.mockRestore();
}

describe("A client that disconnects", () => {
  // This test must come first, because an isolate checks its keys only once.
  it("while the keys are checked does not block other clients", async () => {
    await abandonRequest(
      "/v1/tenants",
      { ...asOperator, body: acme },
      statement,
      "all",
      "raw",
      "first",
    );
    expect((await send("POST", "/v1/tenants", { ...asOperator, body: acme })).status).toBe(201);
  });

  it("in the middle of a write to D1 does not block its Idempotency-Key for ever", async () => {
    const call = { ...asOperator, body: acme, headers: { "Idempotency-Key": "gone-1" } };
    await abandonRequest("/v1/tenants", call, database, "batch");
    const soon = await send("POST", "/v1/tenants", call);
    expect([soon.status, soon.body.code]).toEqual([409, "idempotency_in_progress"]);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30_000 });
    const retry = await send("POST", "/v1/tenants", call);
    expect(retry.status).toBe(201);
    expect((await send("POST", "/v1/tenants", call)).body).toEqual(retry.body);
  });

  it("in the middle of an assessment does not block its Idempotency-Key for ever", async () => {
    const user = await User.provision(await Tenant.create());
    const call = {
      token: user.tenant.token,
      headers: { "Idempotency-Key": "gone-2" },
      body: { sentinel: { id: user.id, context: { ip: "9.9.9.9", ua: "EnterpriseAgent/1.0" } } },
    };
    await abandonRequest("/v1/sentinel/discover", call, kv, "get");
    await vi.waitFor(
      async () => expect((await send("POST", "/v1/sentinel/discover", call)).status).toBe(200),
      10_000,
    );
  });

  it("in the middle of a provisioning does not block its Idempotency-Key for ever", async () => {
    const tenant = await Tenant.create();
    // This caches the token, so that the next request reads the user first.
    await tenant.send("GET", "/v1/idp/users");
    const call = {
      token: tenant.token,
      headers: { "Idempotency-Key": "gone-3" },
      body: { user: { external_id: "new" } },
    };
    await abandonRequest("/v1/idp/users", call, statement, "all", "raw", "first");
    await vi.waitFor(
      async () => expect((await send("POST", "/v1/idp/users", call)).status).toBe(201),
      10_000,
    );
  });
});
