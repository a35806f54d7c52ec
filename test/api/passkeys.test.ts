/** Passkeys over the API. test/attacks/passkeys.test.ts has the attacks. */
import { describe, expect, it } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { fireAlarm, guardOf } from "../support/guard.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import {
  createLoginBody,
  createRegistrationBody,
  finishRegistration,
  givePasskey,
  listPasskeys,
  logIn,
  page,
  registerPasskey,
  requestLoginOptions,
  requestRegistrationOptions,
  rpId,
  setUpPasskeys,
  startLogin,
  startRegistration,
} from "../support/passkeys.ts";

async function createTenant(settings: object = {}): Promise<Tenant> {
  const tenant = await Tenant.create();
  await setUpPasskeys(tenant, settings);
  return tenant;
}

async function createOwner(settings: object = {}) {
  const tenant = await createTenant(settings);
  const user = await User.provision(tenant);
  return { tenant, user, ...(await givePasskey(user)) };
}

function errorOf({ status, body }: Answer) {
  return [status, body.code, ...(body.reason === undefined ? [] : [body.reason])];
}

async function verify(tenant: Tenant, body: object): Promise<Answer> {
  return await tenant.send("POST", "/v1/idp/passkeys/verify", body);
}

describe("A passkey", () => {
  it("is registered, listed, renamed, used with and without a name, and removed", async () => {
    const tenant = await createTenant({ rp_name: "Example" });
    const user = await User.provision(tenant);
    const authenticator = new PasskeyAuthenticator({
      aaguid: "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4",
    });
    const started = (await requestRegistrationOptions(user)).body.passkey;
    const options = started.public_key;
    expect(Date.parse(started.expires_at)).toBeGreaterThan(Date.now() + 290_000);
    expect(options).toMatchObject({
      rp: { id: rpId, name: "Example" },
      user: { name: "alexander@enterprise.com", displayName: "alexander@enterprise.com" },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
      timeout: 300_000,
      excludeCredentials: [],
      authenticatorSelection: {
        residentKey: "required",
        requireResidentKey: true,
        userVerification: "required",
      },
      attestation: "none",
    });
    expect((await user.profile()).has_passkeys).toBe(false);
    const created = await authenticator.create(options, page);
    const registered = await finishRegistration(user, options.challenge, created, "iPhone");
    expect(registered.status).toBe(201);
    const { passkey } = registered.body;
    expect(passkey).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      credential_id: created.id,
      name: "iPhone",
      rp_id: rpId,
      algorithm: -7,
      public_key: expect.stringMatching(/^[\w-]+$/),
      aaguid: "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4",
      transports: ["hybrid", "internal"],
      backup_eligible: false,
      backed_up: false,
      user_verified: true,
      sign_count: 1,
      created_at: expect.any(String),
      last_used_at: null,
    });
    const path = user.path(`/passkeys/${passkey.id}`);
    const renamed = await tenant.send("PATCH", path, { passkey: { name: "Grey phone" } });
    expect([renamed.status, renamed.body.passkey]).toEqual([
      200,
      { ...passkey, name: "Grey phone" },
    ]);

    const descriptor = { type: "public-key", id: created.id, transports: passkey.transports };
    expect(await startLogin(tenant, user)).toEqual({
      challenge: expect.any(String),
      timeout: 300_000,
      rpId,
      allowCredentials: [descriptor],
      userVerification: "required",
    });
    expect((await startLogin(tenant)).allowCredentials).toEqual([]);
    for (const named of [user, undefined]) {
      const { status, body } = await logIn(tenant, authenticator, named);
      expect([status, body]).toEqual([
        200,
        {
          status: "success",
          id: user.externalId,
          message: "Passkey verified successfully.",
          method: "passkey",
          user_verified: true,
          passkey: { id: passkey.id, credential_id: created.id, backed_up: false },
        },
      ]);
    }
    const { body: list } = await tenant.send("GET", user.path("/passkeys"));
    expect(list.user_handle).toBe(options.user.id);
    expect(list.passkeys).toEqual([
      { ...passkey, name: "Grey phone", sign_count: 3, last_used_at: expect.any(String) },
    ]);
    const profile = await user.profile();
    expect(profile).toMatchObject({ has_passkeys: true, has_otp: false });
    expect(profile.last_verified_at).toBe(list.passkeys[0].last_used_at);
    // The user was verified a moment ago, so that another passkey may be registered.
    expect(await startRegistration(user)).toMatchObject({ excludeCredentials: [descriptor] });

    expect((await tenant.send("DELETE", path)).status).toBe(204);
    expect(errorOf(await tenant.send("DELETE", path))).toEqual([404, "passkey_not_found"]);
    expect(errorOf(await logIn(tenant, authenticator))).toEqual([422, "passkey_unknown"]);
    expect(errorOf(await requestLoginOptions(tenant, user))).toEqual([
      409,
      "passkey_not_configured",
    ]);
    expect(await listPasskeys(user)).toEqual([]);
    expect((await user.profile()).has_passkeys).toBe(false);
    expect((await user.events()).map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(
      expect.arrayContaining([
        "passkey.registered success",
        "passkey.renamed success",
        "passkey.verified success",
        "passkey.removed success",
      ]),
    );
  });

  it.each([-7, -8, -257] as const)("of the algorithm %i works", async (algorithm) => {
    const tenant = await createTenant();
    const user = await User.provision(tenant);
    const authenticator = new PasskeyAuthenticator({ algorithm, synced: true });
    const passkey = await registerPasskey(user, authenticator);
    expect(passkey).toMatchObject({ algorithm, name: "Passkey 1", backup_eligible: true });
    expect((await logIn(tenant, authenticator)).body.passkey.backed_up).toBe(true);
  });

  it("cannot be an eleventh one", async () => {
    const { tenant, user, authenticator } = await createOwner();
    await logIn(tenant, authenticator, user);
    for (let n = 1; n < 10; n += 1) await registerPasskey(user, new PasskeyAuthenticator());
    expect(errorOf(await requestRegistrationOptions(user))).toEqual([409, "too_many"]);
    expect(await listPasskeys(user)).toHaveLength(10);
  });

  it("is shown and found in the directory", async () => {
    const { tenant, user } = await createOwner();
    const other = await User.provision(tenant);
    await fireAlarm(other);
    const list = async (query: string) =>
      (await tenant.send("GET", `/v1/idp/users?${query}`)).body.users.map(
        (one: { id: string; has_passkeys: boolean }) => [one.id, one.has_passkeys],
      );
    expect(await list("has_passkeys=true")).toEqual([[user.id, true]]);
    expect(await list("has_passkeys=false")).toEqual([[other.id, false]]);
  });
});

