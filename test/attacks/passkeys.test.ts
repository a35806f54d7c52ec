/** Passkeys: answers that are sent again, mixed up, or that belong to somebody else. */
import { describe, expect, it } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict, guardOf, inspectGuard, loseStorage } from "../support/guard.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import type { AuthenticationAnswer } from "../support/passkey-json.ts";
import {
  finishLogin,
  finishRegistration,
  logIn,
  page,
  registerPasskey,
  requestLoginOptions,
  setUpPasskeys,
  startLogin,
  startRegistration,
} from "../support/passkeys.ts";
import { rowsOf } from "../support/trail.ts";
import { sendAtOnce, tally } from "./at-once.ts";

const accepted = "200 ";

/** The status with the code, and the reason of a refused answer. */
function describeAnswer({ status, body }: Answer): string {
  return [status, body?.code ?? "", ...(body?.reason === undefined ? [] : [body.reason])].join(" ");
}

async function createTenant(settings: object = {}): Promise<Tenant> {
  const tenant = await Tenant.create();
  await setUpPasskeys(tenant, settings);
  return tenant;
}

/** A user with a passkey. */
async function createOwner(tenant?: Tenant, externalId?: string, settings = {}) {
  const owned = tenant ?? (await createTenant());
  const user = await User.provision(owned, externalId);
  const authenticator = new PasskeyAuthenticator(settings);
  const passkey = await registerPasskey(user, authenticator);
  return { tenant: owned, user, authenticator, passkey };
}

/** An answer with its challenge, which was not sent yet. */
async function prepareLogin(
  { tenant, user, authenticator }: Awaited<ReturnType<typeof createOwner>>,
  isNamed: boolean,
) {
  const named = isNamed ? user : undefined;
  const { challenge, ...options } = await startLogin(tenant, named);
  const credential = await authenticator.get({ challenge, ...options }, page);
  return { challenge, credential, send: () => finishLogin(tenant, challenge, credential, named) };
}

const spent = "422 invalid_passkey challenge";

describe.each([
  { login: "a named login", isNamed: true },
  { login: "a usernameless login", isNamed: false },
])("The answer of $login", ({ isNamed }) => {
  it("is accepted once of 50 times at once, and never after an eviction", async () => {
    const owner = await createOwner();
    const { send } = await prepareLogin(owner, isNamed);
    await evict(owner.user);
    expect(tally(await sendAtOnce(50, send))).toEqual({ "200": 1, "422 invalid_passkey": 49 });
    expect(describeAnswer(await send())).toBe(spent);
    await drainOutbox(owner.user);
    await evict(owner.user);
    expect(describeAnswer(await send())).toBe(spent);
  });

  it("is not accepted after a rehydration, whether it was accepted before or not", async () => {
    const owner = await createOwner();
    const [sent, unsent] = [await prepareLogin(owner, isNamed), await prepareLogin(owner, isNamed)];
    expect(describeAnswer(await sent.send())).toBe(accepted);
    await guardOf(owner.user).deliver();
    await loseStorage(owner.user);
    expect(describeAnswer(await sent.send())).toBe(spent);
    expect(describeAnswer(await unsent.send())).toBe(spent);
    const { tenant, authenticator } = owner;
    expect((await logIn(tenant, authenticator)).status).toBe(200);
  });

  it("is not accepted once 32 newer ones were, whether it was accepted before or not", async () => {
    // A synced passkey has no counter that would refuse the older answer.
    const owner = await createOwner(undefined, undefined, { synced: true });
    const unsent = await prepareLogin(owner, isNamed);
    const sent = await prepareLogin(owner, isNamed);
    expect(describeAnswer(await sent.send())).toBe(accepted);
    for (let n = 0; n < 32; n += 1) {
      expect((await logIn(owner.tenant, owner.authenticator)).status).toBe(200);
    }
    await evict(owner.user);
    expect(describeAnswer(await sent.send())).toBe(spent);
    expect(describeAnswer(await unsent.send())).toBe(spent);
  });

  it("is not accepted with another challenge in the body than the signed one", async () => {
    const owner = await createOwner();
    const [old, other] = [await prepareLogin(owner, isNamed), await prepareLogin(owner, isNamed)];
    const { tenant, user } = owner;
    const named = isNamed ? user : undefined;
    const mix = async (challenge: string, credential: AuthenticationAnswer) =>
      describeAnswer(await finishLogin(tenant, challenge, credential, named));
    expect(await mix(other.challenge, old.credential)).toBe(spent);
    expect(describeAnswer(await old.send())).toBe(accepted);
    expect(await mix(other.challenge, old.credential)).toBe(spent);
    expect(await mix(old.challenge, other.credential)).toBe(spent);
    expect(describeAnswer(await other.send())).toBe(accepted);
  });

  it("is not accepted for the other kind of login, nor its challenge for a registration", async () => {
    const owner = await createOwner();
    const { tenant, user, authenticator } = owner;
    const { challenge, credential } = await prepareLogin(owner, isNamed);
    const other = await finishLogin(tenant, challenge, credential, isNamed ? undefined : user);
    expect(describeAnswer(other)).toBe(spent);
    expect((await logIn(tenant, authenticator)).status).toBe(200);
    const options = { ...(await startRegistration(user)), challenge };
    const created = await authenticator.create(options, page);
    expect(describeAnswer(await finishRegistration(user, challenge, created))).toBe(spent);
  });
});

