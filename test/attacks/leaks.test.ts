/**
 * Codes: the canary. The tests send codes, secrets and tokens in right and wrong fields, with successes,
 * failures and faults. Then they search the answers, the log and all stores for them.
 */
import { env } from "cloudflare:workers";
import { base32nopad } from "@scure/base";
import { describe, expect, it } from "vitest";
import { captureLog } from "../support/captured-log.ts";
import { type Answer, type Call, send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { evict, replaceState } from "../support/guard.ts";
import { readRequestEvents } from "../support/request-events.ts";
import { copyStores, decodeText, spellingsOf } from "../support/stores.ts";

const log = captureLog();
const parseHex = (digits: string) => Number.parseInt(digits, 16);

/** A tenant's user, and a list of everything secret about them. */
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
    return new Canary(tenant, await User.provision(tenant, "alice"));
  }

  addAnswer({ body, headers }: Answer): void {
    this.answers.push(JSON.stringify([body, [...headers]]));
  }

  async ask(method: string, path: string, call: Call = {}): Promise<Answer> {
    const answer = await send(method, path, { token: this.tenant.token, ...call });
    this.addAnswer(answer);
    return answer;
  }

  /** Does not record the answer, because its purpose is to show the secret. */
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

  /** Every store and secret of this canary where the secret shows. The expected result is empty. */
  async findSecrets(): Promise<string[]> {
    const { tenant, user } = this;
    await readRequestEvents({ tenant, user }, null);
    const events = await user.events();
    const exported = (await tenant.send("GET", "/v1/audit/export")).body;
    const texts = {
      answers: this.answers,
      log,
      trail: [JSON.stringify(events), String(exported)],
      ...(await copyStores()),
    };
    return Object.entries(texts).flatMap(([source, values]) => {
      const text = decodeText(values);
      const foundSecrets = this.secrets.filter((secret) => text.includes(secret.toUpperCase()));
      const foundCodes = [...this.codes].filter((code) =>
        values.some((value) => new RegExp(`(?<![0-9a-z])${code}(?![0-9a-z])`, "i").test(value)),
      );
      return [...foundSecrets, ...foundCodes].map((secret) => `${source}: ${secret}`);
    });
  }
}