describe("Passkeys", () => {
  it("that the tenant has not set up are refused", async () => {
    const user = await User.provision(await Tenant.create());
    for (const answer of [
      await requestRegistrationOptions(user),
      await requestLoginOptions(user.tenant),
    ]) {
      expect(errorOf(answer)).toEqual([409, "passkeys_not_set_up"]);
    }
  });

  it("of an earlier rp_id stay listed, and work again only under it", async () => {
    const { tenant, user, authenticator, passkeyId } = await createOwner();
    const prepared = await createLoginBody(user, authenticator);
    await setUpPasskeys(tenant, { rp_id: "example.com", origins: [page.origin] });
    expect(errorOf(await requestLoginOptions(tenant, user))).toEqual([
      409,
      "passkey_not_configured",
    ]);
    expect(errorOf(await verify(tenant, prepared))).toEqual([422, "invalid_passkey", "challenge"]);
    // Not even an authenticator that signs for the new one.
    const { challenge } = await startLogin(tenant);
    const credential = await authenticator.get({ challenge, rpId }, page, { rpId: "example.com" });
    const moved = await verify(tenant, { passkey: { challenge, credential } });
    expect(errorOf(moved)).toEqual([422, "invalid_passkey", "rp_id"]);
    expect((await user.assess()).factors).toEqual([]);
    expect(await listPasskeys(user)).toMatchObject([{ id: passkeyId, rp_id: rpId }]);
    expect((await user.profile()).has_passkeys).toBe(true);
    await setUpPasskeys(tenant);
    expect((await logIn(tenant, authenticator, user)).status).toBe(200);
  });

  it("that were registered without user verification are no factor where it is required", async () => {
    const tenant = await createTenant({ user_verification: "preferred" });
    const user = await User.provision(tenant);
    const authenticator = new PasskeyAuthenticator();
    await registerPasskey(user, authenticator, { flags: { userVerified: false } });
    expect((await user.discover()).body.factors).toEqual(["passkey"]);
    await setUpPasskeys(tenant, { user_verification: "required" });
    expect((await user.discover()).body.factors).toEqual([]);
    const options = await requestLoginOptions(tenant, user);
    expect(errorOf(options)).toEqual([409, "passkey_not_configured"]);
    const answer = await logIn(tenant, authenticator);
    expect(errorOf(answer)).toEqual([422, "invalid_passkey", "user_verification"]);
  });

  it("are a factor that neither a lock of codes nor the end of TOTP takes away", async () => {
    const { tenant, user, authenticator } = await createOwner();
    await tenant.setSettings({ lockout: { max_failed_attempts: 2 } });
    await user.configure();
    await user.backupCodes();
    expect((await user.assess()).factors).toEqual(["totp", "backup_code", "passkey"]);
    const wrong = user.wrongCode(Date.now());
    await user.verify(wrong);
    expect((await logIn(tenant, authenticator, user)).status).toBe(200);
    // The success has given nobody fresh guesses.
    expect((await user.profile()).failed_attempts).toBe(1);
    expect((await user.verify(wrong)).body.attempts_remaining).toBe(0);
    expect(errorOf(await user.verify(user.code(Date.now())))).toEqual([423, "user_locked"]);
    expect((await user.assess()).factors).toEqual(["passkey"]);
    expect((await logIn(tenant, authenticator, user)).status).toBe(200);
    expect(await user.profile()).toMatchObject({ status: "locked", failed_attempts: 2 });
    expect((await tenant.send("DELETE", user.path("/otp"))).status).toBe(204);
    expect((await logIn(tenant, authenticator, user)).status).toBe(200);
  });

  it("whose answers fail never lock the user", async () => {
    const { tenant, user, authenticator } = await createOwner();
    for (let n = 0; n < 6; n += 1) {
      const answer = await logIn(tenant, authenticator, user, { rpId: "evil.example" });
      expect(errorOf(answer)).toEqual([422, "invalid_passkey", "rp_id"]);
    }
    expect(await user.profile()).toMatchObject({ status: "active", failed_attempts: 0 });
    expect((await logIn(tenant, authenticator, user)).status).toBe(200);
  });

  it("of a suspended user are refused, and no factor", async () => {
    const { tenant, user, authenticator } = await createOwner();
    const before = await createLoginBody(user, authenticator);
    const setStatus = async (status: string) =>
      await tenant.send("PATCH", user.path(), { user: { status } });
    await setStatus("suspended");
    expect(errorOf(await requestLoginOptions(tenant, user))).toEqual([403, "user_suspended"]);
    expect(errorOf(await logIn(tenant, authenticator))).toEqual([403, "user_suspended"]);
    expect((await user.discover()).body.factors).toEqual([]);
    await setStatus("active");
    expect(errorOf(await verify(tenant, before))).toEqual([422, "invalid_passkey", "challenge"]);
    expect((await logIn(tenant, authenticator)).status).toBe(200);
  });

  it("of a device are refused when the counter goes back, and synced ones are noted", async () => {
    const { tenant, user, authenticator } = await createOwner();
    const clone = authenticator.clone();
    expect((await logIn(tenant, authenticator, user)).status).toBe(200);
    expect(errorOf(await logIn(tenant, clone, user))).toEqual([422, "invalid_passkey", "counter"]);
    const other = await User.provision(tenant);
    const synced = new PasskeyAuthenticator({ synced: true });
    await registerPasskey(other, synced);
    expect((await logIn(tenant, synced, other, { signCount: 7 })).status).toBe(200);
    expect((await logIn(tenant, synced, other, { signCount: 6 })).status).toBe(200);
    const [event] = await other.events();
    expect(event).toMatchObject({
      action: "passkey.verified",
      outcome: "success",
      details: { counter_regression: true },
    });
    expect(await listPasskeys(other)).toMatchObject([{ sign_count: 7 }]);
  });

  it("confirm the assessed session, and say so in the trail", async () => {
    const { tenant, user, authenticator } = await createOwner();
    const { assessment_id } = await user.assess();
    const context = { ip: "198.51.100.7", ua: "EnterpriseAgent/1.0" };
    const { passkey } = await createLoginBody(user, authenticator);
    const body = { passkey: { ...passkey, assessment_id, context } };
    expect((await verify(tenant, body)).status).toBe(200);
    const [event] = await user.events();
    expect(event).toMatchObject({
      action: "passkey.verified",
      details: { assessment_id, user_verified: true },
      personal: { address: context.ip, agent: context.ua },
    });
    await guardOf(user).deliver();
    const { assessments } = (await tenant.send("GET", "/v1/sentinel/assessments")).body;
    expect(assessments[0]).toMatchObject({ outcome: "legitimate" });
    const other = await User.provision(tenant);
    const foreign = {
      passkey: { ...passkey, assessment_id: (await other.assess()).assessment_id },
    };
    expect((await verify(tenant, foreign)).body.issues).toEqual([
      { path: "passkey.assessment_id", message: "belongs to another user" },
    ]);
  });
});

