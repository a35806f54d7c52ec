/** Tests the Worker as a whole: configuration, unexpected faults, housekeeping. */
import { createExecutionContext, createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { wantedMigrations } from "../src/db/migrations.ts";
import worker from "../src/index.ts";
import { sendManyRequests } from "./support/busy-tokens.ts";
import { send, Tenant, User } from "./support/client.ts";
import { withD1Fault } from "./support/d1-faults.ts";
import { hangForever, withQuickDeadlines } from "./support/deadlines.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

async function ask(changed: Record<string, unknown>, path: string): Promise<Response> {
  const request = new Request(`https://idp.test${path}`);
  return await worker.fetch(request, { ...env, ...changed }, createExecutionContext());
}

describe("A broken configuration", () => {
  it.each([
    ["OPERATOR_TOKEN", undefined],
    ["OPERATOR_TOKEN", "too short"],
    ["OPERATOR_TOKEN", "change-me-change-me-change-me-change-me"],
    ["SEALING_KEYS", ""],
    ["SEALING_KEYS", "1:c2hvcnQ="],
    ["SEALING_KEYS", `1:${btoa("\0".repeat(32))}`],
    ["BACKUP_CODE_KEYS", "no version"],
    ["ADDRESS_HASH_KEY", "*"],
  ])(
    "in %s (%s) causes a 503 from every route but /healthz, and the log names it",
    async (name, value) => {
      const lines: string[] = [];
      vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
      const changed = { [name]: value };
      for (const path of ["/v1/idp/users", "/v1/tenants", "/readyz", "/openapi.json", "/nowhere"]) {
        const response = await ask(changed, path);
        expect(response.status).toBe(503);
        expect(await response.json()).toMatchObject({ code: "unavailable" });
      }
      expect((await ask(changed, "/healthz")).status).toBe(200);
      const logLine = lines.find((line) => line.includes("configuration_invalid"));
      expect(logLine).toContain(name);
      if (value) expect(logLine).not.toContain(value);
    },
  );

  it("with two secrets that share a key is reported too", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const response = await ask({ BACKUP_CODE_KEYS: env.SEALING_KEYS }, "/readyz");
    expect(response.status).toBe(503);
  });
});

describe("Readiness", () => {
  it("answers 503 and names the unavailable store while D1 fails", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const answer = await withD1Fault("throws", async () => await send("GET", "/readyz"));
    expect(answer.status).toBe(503);
    expect(answer.body.error).toContain("D1");
    expect(answer.body.error).not.toContain("guard");
    expect((await send("GET", "/readyz")).status).toBe(200);
  });
});

describe("A database without its migrations", () => {
  const rename = async (from: string, to: string) =>
    await env.DB.prepare(`ALTER TABLE ${from} RENAME TO ${to}`).run();

  /** Runs the work while a table of `DB` does not exist. @returns its result, and what was logged */
  async function withoutTable<T>(table: string, work: () => Promise<T>) {
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
    await rename(table, "set_aside");
    try {
      return { result: await work(), lines };
    } finally {
      await rename("set_aside", table);
    }
  }

  it("is not ready, and the answer and the log say how many are missing", async () => {
    const ask = async () => await send("GET", "/readyz");
    const { result, lines } = await withoutTable("d1_migrations", ask);
    expect(result.status).toBe(503);
    expect(result.body.error).toContain(`Database 0 has 0 of ${wantedMigrations} migrations`);
    expect(lines.map((line) => JSON.parse(line))).toContainEqual({
      level: "error",
      event: "migrations_missing",
      shard: 0,
      count: 0,
      wanted: wantedMigrations,
    });
    expect((await send("GET", "/readyz")).status).toBe(200);
  });

  it("is named by the log of a failed request, and by the answer to the operator alone", async () => {
    const tenant = await Tenant.create();
    const asOperator = { token: env.OPERATOR_TOKEN };
    const ask = async () => ({
      operator: await send("GET", "/v1/tenants", asOperator),
      tenant: await send("GET", "/v1/settings", { token: tenant.token }),
    });
    const { result, lines } = await withoutTable("tenants", ask);
    expect(result.operator.body).toMatchObject({
      code: "unavailable",
      cause: "migrations_missing",
    });
    expect(result.tenant.body).toMatchObject({ code: "unavailable" });
    expect(result.tenant.body).not.toHaveProperty("cause");
    const failures = lines.flatMap((line) => {
      const { event, cause } = JSON.parse(line);
      return event === "request_failed" ? [cause] : [];
    });
    expect(failures).toEqual(["migrations_missing", "migrations_missing"]);
  });
});

