/** Step-up tokens: what they prove, and that nothing but an accepted verification produces one. */
import { env } from "cloudflare:workers";
import { calculateJwkThumbprint, createLocalJWKSet, decodeJwt, jwtVerify } from "jose";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { type Answer, fetchAnswer, Tenant, User } from "../support/client.ts";
import { loseStorage } from "../support/guard.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { page, registerPasskey, setUpPasskeys, startLogin } from "../support/passkeys.ts";

const audience = "https://api.example.com";
const issuer = "https://idp.test";
const start = Date.parse("2026-11-29T12:00:00Z");
const minuteMs = 60_000;

const seedOf = (version: number) => btoa(`token signing seed, 32 bytes (${version})`);
const ringOf = (...versions: number[]) =>
  versions.map((version) => `${version}:${seedOf(version)}`).join();

let tenant: Tenant;

beforeAll(async () => {
  tenant = await Tenant.create();
  tenant.clock = new Date(start).toISOString();
});

type StepUpBindings = Pick<Env, "TOKEN_SIGNING_KEYS" | "PUBLIC_URL">;

interface Attempt {
  readonly at?: number;
  readonly key?: string;
  readonly bindings?: StepUpBindings;
  readonly fields?: object;
}

/** Verifies a code and asks for a token. */
async function verify(
  user: User,
  code: string,
  token: unknown,
  { at = start, key, bindings = {}, fields = {} }: Attempt = {},
): Promise<Answer> {
  const request = new Request("https://idp.test/v1/idp/otp/verify", {
    method: "POST",
    headers: {
      Authorization: `Bearer ${user.tenant.token}`,
      "Content-Type": "application/json",
      "Test-Clock": new Date(at).toISOString(),
      ...(key === undefined ? {} : { "Idempotency-Key": key }),
    },
    body: JSON.stringify({ otp: { id: user.externalId, code, token, ...fields } }),
  });
  return await fetchAnswer(request, { ...env, ...bindings });
}

async function readKeys(bindings: StepUpBindings = {}): Promise<Answer> {
  const request = new Request("https://idp.test/.well-known/jwks.json");
  return await fetchAnswer(request, { ...env, ...bindings });
}

/** Checks a token as another service does. */
async function check(token: string, at = start, bindings: StepUpBindings = {}) {
  const { body } = await readKeys(bindings);
  const options = { issuer, audience, currentDate: new Date(at) };
  return await jwtVerify(token, createLocalJWKSet(body), options);
}