describe("A malformed answer", () => {
  it("is a 400 that names the part, and further members are accepted", async () => {
    const { tenant, user, authenticator } = await createOwner();
    const { passkey } = await createLoginBody(user, authenticator);
    const { credential } = passkey;
    const { response } = credential;
    const issuesOf = async (changed: object) =>
      (await verify(tenant, { passkey: { ...passkey, credential: changed } })).body.issues;
    for (const [path, changed] of [
      ["id", { ...credential, id: `${credential.id}=` }],
      ["rawId", { ...credential, rawId: "AAAA" }],
      ["type", { ...credential, type: "password" }],
      ["response.signature", { ...credential, response: { ...response, signature: "A" } }],
      ["response.signature", { ...credential, response: { ...response, signature: 5 } }],
      [
        "response.authenticatorData",
        { ...credential, response: { ...response, authenticatorData: "AAAA" } },
      ],
      [
        "response.clientDataJSON",
        { ...credential, response: { ...response, clientDataJSON: "AAAA" } },
      ],
      ["response.userHandle", { ...credential, response: { ...response, userHandle: "A" } }],
    ] as const) {
      expect(await issuesOf(changed)).toMatchObject([{ path: `passkey.credential.${path}` }]);
    }
    const registration = await createRegistrationBody(await User.provision(tenant));
    const attestationObject = "o2NmbXRkbm9uZWdhdHRTdG10oA";
    const changed = {
      ...registration.passkey.credential,
      response: { ...registration.passkey.credential.response, attestationObject },
    };
    const broken = await tenant.send("POST", user.path("/passkeys"), {
      passkey: { ...registration.passkey, credential: changed },
    });
    expect(broken.body.issues).toMatchObject([
      { path: "passkey.credential.response.attestationObject" },
    ]);
    // A browser's extension adds members everywhere.
    const extended = { ...credential, extra: 1, response: { ...response, publicKeyAlgorithm: -7 } };
    const accepted = await verify(tenant, { passkey: { ...passkey, credential: extended } });
    expect(accepted.status).toBe(200);
  });

  it("that names no user needs the id", async () => {
    const { tenant, user, authenticator } = await createOwner();
    const nameless = await logIn(tenant, authenticator, undefined, { userHandle: null });
    expect(errorOf(nameless)).toEqual([422, "invalid_passkey", "user_handle"]);
    expect((await logIn(tenant, authenticator, user, { userHandle: null })).status).toBe(200);
    const foreign = await logIn(tenant, authenticator, undefined, { userHandle: "AAAA" });
    expect([foreign.status, foreign.body]).toMatchObject([
      422,
      { code: "passkey_unknown", credential_id: expect.any(String) },
    ]);
  });
});
