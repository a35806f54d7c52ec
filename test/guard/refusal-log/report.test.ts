/** Refused requests over HTTP: a flood of them costs little and changes no answer. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { RefusalLog } from "../../../src/guard/refusal-log/refusal-log.ts";
import { sendManyRequests } from "../../support/busy-tokens.ts";
import { Tenant, User } from "../../support/client.ts";
import { withSilentSender } from "../../support/deadlines.ts";
import { holdLongWaits } from "../../support/held-waits.ts";
import {
  fireLogAlarm,
  readRefusalEvents,
  readRefusalLog,
  sumOf,
} from "../../support/refusal-log.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function limitEveryRequest({ id }: Tenant): Promise<void> {
  await sendManyRequests(id);
  vi.spyOn(Object.getPrototypeOf(env.TOKEN_RATE_LIMIT), "limit").mockResolvedValue({
    success: false,
  });
}

/** Freezes the time, so that all later requests fall into one window. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
}

function spyOnLog() {
  return vi.spyOn(RefusalLog.prototype, "count");
}

async function repeat(n: number, work: () => Promise<unknown>): Promise<void> {
  for (let done = 0; done < n; done += 1) await work();
}

describe("A rate-limited client", () => {
  it("causes one call at its first request and one at the end of the window, and every request is counted", async () => {
    stopClock();
    const tenant = await Tenant.create();
    await limitEveryRequest(tenant);
    const calls = spyOnLog();
    const endWindow = holdLongWaits();
    await repeat(150, async () => {
      expect((await tenant.send("GET", "/v1/idp/users")).status).toBe(429);
    });
    expect(calls).toHaveBeenCalledTimes(1);
    endWindow();
    await vi.waitFor(() => expect(calls).toHaveBeenCalledTimes(2), 15_000);
    expect(calls.mock.calls.map(([, { count }]) => count)).toEqual([1, 149]);
    await vi.waitFor(async () => expect(sumOf(await readRefusalEvents(tenant.id))).toBe(150), {
      timeout: 10_000,
      interval: 200,
    });
    const events = await readRefusalEvents(tenant.id);
    expect(events.map(({ reason, route }) => `${reason} ${route}`)).toEqual(
      events.map(() => "rate_limited listUsers"),
    );
  });
});

describe("Any other flood", () => {
  it("is reported one by one up to a hundred refusals in ten seconds, then together", async () => {
    stopClock();
    const tenant = await Tenant.create();
    const narrow = await tenant.tokenWith(["idp:read"]);
    const calls = spyOnLog();
    const endWindow = holdLongWaits();
    await repeat(130, async () => {
      expect((await tenant.send("GET", "/v1/tokens", undefined, narrow)).status).toBe(403);
    });
    expect(calls).toHaveBeenCalledTimes(100);
    endWindow();
    await vi.waitFor(() => expect(calls).toHaveBeenCalledTimes(101), 15_000);
    expect(calls.mock.lastCall?.[1].count).toBe(30);
  });

  it("is reported again in the next window", async () => {
    const tenant = await Tenant.create();
    await limitEveryRequest(tenant);
    const calls = spyOnLog();
    const start = Date.now();
    for (const second of [0, 1, 9, 10, 11]) {
      vi.useFakeTimers({ toFake: ["Date"], now: start + second * 1_000 });
      await tenant.send("GET", "/v1/tokens");
    }
    expect(calls).toHaveBeenCalledTimes(2);
  });
});

describe("A refusal that cannot be recorded", () => {
  it("is logged and does not change the answer", async () => {
    const user = await User.provision(await Tenant.create());
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
    const namespace = Object.getPrototypeOf(env.REFUSALS);
    const { idFromName } = namespace;
    const faults = [
      () =>
        vi.spyOn(namespace, "idFromName").mockImplementation(function (this: unknown, name) {
          // The guards share this prototype. Their names contain a colon.
          if (name === user.tenant.id) throw new Error("injected");
          return idFromName.call(this, name);
        }),
      () => spyOnLog().mockResolvedValue(false),
      () => spyOnLog().mockReturnValue(new Promise(() => {})),
    ];
    for (const inject of faults) {
      const fault = inject();
      const { status, body } = await withSilentSender(() =>
        user.tenant.send("GET", "/v1/idp/user?externalUserId=another-user"),
      );
      expect(status).toBe(404);
      expect(body.code).toBe("user_not_found");
      const logged = lines.splice(0).filter((line) => line.includes("refusal_not_recorded"));
      expect(logged).toHaveLength(1);
      expect(logged[0]).toContain(body.request_id);
      expect(logged[0]).not.toContain("another-user");
      fault.mockRestore();
    }
  });
});

describe("A refused request", () => {
  it("is reported with the time of a test tenant's clock", async () => {
    const tenant = await Tenant.create("test");
    tenant.clock = "2031-05-05T05:05:05Z";
    await tenant.send("GET", "/v1/idp/user?externalUserId=unknown-user");
    await fireLogAlarm(tenant.id);
    expect(await readRefusalEvents(tenant.id)).toMatchObject([{ at: Date.parse(tenant.clock) }]);
  });

  it("is not reported and calls no refusal log if it is malformed or its token is forged", async () => {
    const tenant = await Tenant.create();
    const calls = spyOnLog();
    await tenant.send("GET", "/v1/idp/users?limit=x");
    await tenant.send("POST", "/v1/idp/users", "{");
    await tenant.send("PUT", "/v1/idp/users", {});
    await tenant.send("GET", "/v1/nowhere");
    await tenant.send("GET", "/v1/idp/users", undefined, `${tenant.token}x`);
    expect(calls).not.toHaveBeenCalled();
  });
});

describe("A revoked token", () => {
  it("is reported, and gets the same answer as an unknown token", async () => {
    const tenant = await Tenant.create();
    const { body } = await tenant.send("POST", "/v1/tokens", {
      token: { name: "n", permissions: ["idp:read"] },
    });
    const { id, secret } = body.token;
    await tenant.send("DELETE", `/v1/tokens/${id}`);
    const revoked = await tenant.send("GET", "/v1/idp/users", undefined, secret);
    const unknown = await tenant.send("GET", "/v1/idp/users", undefined, "idp_test_unknown");
    expect(revoked.status).toBe(401);
    expect({ ...revoked.body, request_id: "" }).toEqual({ ...unknown.body, request_id: "" });
    expect(revoked.headers.get("WWW-Authenticate")).toBe(unknown.headers.get("WWW-Authenticate"));
    await fireLogAlarm(tenant.id);
    expect(await readRefusalEvents(tenant.id)).toMatchObject([
      { actorId: id, targetId: id, reason: "invalid_token", requestId: revoked.body.request_id },
    ]);
    expect((await readRefusalLog(tenant.id)).runs).toHaveLength(1);
    const row = await env.DB.prepare("SELECT last_used_at AS used FROM api_tokens WHERE id = ?")
      .bind(id)
      .first();
    expect(row).toEqual({ used: null });
  });

  it("gets a 401 even with a test clock", async () => {
    const tenant = await Tenant.create("live");
    const { body } = await tenant.send("POST", "/v1/tokens", {
      token: { name: "n", permissions: ["idp:read"] },
    });
    await tenant.send("DELETE", `/v1/tokens/${body.token.id}`);
    tenant.clock = "2031-05-05T05:05:05Z";
    const { status } = await tenant.send("GET", "/v1/idp/users", undefined, body.token.secret);
    expect(status).toBe(401);
  });
});