describe("A passkey", () => {
  it("of another user is unknown, whoever is named", async () => {
    const { tenant, user, authenticator, passkey } = await createOwner();
    const victim = await createOwner(tenant);
    const { challenge, rpId = "" } = await startLogin(tenant, victim.user);
    const unknown = { code: "passkey_unknown", credential_id: passkey.credential_id };
    const foreign = await authenticator.get({ challenge, rpId }, page);
    const named = await finishLogin(tenant, challenge, foreign, victim.user);
    expect([named.status, named.body]).toEqual([422, expect.objectContaining(unknown)]);
    const list = await tenant.send("GET", victim.user.path("/passkeys"));
    const victims = list.body.user_handle;
    const claimed = await logIn(tenant, authenticator, undefined, { userHandle: victims });
    expect([claimed.status, claimed.body]).toEqual([422, expect.objectContaining(unknown)]);
    const own = await logIn(tenant, authenticator, user, { userHandle: victims });
    expect(describeAnswer(own)).toBe("422 invalid_passkey user_handle");
  });

  it("of another tenant with the same relying party is unknown, and leaves nothing", async () => {
    const { tenant, user, authenticator } = await createOwner(undefined, "alice");
    const other = await createTenant();
    const namesake = await createOwner(other, "alice");
    const answer = await logIn(other, authenticator);
    expect(describeAnswer(answer)).toBe("422 passkey_unknown");
    expect((await inspectGuard({ tenant: other, id: user.id })).tables).toEqual([]);
    const { challenge, rpId = "" } = await startLogin(other, namesake.user);
    const credential = await authenticator.get({ challenge, rpId }, page);
    const named = await finishLogin(other, challenge, credential, namesake.user);
    expect(describeAnswer(named)).toBe("422 passkey_unknown");
    const elsewhere = await startLogin(tenant, user);
    const signed = await namesake.authenticator.get({ challenge: elsewhere.challenge, rpId }, page);
    const moved = await finishLogin(other, elsewhere.challenge, signed, namesake.user);
    expect(describeAnswer(moved)).toBe(spent);
  });

  it("of an erased user is unknown to the next user of the same name", async () => {
    const owner = await createOwner(undefined, "alice");
    const { tenant, user, authenticator } = owner;
    await createOwner(tenant);
    const before = await prepareLogin(owner, true);
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    expect(await rowsOf("passkey_claims", tenant.id)).toHaveLength(1);
    expect(describeAnswer(await logIn(tenant, authenticator))).toBe("422 passkey_unknown");
    const next = await User.provision(tenant, "alice");
    expect(next.id).toBe(user.id);
    expect(describeAnswer(await logIn(tenant, authenticator))).toBe("422 passkey_unknown");
    expect(describeAnswer(await before.send())).toBe("422 passkey_unknown");
    expect((await requestLoginOptions(tenant, next)).body.code).toBe("passkey_not_configured");
    expect(await next.profile()).toMatchObject({ has_passkeys: false });
  });

  it("that was registered without the verification of its user never counts as verified", async () => {
    const tenant = await createTenant({ user_verification: "preferred" });
    const user = await User.provision(tenant);
    const authenticator = new PasskeyAuthenticator();
    await registerPasskey(user, authenticator, { flags: { userVerified: false } });
    const { body } = await logIn(tenant, authenticator, user);
    expect([body.status, body.user_verified]).toEqual(["success", false]);
    await setUpPasskeys(tenant, { user_verification: "required" });
    const required = await logIn(tenant, authenticator);
    expect(describeAnswer(required)).toBe("422 invalid_passkey user_verification");
  });
});

