/** Registrations and logins with passkeys while D1 fails, and answers that get lost on their way. */
import { describe, expect, it } from "vitest";
import { send, Tenant, User } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { readTrail } from "../support/delivered-trail.ts";
import { evict, guardOf, loseStorage } from "../support/guard.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import {
  finishRegistration,
  logIn,
  page,
  registerPasskey,
  setUpPasskeys,
  startRegistration,
} from "../support/passkeys.ts";

async function createUser() {
  const tenant = await Tenant.create();
  await setUpPasskeys(tenant);
  const user = await User.provision(tenant);
  const prepare = async () => {
    const options = await startRegistration(user);
    const authenticator = new PasskeyAuthenticator();
    const credential = await authenticator.create(options, page);
    return {
      authenticator,
      finish: () => finishRegistration(user, options.challenge, credential),
    };
  };
  const list = async () => (await tenant.send("GET", user.path("/passkeys"))).body.passkeys;
  return { tenant, user, prepare, list };
}

const faults: D1Fault[] = ["throws", "hangs", "loses the reply"];

describe.each(faults)("While D1 %s", (fault) => {
  it("a registration fails, loses nothing, and succeeds with the same answer later", async () => {
    const { tenant, user, prepare, list } = await createUser();
    const earlier = await prepare();
    expect((await earlier.finish()).status).toBe(201);
    expect((await logIn(tenant, earlier.authenticator, user)).status).toBe(200);
    const { finish, authenticator } = await prepare();
    const failed = await withD1Fault(fault, finish);
    expect([failed.status, failed.body.code]).toEqual([503, "unavailable"]);
    expect(await list()).toHaveLength(1);
    expect((await finish()).status).toBe(201);
    await evict(user);
    expect(await list()).toHaveLength(2);
    for (const one of [earlier.authenticator, authenticator]) {
      expect((await logIn(tenant, one, user)).status).toBe(200);
    }
    const actions = (await readTrail(tenant)).filter((event) =>
      event.startsWith("passkey.registered"),
    );
    expect(actions).toHaveLength(2);
  });

  it("logins with passkeys go on", async () => {
    const { tenant, user } = await createUser();
    const authenticator = new PasskeyAuthenticator();
    await registerPasskey(user, authenticator);
    await withD1Fault(fault, async () => {
      expect((await logIn(tenant, authenticator)).status).toBe(200);
      expect((await logIn(tenant, authenticator, user)).status).toBe(200);
    });
  });

  it("a removal holds at once, and also for a guard that rehydrates later", async () => {
    const { tenant, user } = await createUser();
    const authenticator = new PasskeyAuthenticator();
    const { id } = await registerPasskey(user, authenticator);
    const path = user.path(`/passkeys/${id}`);
    expect((await withD1Fault(fault, () => tenant.send("DELETE", path))).status).toBe(204);
    expect((await logIn(tenant, authenticator)).body.code).toBe("passkey_unknown");
    await guardOf(user).deliver();
    await loseStorage(user);
    expect((await logIn(tenant, authenticator)).body.code).toBe("passkey_unknown");
  });
});

describe("A registration whose answer got lost", () => {
  it("is answered again with the same Idempotency-Key, and refused without", async () => {
    const { tenant, user, list } = await createUser();
    const options = await startRegistration(user);
    const credential = await new PasskeyAuthenticator().create(options, page);
    const post = async (headers: Record<string, string>) =>
      await send("POST", user.path("/passkeys"), {
        token: tenant.token,
        body: { passkey: { challenge: options.challenge, credential } },
        headers,
      });
    const key = { "Idempotency-Key": "registration" };
    const lost = await post(key);
    expect(lost.status).toBe(201);
    await evict(user);
    const again = await post(key);
    expect([again.status, again.body]).toEqual([201, lost.body]);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect((await post({})).status).toBeOneOf([403, 409, 422]);
    expect(await list()).toEqual([lost.body.passkey]);
  });
});
