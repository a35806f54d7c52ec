/** Passkeys after a restore of D1, of a guard, or of both. */
import { describe, expect, it } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { rowsIn } from "../support/databases.ts";
import { evict, guardOf, loseStorage } from "../support/guard.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import {
  finishLogin,
  finishRegistration,
  logIn,
  page,
  registerPasskey,
  setUpPasskeys,
  startLogin,
  startRegistration,
} from "../support/passkeys.ts";

const credentialId = "Y3JlZGVudGlhbA";

async function createTwoUsers() {
  const tenant = await Tenant.create();
  await setUpPasskeys(tenant);
  const [user, rival] = [await User.provision(tenant), await User.provision(tenant)];
  const authenticator = new PasskeyAuthenticator();
  const register = () => registerPasskey(user, authenticator, { credentialId });
  const remove = async (id: string) =>
    (await tenant.send("DELETE", user.path(`/passkeys/${id}`))).status;
  const copy = async (): Promise<Answer> => {
    const options = await startRegistration(rival);
    const created = await new PasskeyAuthenticator().create(options, page, { credentialId });
    return await finishRegistration(rival, options.challenge, created);
  };
  const readOwners = async () =>
    (await rowsIn(0, "passkey_claims", tenant.id)).map(({ identity_id }) => identity_id);
  return { tenant, user, rival, authenticator, register, remove, copy, readOwners };
}

describe("An older D1 under newer guards", () => {
  it("gets the claims of their passkeys with the next login, or when records are delivered again", async () => {
    const { tenant, user, authenticator, register, copy, readOwners } = await createTwoUsers();
    const restore = await snapshotOfD1();
    await register();
    await restore();
    expect(await readOwners()).toEqual([]);
    expect((await logIn(tenant, authenticator)).status).toBe(200);
    await guardOf(user).deliver();
    expect(await readOwners()).toEqual([user.id]);
    await restore();
    await guardOf(user).reseal({ tenantId: tenant.id, identityId: user.id }, true);
    expect(await readOwners()).toEqual([user.id]);
    expect((await copy()).body.code).toBe("passkey_exists");
  });

  it("may let a second user register a passkey, and both can log in", async () => {
    const { tenant, user, authenticator, register, copy, readOwners, rival } =
      await createTwoUsers();
    const restore = await snapshotOfD1();
    await register();
    await restore();
    expect((await copy()).status).toBe(201);
    expect((await logIn(tenant, authenticator)).status).toBe(200);
    await guardOf(user).deliver();
    expect(await readOwners()).toEqual([rival.id]);
    expect((await logIn(tenant, authenticator, user)).status).toBe(200);
  });

  it("gets a claim back when nobody has it any more, although D1 has the record already", async () => {
    const { tenant, user, rival, register, copy, readOwners } = await createTwoUsers();
    const restore = await snapshotOfD1();
    await register();
    await restore();
    const copied = await copy();
    expect(copied.status).toBe(201);
    await guardOf(user).reseal({ tenantId: tenant.id, identityId: user.id }, true);
    expect(await readOwners()).toEqual([rival.id]);
    const { id } = copied.body.passkey;
    expect((await tenant.send("DELETE", rival.path(`/passkeys/${id}`))).status).toBe(204);
    expect(await readOwners()).toEqual([]);
    await user.assess();
    await guardOf(user).deliver();
    expect(await readOwners()).toEqual([user.id]);
    expect((await copy()).body.code).toBe("passkey_exists");
  });

  it("holds back no passkey that was removed since, and gives it to nobody", async () => {
    const { tenant, user, rival, authenticator, register, remove, copy, readOwners } =
      await createTwoUsers();
    const { id } = await register();
    const restore = await snapshotOfD1();
    expect(await remove(id)).toBe(204);
    await restore();
    expect(await readOwners()).toEqual([user.id]);
    await evict(user);
    expect((await logIn(tenant, authenticator)).body.code).toBe("passkey_unknown");
    expect((await copy()).status).toBe(201);
    expect(await readOwners()).toEqual([rival.id]);
  });

  it("makes no answer valid again that was accepted, with or without the guard's storage", async () => {
    const { tenant, user, authenticator, register } = await createTwoUsers();
    await register();
    const options = await startLogin(tenant, user);
    const credential = await authenticator.get(options, page);
    const send = async () => await finishLogin(tenant, options.challenge, credential, user);
    const restore = await snapshotOfD1();
    expect((await send()).status).toBe(200);
    await guardOf(user).deliver();
    await restore();
    expect((await send()).body.reason).toBe("challenge");
    await loseStorage(user);
    expect((await send()).body.reason).toBe("challenge");
  });
});