const wrongOrigins = [
  ["another port", "https://login.example.com:8443"],
  ["the default port", "https://login.example.com:443"],
  ["another scheme", "http://login.example.com"],
  ["a scheme in capitals", "HTTPS://login.example.com"],
  ["a host in capitals", "https://LOGIN.example.com"],
  ["a prefix", "https://login.example.co"],
  ["a suffix", "https://login.example.com.attacker.example"],
  ["a longer host", "https://evil-login.example.com"],
  ["a parent", "https://example.com"],
  ["a path", "https://login.example.com/"],
  ["a user", "https://login.example.com@attacker.example"],
  ["a space", " https://login.example.com"],
  ["a letter that looks alike", "https://lоgin.example.com"],
  ["an opaque one", "null"],
] as const;

describe("An origin that differs by", () => {
  it.each(wrongOrigins)("%s is refused at a registration and at a login", async (_name, origin) => {
    const { tenant, user, authenticator } = await createOwner();
    const options = await startLogin(tenant, user);
    const credential = await authenticator.get(options, { origin });
    const login = await finishLogin(tenant, options.challenge, credential, user);
    expect(describeAnswer(login)).toBe("422 invalid_passkey origin");
    const newcomer = await User.provision(tenant);
    const creation = await startRegistration(newcomer);
    const created = await authenticator.create(creation, { origin });
    const registration = await finishRegistration(newcomer, creation.challenge, created);
    expect(describeAnswer(registration)).toBe("422 invalid_passkey origin");
    expect(await newcomer.profile()).toMatchObject({ has_passkeys: false });
  });
});

/** Starts a registration. @returns a function that ends it */
async function openRegistration(user: User) {
  const options = await startRegistration(user);
  const credential = await new PasskeyAuthenticator().create(options, page);
  return async () => describeAnswer(await finishRegistration(user, options.challenge, credential));
}

describe("A registration that has started", () => {
  it("does not end after a passkey was removed", async () => {
    const { tenant, user, authenticator, passkey } = await createOwner();
    expect((await logIn(tenant, authenticator, user)).status).toBe(200);
    await registerPasskey(user, new PasskeyAuthenticator());
    const finish = await openRegistration(user);
    const removed = await tenant.send("DELETE", user.path(`/passkeys/${passkey.id}`));
    expect(removed.status).toBe(204);
    expect(await finish()).toBe(spent);
    await evict(user);
    expect(await finish()).toBe(spent);
  });

  it("does not end while the user is suspended, nor after", async () => {
    const tenant = await createTenant();
    const user = await User.provision(tenant);
    const finish = await openRegistration(user);
    await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    expect(await finish()).toBe("403 user_suspended");
    await tenant.send("PATCH", user.path(), { user: { status: "active" } });
    expect(await finish()).toBe(spent);
  });

  it("does not end when the verification of the user is no longer recent", async () => {
    const tenant = await createTenant({ recent_verification_seconds: 60 });
    const user = await User.withTotp(tenant);
    const start = Date.now();
    const setTime = (seconds: number) => {
      tenant.clock = new Date(start + seconds * 1000).toISOString();
    };
    setTime(0);
    expect((await user.verify(user.code(start))).status).toBe(200);
    setTime(59);
    const finish = await openRegistration(user);
    setTime(61);
    expect(await finish()).toBe("403 verification_required");
    expect((await user.verify(user.code(start + 61_000))).status).toBe(200);
    expect(await finish()).toBe("201 ");
  });

  it("does not end when the user has got a factor since and was never verified", async () => {
    const user = await User.provision(await createTenant());
    const finish = await openRegistration(user);
    await user.configure();
    expect(await finish()).toBe("403 verification_required");
  });

  it("does not end for another user, another tenant, or twice", async () => {
    const tenant = await createTenant();
    const [user, other] = [await User.provision(tenant, "a"), await User.provision(tenant, "b")];
    const abroad = await User.provision(await createTenant(), "a");
    const options = await startRegistration(user);
    const credential = await new PasskeyAuthenticator().create(options, page);
    const finish = async (one: User) =>
      describeAnswer(await finishRegistration(one, options.challenge, credential));
    expect(await finish(other)).toBe(spent);
    expect(await finish(abroad)).toBe(spent);
    const answers = await sendAtOnce(20, () =>
      finishRegistration(user, options.challenge, credential),
    );
    const [first] = answers.filter(({ status }) => status === 201);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.every(({ status }) => [201, 403, 409, 422].includes(status))).toBe(true);
    expect(await user.profile()).toMatchObject({ has_passkeys: true });
    expect((await tenant.send("GET", user.path("/passkeys"))).body.passkeys).toEqual([
      first?.body.passkey,
    ]);
  });
});