describe("No answer, log line or store shows a code, secret or token", () => {
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
      `.${right}`,
      `${right}\u0000`,
      Number(right),
      [right],
      { code: right },
      `${other}!`,
    ]) {
      expect((await canary.verify(code)).status).toBe(400);
    }
    for (let n = 0; n < 6; n += 1) await canary.verify(wrong);
    expect((await canary.verify(right)).status).toBe(423);
    expect(await canary.findSecrets()).toEqual([]);
  });

  it("when users are imported, dry, twice, with a key, with faults, or in rows that are not valid", async () => {
    const canary = await Canary.create();
    const bytes = new TextEncoder().encode("canary of an import!");
    const [secret, codes] = [base32nopad.encode(bytes), ["7KQ2-XM4P-0RTZ", "QWER-TYUI-9876"]];
    const hash = "c9f62ae63d3e3a5b0b6acc818832780f8131ed1dfe3902f78480f36f0c48e02b";
    const stripped = codes.map((code) => code.replaceAll("-", ""));
    canary.secrets.push(...spellingsOf(bytes), ...codes, ...stripped, hash);
    canary.secrets.push(...spellingsOf(Uint8Array.from(hash.match(/../g) ?? [], parseHex)));
    const uri = `otpauth://totp/Acme:alice?secret=${secret}`;
    const row = { authenticators: [{ secret }], backup_codes: codes };
    const rows: readonly object[] = [
      { external_id: "clear", ...row },
      { external_id: "hashed", backup_codes: { scheme: "sha256", hashes: [hash] } },
      ...[
        { authenticators: [{ secret: `${secret}!` }] },
        { authenticators: [{ secret, encoding: secret }] },
        { authenticators: [{ secret, algorithm: secret, name: `${secret}\u0000` }] },
        { authenticators: [{ uri: `${uri}&digits=${secret}` }] },
        { authenticators: [{ uri: `https://example.com/?secret=${secret}` }] },
        { status: secret },
        { backup_codes: [`${codes[0]}!`] },
        { backup_codes: { scheme: secret, hashes: [hash] } },
        { backup_codes: { scheme: "sha512", hashes: [hash] } },
      ].map((fields, n) => ({ external_id: `bad-${n}`, ...fields })),
    ];
    const post = async (body: unknown, headers: Record<string, string> = {}) =>
      await canary.ask("POST", "/v1/idp/users/import", { body, headers });
    await post({ users: rows, dry_run: true });
    await withD1Fault("throws", () => post({ users: rows }));
    const key = { "Idempotency-Key": "canary" };
    for (const headers of [key, key, {}]) {
      const { status, body } = await post({ users: rows, on_existing: "add" }, headers);
      expect([status, body.results.length]).toEqual([200, rows.length]);
    }
    for (const body of [
      `{"users":[{"external_id":"x","authenticators":[{"secret":"${secret}"`,
      { users: [{ external_id: "x", authenticators: [{ secret: { text: secret } }] }] },
      { users: [{ external_id: "x", authenticators: [secret], backup_codes: codes[0] }] },
      { users: [{ external_id: "x", backup_codes: { scheme: [hash], hashes: codes[1] } }] },
      { users: secret, on_existing: codes[0], dry_run: hash },
    ]) {
      expect((await post(body)).status).toBe(400);
    }
    expect(await canary.findSecrets()).toEqual([]);
  });

  it("when a body is broken or has a secret in the wrong field", async () => {
    const canary = await Canary.create();
    await canary.configure();
    const { user, tenant } = canary;
    const code = user.code(Date.now());
    const post = async (body: unknown, path = "/v1/idp/otp/verify") =>
      await canary.ask("POST", path, { body });
    const answers = [
      await post(`{"otp":{"id":"alice","code":"${code}"`),
      await post(`{"otp":{"id":"alice","code":"${code}"},"token":"${tenant.token}"}`),
      await post({ otp: { id: "alice", code, secret: user.secret } }),
      await post({ otp: { id: "alice", code: user.secret } }),
      await post({ otp: { id: "alice", code: tenant.token } }),
      await post({ otp: { id: "alice", code, assessment_id: user.secret } }),
      await post({ otp: { id: "alice", code, assessment_id: code } }),
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
    expect(await canary.findSecrets()).toEqual([]);
  });

  it("when credentials arrive in the wrong way", async () => {
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
    expect(await canary.findSecrets()).toEqual([]);
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
      const created = await send("POST", "/v1/tokens", {
        token: canary.tenant.token,
        body: { token: { name: "n", permissions: ["idp:read"] } },
      });
      if (created.status === 201) canary.secrets.push(created.body.token.secret);
      else canary.addAnswer(created);
    });
    expect(log.length).toBeGreaterThan(0);
    expect(await canary.findSecrets()).toEqual([]);
  });

  it("when a guard's row or a tenant's settings are damaged", async () => {
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
    expect(fresh.status).toBe(503);
    expect(canary.answers.join()).not.toMatch(/SQL|zod|stack|\.ts:|at .*\(/i);
    await env.DB.prepare("UPDATE tenants SET settings = '{}' WHERE id = ?").bind(tenant.id).run();
    expect(await canary.findSecrets()).toEqual([]);
  });

  it("but the search finds a planted code and token", async () => {
    const canary = await Canary.create();
    await canary.configure();
    const code = canary.user.code(Date.now());
    log.push(`verify ${code}`, JSON.stringify({ token: canary.tenant.token }));
    expect((await canary.findSecrets()).toSorted()).toEqual(
      [`log: ${canary.tenant.token}`, `log: ${code}`].toSorted(),
    );
  });
});
