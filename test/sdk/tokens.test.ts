/** `@edge-idp/sdk/tokens` against tokens of the service, and against forged ones. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { base64, base64urlnopad } from "@scure/base";
import { type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type StepUpChecks,
  StepUpTokenError,
  verifyStepUpToken,
} from "../../packages/sdk/src/tokens/index.ts";
import { signingKeyOf } from "../../src/crypto/signing.ts";
import worker from "../../src/index.ts";
import { send, Tenant, User } from "../support/client.ts";

const issuer = "https://idp.test";
const audience = "https://api.example.com";
const encoder = new TextEncoder();

let tenant: Tenant;
/** A token of the service, its claims, and the checks that it passes. */
let token: string;
let claims: JWTPayload;
let checks: StepUpChecks;

beforeAll(async () => {
  tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  const otp = {
    id: user.externalId,
    code: user.code(Date.now()),
    token: { audience, nonce: "n-1" },
  };
  token = (await tenant.send("POST", "/v1/idp/otp/verify", { otp })).body.token;
  const { body: jwks } = await send("GET", "/.well-known/jwks.json");
  checks = { issuer, audience, tenant: tenant.id, jwks };
  claims = { ...(await verifyStepUpToken(token, checks)) };
});

/** The private key of the service, as the thief of its secrets would have it. */
async function stealKey(): Promise<CryptoKey> {
  const [signing = ""] = (env.TOKEN_SIGNING_KEYS ?? "").split(",");
  return (await signingKeyOf(base64.decode(signing.split(":")[1] ?? ""))).privateKey;
}

function headerOf(text: string): JWTHeaderParameters {
  const [header = ""] = text.split(".");
  return JSON.parse(new TextDecoder().decode(base64urlnopad.decode(header)));
}

/** Signs with the key of the service what the service would not sign. */
async function signAs(changes: object, header: Partial<JWTHeaderParameters> = {}) {
  return await new SignJWT({ ...claims, ...changes })
    .setProtectedHeader({ ...headerOf(token), ...header })
    .sign(await stealKey());
}

function encode(value: unknown): string {
  return base64urlnopad.encode(encoder.encode(JSON.stringify(value)));
}

async function expectRefusal(text: string, reason: string, changes: Partial<StepUpChecks> = {}) {
  const error = await verifyStepUpToken(text, { ...checks, ...changes }).catch((cause) => cause);
  expect(error).toBeInstanceOf(StepUpTokenError);
  expect(error.reason).toBe(reason);
  for (const part of text.split(".").filter((one) => one.length > 20)) {
    expect(`${error.message} ${error.stack}`).not.toContain(part);
  }
  // Logs print the cause, and errors of jose have the claims.
  expect(error.cause?.payload).toBeUndefined();
}