describe("a step-up token", () => {
  it("proves a TOTP code: what, who, for whom and when", async () => {
    const user = await User.withTotp(tenant, "ÖRG/42");
    const asked = { audience, nonce: "n-1", lifetime_seconds: 300 };
    const answer = await verify(user, user.code(start), asked);
    expect(answer).toMatchObject({ status: 200, body: { status: "success", method: "totp" } });
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    const { payload, protectedHeader } = await check(answer.body.token);
    const { keys } = (await readKeys()).body;
    expect(protectedHeader).toEqual({ alg: "EdDSA", typ: "JWT", kid: keys[1].kid });
    expect(payload).toEqual({
      iss: issuer,
      sub: "ÖRG/42",
      aud: audience,
      iat: start / 1000,
      exp: start / 1000 + 300,
      jti: answer.headers.get("X-Request-Id"),
      nonce: "n-1",
      auth_time: start / 1000,
      amr: ["otp"],
      acr: "urn:edge-idp:aal1",
      tenant: tenant.id,
    });
    await expect(check(answer.body.token, start + 300_000)).rejects.toThrow('"exp"');
  });

  it("says that a backup code was used, and holds for two minutes unless asked", async () => {
    const user = await User.withTotp(tenant);
    const [code = ""] = await user.backupCodes();
    const { body } = await verify(user, code, { audience: "orders" });
    expect(decodeJwt(body.token)).toMatchObject({
      aud: "orders",
      exp: start / 1000 + 120,
      amr: ["otp", "urn:edge-idp:backup_code"],
      acr: "urn:edge-idp:aal1",
    });
  });

  it("names the risk of the assessment, from the guard and from D1", async () => {
    const user = await User.withTotp(tenant);
    const { assessment_id, risk_score: score, recommendation } = await user.assess();
    const named = { fields: { assessment_id } };
    const first = await verify(user, user.code(start), { audience }, named);
    expect(decodeJwt(first.body.token).risk).toEqual({ score, recommendation });

    await user.events();
    await loseStorage(user);
    const at = start + minuteMs;
    const second = await verify(user, user.code(at), { audience }, { ...named, at });
    expect(decodeJwt(second.body.token).risk).toEqual({ score, recommendation });
  });

  it("leaves the risk out if the assessment is unknown", async () => {
    const user = await User.withTotp(tenant);
    const fields = { assessment_id: `${"0".repeat(24)}${user.id}` };
    const { body } = await verify(user, user.code(start), { audience }, { fields });
    expect(decodeJwt(body.token)).not.toHaveProperty("risk");
  });

  it("is in no answer that did not ask for one, and in none to a refused code", async () => {
    const user = await User.withTotp(tenant);
    const wrong = await verify(user, user.wrongCode(start), { audience });
    expect(wrong.body).toMatchObject({ code: "invalid_code" });
    expect(wrong.body).not.toHaveProperty("token");
    const plain = await verify(user, user.code(start), undefined);
    expect(plain.status).toBe(200);
    expect(plain.body).not.toHaveProperty("token");
    const again = await verify(user, user.code(start), { audience });
    expect(again.body).toMatchObject({ code: "code_already_used" });
    expect(again.body).not.toHaveProperty("token");
  });

  it.each([
    ["no audience", {}, "otp.token.audience"],
    ["an empty audience", { audience: "" }, "otp.token.audience"],
    ["an audience with a space", { audience: "my api" }, "otp.token.audience"],
    ["an audience with a colon that is no URI", { audience: "1:2" }, "otp.token.audience"],
    ["several audiences", { audience: ["one", "two"] }, "otp.token.audience"],
    ["a nonce with a line break", { audience, nonce: "a\nb" }, "otp.token.nonce"],
    ["a nonce with half a character", { audience, nonce: "\ud800" }, "otp.token.nonce"],
    ["a nonce of 256 characters", { audience, nonce: "n".repeat(256) }, "otp.token.nonce"],
    ["too short a life", { audience, lifetime_seconds: 59 }, "otp.token.lifetime_seconds"],
    ["too long a life", { audience, lifetime_seconds: 601 }, "otp.token.lifetime_seconds"],
    ["half a second", { audience, lifetime_seconds: 60.5 }, "otp.token.lifetime_seconds"],
  ])("is refused with %s", async (_, asked, path) => {
    const user = await User.withTotp(tenant);
    const { status, body } = await verify(user, user.code(start), asked);
    expect({ status, path: body.issues[0].path }).toEqual({ status: 400, path });
    // The sentence says what the field must be.
    expect(body.issues[0].message).not.toBe("has an invalid format");
  });
});

describe("a step-up token for a passkey", () => {
  it.each([
    ["bound to one device", true, false, ["hwk", "user", "mfa"], "urn:edge-idp:aal2"],
    ["synced", true, true, ["swk", "user", "mfa"], "urn:edge-idp:aal2"],
    ["without user verification", false, false, ["hwk", "user"], "urn:edge-idp:aal1"],
  ])("says what it proves: %s", async (_, userVerified, backupEligible, amr, acr) => {
    const owner = await Tenant.create();
    await setUpPasskeys(owner, { user_verification: "preferred" });
    const user = await User.provision(owner);
    const authenticator = new PasskeyAuthenticator();
    const deviations = { flags: { userVerified, backupEligible, backedUp: backupEligible } };
    await registerPasskey(user, authenticator, deviations);
    const { assessment_id, risk_score: score, recommendation } = await user.assess();

    const { challenge, ...options } = await startLogin(owner);
    const credential = await authenticator.get({ challenge, ...options }, page, deviations);
    const passkey = { challenge, credential, assessment_id, token: { audience, nonce: "n-2" } };
    owner.requestKey = "login";
    const { status, body } = await owner.send("POST", "/v1/idp/passkeys/verify", { passkey });
    expect(status).toBe(200);
    const claims = decodeJwt(body.token);
    expect(claims).toMatchObject({ sub: user.externalId, aud: audience, nonce: "n-2", amr, acr });
    expect(claims).toMatchObject({ tenant: owner.id, risk: { score, recommendation } });
    const again = await owner.send("POST", "/v1/idp/passkeys/verify", { passkey });
    expect(again.body.token).toBe(body.token);
  });
});

