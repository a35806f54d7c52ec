/**
 * Codes: the canary. Codes, secrets and tokens are sent where they belong and where they do not, in
 * successes, failures and faults; then answers, log and trail are searched for them.
 */
import { env } from "cloudflare:workers";
import { base32nopad } from "@scure/base";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Answer, type Call, send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { evict, replaceState } from "../support/guard.ts";
import { readRequestEvents } from "../support/request-events.ts";
import { copyStores, decodeText, spellingsOf } from "../support/stores.ts";

const log: string[] = [];

beforeEach(() => {
  log.length = 0;
  for (const level of ["debug", "log", "info", "warn", "error", "trace"] as const) {
    vi.spyOn(console, level).mockImplementation(
      (...line: unknown[]) =>
        void log.push(
          line.map((part) => (part instanceof Error ? part.stack : JSON.stringify(part))).join(),
        ),
    );
  }
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** A tenant's user, and a note of everything that is secret about them. */
class Canary {
  readonly secrets: string[] = [env.OPERATOR_TOKEN];
  readonly codes = new Set<string>();
  readonly answers: string[] = [];

  readonly tenant: Tenant;
  readonly user: User;

  constructor(tenant: Tenant, user: User) {
    this.tenant = tenant;
    this.user = user;
    this.secrets.push(tenant.token);
  }

  static async create(): Promise<Canary> {
    const tenant = await Tenant.create();
    return new Canary(tenant, await User.provision(tenant, "somebody"));
  }

  keep({ body, headers }: Answer): void {
    this.answers.push(JSON.stringify([body, [...headers]]));
  }

  async ask(method: string, path: string, call: Call = {}): Promise<Answer> {
    const answer = await send(method, path, { token: this.tenant.token, ...call });
    this.keep(answer);
    return answer;
  }

  /** The answer that shows the secret is not kept: it is there to show it. */
  async configure(): Promise<void> {
    await this.user.configure();
    this.secrets.push(...spellingsOf(base32nopad.decode(this.user.secret)));
    const now = Date.now();
    for (const steps of [-1, 0, 1]) this.codes.add(this.user.code(now + steps * 30_000));
  }

  async backupCodes(): Promise<string[]> {
    const codes = await this.user.backupCodes();
    this.secrets.push(...codes, ...codes.map((code) => code.replace("-", "")));
    return codes;
  }

  async verify(code: unknown, call: Call = {}): Promise<Answer> {
    return await this.ask("POST", "/v1/idp/otp/verify", {
      body: { otp: { id: this.user.externalId, code } },
      ...call,
    });
  }

  /** Where a secret of this canary shows; nowhere, one hopes. */
  async found(): Promise<string[]> {
    const { tenant, user } = this;
    await readRequestEvents({ tenant, user }, null);
    const events = await user.events();
    const exported = (await tenant.send("GET", "/v1/audit/export")).body;
    const places = {
      answers: this.answers,
      log,
      trail: [JSON.stringify(events), String(exported)],
      ...(await copyStores()),
    };
    return Object.entries(places).flatMap(([place, texts]) => {
      const text = decodeText(texts);
      const whole = this.secrets.filter((secret) => text.includes(secret.toUpperCase()));
      const words = [...this.codes].filter((code) =>
        texts.some((one) => new RegExp(`(?<![0-9a-z])${code}(?![0-9a-z])`, "i").test(one)),
      );
      return [...whole, ...words].map((secret) => `${place}: ${secret}`);
    });
  }
}

describe("No code, secret or token shows in an answer, the log or the trail", () => {
  it("when codes are right, wrong, replayed, spent, refused or malformed", async () => {
    const canary = await Canary.create();
    await canary.configure();
    const { user } = canary;
    const [backup = "", other = ""] = await canary.backupCodes();
    const right = user.code(Date.now());
    const wrong = user.wrongCode(Date.now() + 86_400_000);
    canary.codes.add(wrong);
    for (const code of [right, right, backup, backup, other.toLowerCase(), wrong]) {
      await canary.verify(code);
    }
    for (const code of [
      ` ${right}`,
      `${right}\n`,
      Number(right),
      [right],
      { code: right },
      `${other}!`,
    ]) {
      expect((await canary.verify(code)).status).toBe(400);
    }
    for (let n = 0; n < 6; n += 1) await canary.verify(wrong);
    expect((await canary.verify(right)).status).toBe(423);
    expect(await canary.found()).toEqual([]);
  });

  it("when a body is broken, or holds a secret in the wrong field", async () => {
    const canary = await Canary.create();
    await canary.configure();
    const { user, tenant } = canary;
    const code = user.code(Date.now());
    const post = async (body: unknown, path = "/v1/idp/otp/verify") =>
      await canary.ask("POST", path, { body });
    const answers = [
      await post(`{"otp":{"id":"somebody","code":"${code}"`),
      await post(`{"otp":{"id":"somebody","code":"${code}"},"token":"${tenant.token}"}`),
      await post({ otp: { id: "somebody", code, secret: user.secret } }),
      await post({ otp: { id: "somebody", code: user.secret } }),
      await post({ otp: { id: "somebody", code: tenant.token } }),
      await post({ otp: { id: "somebody", code, assessment_id: user.secret } }),
      await post({ otp: { id: "somebody", code, assessment_id: code } }),
      await post(`${code}`),
      await post(`"${user.secret}"`),
      await post(
        { sentinel: { id: code, context: { ip: tenant.token, ua: "x" } } },
        "/v1/sentinel/discover",
      ),
      await post({ token: { name: "n", permissions: [tenant.token] } }, "/v1/tokens"),
      await post(
        { token: { name: "n", permissions: ["idp:read"], expires_at: code } },
        "/v1/tokens",
      ),
    ];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]));
    expect(await canary.found()).toEqual([]);
  });

  it("when credentials come in another way than they should", async () => {
    const canary = await Canary.create();
    await canary.configure();
    const { tenant, user } = canary;
    const forged = `${tenant.token.slice(0, -1)}_`;
    canary.secrets.push(forged);
    const calls: [string, Call][] = [
      [`/v1/idp/users?access_token=${tenant.token}`, {}],
      [`/v1/idp/users?limit=${tenant.token}`, {}],
      [`/v1/idp/users?after=${user.secret}`, {}],
      [`/v1/idp/users?status=${user.code(Date.now())}`, {}],
      ["/v1/idp/users", { token: undefined, headers: { Authorization: `Basic ${tenant.token}` } }],
      ["/v1/idp/users", { token: forged }],
      ["/v1/tenants", {}],
      ["/v1/idp/users", { token: env.OPERATOR_TOKEN }],
      ["/v1/idp/users", { headers: { "Test-Clock": tenant.token } }],
      [`/v1/tokens/${tenant.token}`, {}],
      [`/${tenant.token}`, {}],
    ];
    for (const [path, call] of calls) {
      expect((await canary.ask("GET", path, call)).status).toBeGreaterThanOrEqual(400);
    }
    expect(
      (await canary.ask("DELETE", `/v1/tokens/${tenant.token}`)).status,
    ).toBeGreaterThanOrEqual(400);
    expect(await canary.found()).toEqual([]);
  });

  it.each(["throws", "fails on write", "loses the reply"] as const)("when D1 %s", async (fault) => {
    const canary = await Canary.create();
    await canary.configure();
    const [backup = ""] = await canary.backupCodes();
    const fresh = await canary.tenant.tokenWith(["idp:write"]);
    canary.secrets.push(fresh);
    await withD1Fault(fault, async () => {
      await canary.verify(canary.user.code(Date.now()));
      await canary.verify(backup);
      await canary.verify("000000", { token: fresh });
      await canary.configure();
      await canary.verify(canary.user.code(Date.now()));
      await canary.backupCodes();
      await canary.ask("POST", "/v1/idp/users", { body: { user: { external_id: "in vain" } } });
      const made = await send("POST", "/v1/tokens", {
        token: canary.tenant.token,
        body: { token: { name: "n", permissions: ["idp:read"] } },
      });
      if (made.status === 201) canary.secrets.push(made.body.token.secret);
      else canary.keep(made);
    });
    expect(log.length).toBeGreaterThan(0);
    expect(await canary.found()).toEqual([]);
  });

  it("when a guard's row is damaged, or a tenant's settings are", async () => {
    const canary = await Canary.create();
    await canary.configure();
    const { tenant, user } = canary;
    const code = user.code(Date.now());
    await replaceState(user, "json_set(state, '$.totp.sealed', '1.AAAAAAAAAAAAAAAA.AAAA')");
    await evict(user);
    expect((await canary.verify(code)).status).toBe(503);
    await replaceState(user, `json_set(state, '$.totp', 1)`);
    await evict(user);
    expect((await canary.verify(code)).status).toBe(503);
    expect(log.join("\n")).toContain("guard_failed");
    await env.DB.prepare(
      'UPDATE tenants SET settings = \'{"lockout":{"lock_seconds":-1}}\' WHERE id = ?',
    )
      .bind(tenant.id)
      .run();
    const fresh = await canary.ask("GET", "/v1/settings");
    expect(fresh.status).toBe(500);
    expect(canary.answers.join()).not.toMatch(/SQL|zod|stack|\.ts:|at .*\(/i);
    await env.DB.prepare("UPDATE tenants SET settings = '{}' WHERE id = ?").bind(tenant.id).run();
    expect(await canary.found()).toEqual([]);
  });

  it("but the search would find one", async () => {
    const canary = await Canary.create();
    await canary.configure();
    const code = canary.user.code(Date.now());
    log.push(`verify ${code}`, JSON.stringify({ token: canary.tenant.token }));
    expect((await canary.found()).toSorted()).toEqual(
      [`log: ${canary.tenant.token}`, `log: ${code}`].toSorted(),
    );
  });
});