describe("verifyStepUpToken", () => {
  it("returns the claims of a token that passes every check", async () => {
    const strict = { nonce: "n-1", acr: "urn:edge-idp:aal1", maxAgeSeconds: 60 } as const;
    const found = await verifyStepUpToken(token, { ...checks, ...strict });
    expect(found).toMatchObject({ iss: issuer, aud: audience, amr: ["otp"], tenant: tenant.id });
  });

  it("fetches the keys from the issuer, once", async () => {
    const paths: string[] = [];
    const remote: StepUpChecks = {
      issuer,
      audience,
      tenant: tenant.id,
      fetch: async (input, init) => {
        const request = new Request(input, init);
        paths.push(request.url);
        return await worker.fetch(request, env, createExecutionContext());
      },
    };
    await verifyStepUpToken(token, remote);
    await verifyStepUpToken(token, remote);
    expect(paths).toEqual(["https://idp.test/.well-known/jwks.json"]);
  });

  it("does not call a token wrong if the keys cannot be fetched", async () => {
    const { jwks: _, ...remote } = checks;
    for (const answer of [
      async () => Promise.reject(new TypeError("No network")),
      async () => new Response("Bad gateway", { status: 502 }),
      async () => new Response("{}"),
    ]) {
      await expectRefusal(token, "keys_unavailable", { ...remote, jwks: undefined, fetch: answer });
    }
  });

  it.each([
    ["another audience", "audience", { audience: "https://api.example.com/" }],
    ["another issuer", "issuer", { issuer: "https://idp.example.com" }],
    ["another tenant", "tenant", { tenant: "0".repeat(24) }],
    ["another nonce", "nonce", { nonce: "n-2" }],
    ["an empty nonce", "nonce", { nonce: "" }],
    ["a stronger verification", "acr", { acr: "urn:edge-idp:aal2" as const }],
    ["a newer verification", "too_old", { maxAgeSeconds: -1 }],
    ["an age that is no number", "too_old", { maxAgeSeconds: Number.NaN }],
    ["a time after its end", "expired", { now: new Date(Date.now() + 3_600_000) }],
    ["other keys", "unknown_key", { jwks: { keys: [] } }],
  ])("refuses a token when asked for %s", async (_, reason, changes) => {
    await expectRefusal(token, reason, changes);
  });

  it.each(["issuer", "audience", "tenant"])("throws if its own %s is missing", async (name) => {
    for (const value of [undefined, "", null]) {
      const missing = verifyStepUpToken(token, { ...checks, [name]: value });
      await expect(missing).rejects.toThrow(TypeError);
    }
    await expect(
      verifyStepUpToken(token, Object.assign({}, checks, { acr: "aal2" })),
    ).rejects.toThrow(TypeError);
  });

  it.each([
    ["an issuer without a scheme", { issuer: "idp.test" }],
    ["an issuer with a slash at the end", { issuer: "https://idp.test/" }],
    ["keys that are an error of the service", { jwks: { error: "Unavailable." } }],
    ["keys without names", { jwks: { keys: [{ kty: "OKP" }] } }],
    ["a time that is none", { now: new Date("tomorrow") }],
    ["a nonce that its session has lost", { nonce: undefined }],
    ["a level that its configuration lacks", { acr: undefined }],
    ["an age that its configuration lacks", { maxAgeSeconds: undefined }],
  ])("throws for %s, and neither blames nor accepts the token", async (_, changes) => {
    const mistaken = verifyStepUpToken(token, Object.assign({}, checks, changes));
    await expect(mistaken).rejects.toThrow(TypeError);
  });

  it("refuses a token of another tenant of the same service", async () => {
    const other = await Tenant.create();
    const user = await User.withTotp(other);
    const otp = { id: user.externalId, code: user.code(Date.now()), token: { audience } };
    const { body } = await other.send("POST", "/v1/idp/otp/verify", { otp });
    await expectRefusal(body.token, "tenant");
  });

  it("refuses a token of the future, such as one of a test clock, but allows for clocks", async () => {
    const later = Math.floor(Date.now() / 1000) + 3600;
    const text = await signAs({ iat: later, auth_time: later, exp: later + 120 });
    await expectRefusal(text, "premature", { maxAgeSeconds: 60 });
    await expectRefusal(token, "premature", { now: new Date(Date.now() - 120_000) });
    const isBehind = { now: new Date(Date.now() - 30_000) };
    await expect(verifyStepUpToken(token, { ...checks, ...isBehind })).resolves.toEqual(claims);
  });

  it.each([
    ["for several audiences", { aud: [audience, "https://other.example"] }, "malformed"],
    ["that never expires", { exp: undefined }, "malformed"],
    ["without a subject", { sub: undefined }, "malformed"],
    ["without the time of the verification", { auth_time: undefined }, "malformed"],
    ["with an unknown level, where one is required", { acr: "urn:edge-idp:aal9" }, "acr"],
  ])("refuses a token %s", async (_, changes, reason) => {
    await expectRefusal(await signAs(changes), reason, { acr: "urn:edge-idp:aal1" });
  });
});

describe("verifyStepUpToken refuses a forgery", () => {
  const [payloadOf, signatureOf] = [1, 2].map((index) => () => token.split(".")[index] ?? "");

  it("without a signature (alg: none)", async () => {
    for (const alg of ["none", "None", "NONE"]) {
      const header = encode({ ...headerOf(token), alg });
      await expectRefusal(`${header}.${payloadOf?.()}.`, "algorithm");
      await expectRefusal(`${header}.${payloadOf?.()}.${signatureOf?.()}`, "algorithm");
    }
  });

  it("with a MAC under the public key (HS256)", async () => {
    const [key] = checks.jwks?.keys ?? [];
    const spellings = [
      encoder.encode(key?.x),
      base64urlnopad.decode(key?.x ?? ""),
      encoder.encode(JSON.stringify(key)),
    ];
    for (const secret of spellings) {
      const padded = secret.length < 32 ? new Uint8Array([...secret, ...Array(32)]) : secret;
      const forged = await new SignJWT(claims)
        .setProtectedHeader({ ...headerOf(token), alg: "HS256" })
        .sign(padded);
      await expectRefusal(forged, "algorithm");
    }
  });

  it("with a key of its own, in the header or under a known name", async () => {
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    if (!("privateKey" in pair)) throw new TypeError("Not a pair of keys");
    const jwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
    const sign = async (header: Partial<JWTHeaderParameters>) =>
      await new SignJWT(claims)
        .setProtectedHeader({ ...headerOf(token), ...header })
        .sign(pair.privateKey);
    await expectRefusal(await sign({}), "signature");
    await expectRefusal(await sign({ jwk: { kty: "OKP", ...jwk } }), "signature");
    await expectRefusal(await sign({ jku: "https://evil.example/jwks.json" }), "signature");
    await expectRefusal(await sign({ kid: "unknown" }), "unknown_key");
  });

  it("with changed claims, or of another type", async () => {
    const changed = encode({ ...claims, sub: "somebody else" });
    await expectRefusal(`${headerPart()}.${changed}.${signatureOf?.()}`, "signature");
    await expectRefusal(await signAs({}, { typ: "at+jwt" }), "malformed");
  });

  it("with other characters than a token has", async () => {
    for (const text of [`${token} `, `${token}\n`, ` ${token}`, `${token}=`, `Bearer ${token}`]) {
      await expectRefusal(text, "malformed");
    }
  });

  it.each(["", "a.b.c", "a.b", "….….…", "{}"])("that is no token: %j", async (text) => {
    await expectRefusal(text, "malformed");
  });
});

function headerPart(): string {
  return token.split(".")[0] ?? "";
}