describe("a repeated request", () => {
  it("gets the same token, which the repetition does not extend", async () => {
    const user = await User.withTotp(tenant);
    const code = user.code(start);
    const first = await verify(user, code, { audience }, { key: "login-1" });
    const dayLater = { at: start + 23 * 60 * minuteMs, key: "login-1" };
    const again = await verify(user, code, { audience, lifetime_seconds: 120 }, dayLater);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(again.body).toEqual(first.body);
    await expect(check(again.body.token, dayLater.at)).rejects.toThrow('"exp"');
  });

  it("gets the same claims after a rotation of the key", async () => {
    const user = await User.withTotp(tenant);
    const code = user.code(start);
    const first = await verify(user, code, { audience }, { key: "login-2" });
    const bindings = { TOKEN_SIGNING_KEYS: ringOf(1, 2, 3) };
    const again = await verify(user, code, { audience }, { key: "login-2", bindings });
    expect(again.body.token).not.toBe(first.body.token);
    expect(decodeJwt(again.body.token)).toEqual(decodeJwt(first.body.token));
  });

  it("is another request if it asks for another token, or for none", async () => {
    const user = await User.withTotp(tenant);
    const code = user.code(start);
    await verify(user, code, { audience }, { key: "login-3" });
    for (const asked of [{ audience: "other" }, { audience, lifetime_seconds: 600 }, undefined]) {
      const { body } = await verify(user, code, asked, { key: "login-3" });
      expect(body.code).toBe("idempotency_mismatch");
    }
  });

  it("gets a refusal again, and no token", async () => {
    const user = await User.withTotp(tenant);
    const code = user.wrongCode(start);
    for (const _ of [1, 2]) {
      const { body } = await verify(user, code, { audience }, { key: "login-4" });
      expect(body.code).toBe("invalid_code");
      expect(body).not.toHaveProperty("token");
    }
  });
});

describe("the keys", () => {
  it("are public, may be kept for five minutes, and are named by their thumbprints", async () => {
    const { status, headers, body } = await readKeys();
    expect(status).toBe(200);
    expect(headers.get("Cache-Control")).toBe("public, max-age=300");
    expect(body.keys).toHaveLength(2);
    for (const { kid, ...jwk } of body.keys) {
      expect(jwk).toEqual({ kty: "OKP", crv: "Ed25519", x: jwk.x, use: "sig", alg: "EdDSA" });
      expect(kid).toBe(await calculateJwkThumbprint(jwk));
    }
  });

  it("are published one rotation before they sign, and stay for earlier tokens", async () => {
    const user = await User.withTotp(tenant);
    const before = await verify(user, user.code(start), { audience });
    const known = createLocalJWKSet((await readKeys()).body);
    const bindings = { TOKEN_SIGNING_KEYS: ringOf(1, 2, 3) };
    const at = start + minuteMs;
    const after = await verify(user, user.code(at), { audience }, { at, bindings });

    const { protectedHeader: old } = await check(before.body.token, start, bindings);
    const options = { issuer, audience, currentDate: new Date(at) };
    const { protectedHeader: current } = await jwtVerify(after.body.token, known, options);
    expect(current.kid).not.toBe(old.kid);
    const { keys } = (await readKeys(bindings)).body;
    expect(keys.map(({ kid }: { kid: string }) => kid).slice(1)).toEqual([current.kid, old.kid]);

    const dropped = { TOKEN_SIGNING_KEYS: ringOf(2, 3) };
    await expect(check(after.body.token, at, dropped)).resolves.toBeDefined();
    await expect(check(before.body.token, start, dropped)).rejects.toThrow("no applicable key");
  });

  it("may be one alone, which signs", async () => {
    const user = await User.withTotp(tenant);
    const bindings = { TOKEN_SIGNING_KEYS: ringOf(7) };
    const { body } = await verify(user, user.code(start), { audience }, { bindings });
    await expect(check(body.token, start, bindings)).resolves.toBeDefined();
  });

  it("never appear in a log line, nor does a token", async () => {
    const lines: string[] = [];
    const spies = (["log", "warn", "error"] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation((line) => void lines.push(String(line))),
    );
    const user = await User.withTotp(tenant);
    const { body } = await verify(user, user.code(start), { audience });
    const trail = JSON.stringify(await user.events());
    for (const spy of spies) spy.mockRestore();
    for (const secret of [body.token, body.token.split(".")[2], seedOf(1), seedOf(2)]) {
      expect(trail + lines.join()).not.toContain(secret);
    }
  });
});

describe("a service without its keys or its address", () => {
  it.each([
    ["keys", { TOKEN_SIGNING_KEYS: "" }],
    ["an address", { PUBLIC_URL: "" }],
  ])("without %s works as before, and says so before it spends the code", async (_, bindings) => {
    const user = await User.withTotp(tenant);
    const code = user.code(start);
    const refused = await verify(user, code, { audience }, { bindings });
    expect(refused).toMatchObject({ status: 409, body: { code: "step_up_tokens_not_set_up" } });
    expect((await verify(user, code, undefined, { bindings })).status).toBe(200);
    expect((await readKeys(bindings)).status).toBe(200);
  });

  it("publishes no keys if it has none", async () => {
    expect((await readKeys({ TOKEN_SIGNING_KEYS: "" })).body).toEqual({ keys: [] });
  });
});