describe("Housekeeping", () => {
  async function runHousekeepingAt(time: number): Promise<void> {
    const controller = createScheduledController({
      cron: "17 * * * *",
      scheduledTime: new Date(time),
    });
    await worker.scheduled(controller, env);
  }

  it("deletes old assessments and tombstones, and no other data", async () => {
    const day = 86_400_000;
    const now = Date.now();
    const tenant = await Tenant.create("test");
    const remaining = await User.provision(tenant, "kept");
    const erased = await User.provision(tenant, "erased");
    const context = { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" };
    const assessAt = async (time: number) => {
      tenant.clock = new Date(time).toISOString();
      const { body } = await tenant.send("POST", "/v1/sentinel/discover", {
        sentinel: { id: remaining.id, context },
      });
      return body.assessment_id;
    };
    // Assessments age in real time, whatever the test clock says.
    const assessment = await assessAt(now - 200 * day);
    tenant.clock = undefined;
    await remaining.events();
    expect((await tenant.send("DELETE", erased.path())).status).toBe(204);

    const ids = async (table: string) =>
      (
        await env.DB.prepare(`SELECT id FROM ${table} WHERE tenant_id = ? ORDER BY id`)
          .bind(tenant.id)
          .all<{ id: string }>()
      ).results.map(({ id }) => id);
    expect(await ids("identities")).toHaveLength(2);
    await runHousekeepingAt(now);
    expect(await ids("identities")).toHaveLength(2);
    await runHousekeepingAt(now + 2 * day);
    expect(await ids("identities")).toEqual([remaining.id]);
    expect(await ids("assessments")).toEqual([assessment]);
    await runHousekeepingAt(now + 91 * day);
    expect(await ids("identities")).toEqual([remaining.id]);
    expect(await ids("assessments")).toEqual([]);
  });

  it("never throws, and logs a failed job", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    await withD1Fault("throws", async () => await runHousekeepingAt(Date.now()));
    expect(logged.mock.calls.flat().join()).toContain("tidy_up_failed");
  });
});

describe("An unexpected fault", () => {
  it("is a 500 in the shape of every error, without internal details", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const tenant = await Tenant.create();
    const damaged = JSON.stringify({ lockout: { lock_seconds: -4711 } });
    await env.DB.prepare("UPDATE tenants SET settings = ? WHERE id = ?")
      .bind(damaged, tenant.id)
      .run();
    const answer = await tenant.send("GET", "/v1/settings");
    expect(answer.status).toBe(503);
    expect(answer.body.code).toBe("unavailable");
    expect(JSON.stringify(answer.body)).not.toMatch(/4711|lock_seconds|zod/i);
  });
});

describe("The rate limits of a token and of its tenant", () => {
  it.each([
    ["token", "TOKEN_RATE_LIMIT"],
    ["tenant", "TENANT_RATE_LIMIT"],
  ])("answer 429 with the time to wait: %s", async (name, limiter) => {
    const tenant = await Tenant.create();
    await sendManyRequests(tenant.id);
    const response = await worker.fetch(
      new Request("https://idp.test/v1/idp/users", {
        headers: { Authorization: `Bearer ${tenant.token}` },
      }),
      { ...env, [limiter]: { limit: async () => ({ success: false }) } },
      createExecutionContext(),
    );
    expect(response.status).toBe(429);
    expect(response.headers.get("Retry-After")).toBe("10");
    expect(response.headers.get("RateLimit")).toBe(`"${name}";r=0;t=10`);
    expect(response.headers.get("RateLimit-Policy")).toBe(
      '"token";q=1000;w=10, "tenant";q=5000;w=10',
    );
    expect(await response.json()).toMatchObject({ code: "rate_limited" });
  });

  it.each([
    ["fails", "Error", () => Promise.reject(new Error("injected"))],
    ["does not answer", "DeadlineError", hangForever],
  ])("admit requests when the limiter %s", async (_title, cause, limit) => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    const tenant = await Tenant.create();
    await sendManyRequests(tenant.id);
    const response = await withQuickDeadlines(async () =>
      worker.fetch(
        new Request("https://idp.test/v1/idp/users", {
          headers: { Authorization: `Bearer ${tenant.token}` },
        }),
        { ...env, TOKEN_RATE_LIMIT: { limit } },
        createExecutionContext(),
      ),
    );
    expect(response.status).toBe(200);
    expect(logged).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining(`"event":"rate_limit_unavailable","cause":"${cause}"`),
    );
  });
});
