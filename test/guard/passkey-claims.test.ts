/** Which of several users gets a passkey, whatever D1 and their guards know of it. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { holdBatchAnswers, withD1Fault } from "../support/d1-faults.ts";
import { rowsIn } from "../support/databases.ts";
import { evict, guardOf, replaceState } from "../support/guard.ts";
import { withLateStatements } from "../support/late-statements.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import {
  finishRegistration,
  logIn,
  page,
  registerPasskey,
  setUpPasskeys,
  startRegistration,
} from "../support/passkeys.ts";
import { sql } from "../support/trail.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const credentialId = "Y3JlZGVudGlhbA";

async function createTenant(): Promise<Tenant> {
  const tenant = await Tenant.create();
  await setUpPasskeys(tenant);
  return tenant;
}

/** Users of one tenant, each of whom can register the same credential id with a key of their own. */
async function createRivals(tenant: Tenant, count: number) {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const user = await User.provision(tenant);
      const authenticator = new PasskeyAuthenticator();
      const prepare = async () => {
        const options = await startRegistration(user);
        const created = await authenticator.create(options, page, { credentialId });
        return () => finishRegistration(user, options.challenge, created);
      };
      const register = async () => await (await prepare())();
      const remove = async ({ body }: Answer) =>
        (await tenant.send("DELETE", user.path(`/passkeys/${body.passkey.id}`))).status;
      const count = async (): Promise<number> =>
        (await tenant.send("GET", user.path("/passkeys"))).body.passkeys.length;
      const logInHere = async () => (await logIn(tenant, authenticator, user)).status;
      return { user, prepare, register, remove, count, logIn: logInHere };
    }),
  );
}

async function createTwoRivals() {
  const tenant = await createTenant();
  const [first, second] = await createRivals(tenant, 2);
  if (first === undefined || second === undefined) throw new Error("A user is missing");
  const readOwners = async () =>
    (await rowsIn(0, "passkey_claims", tenant.id)).map(({ identity_id }) => identity_id);
  return { tenant, first, second, readOwners };
}

const codeOf = ({ status, body }: Answer) => (status === 201 ? "201" : body.code);

describe("A credential id", () => {
  it("that ten users register at once belongs to one of them", async () => {
    const tenant = await createTenant();
    const rivals = await createRivals(tenant, 10);
    const finishes = await Promise.all(rivals.map(({ prepare }) => prepare()));
    const answers = await Promise.all(finishes.map((finish) => finish()));
    expect(answers.map(codeOf).toSorted()).toEqual(["201", ...Array(9).fill("passkey_exists")]);
    const counts = await Promise.all(rivals.map(({ count }) => count()));
    expect(counts).toEqual(answers.map(({ status }) => (status === 201 ? 1 : 0)));
    expect(await rowsIn(0, "passkey_claims", tenant.id)).toHaveLength(1);
  });

  it("belongs to its first user until that one removes it, then to the next", async () => {
    const { first, second, readOwners } = await createTwoRivals();
    const registered = await first.register();
    expect(codeOf(await second.register())).toBe("passkey_exists");
    expect(await first.remove(registered)).toBe(204);
    expect(await readOwners()).toEqual([]);
    expect(codeOf(await second.register())).toBe("201");
    expect(codeOf(await first.register())).toBe("passkey_exists");
    expect(await readOwners()).toEqual([second.user.id]);
    expect(await second.logIn()).toBe(200);
  });

  it("belongs to a user whose guard lost its memory, or its claim in D1", async () => {
    const { tenant, first, second, readOwners } = await createTwoRivals();
    await first.register();
    await evict(first.user);
    expect(codeOf(await second.register())).toBe("passkey_exists");
    await sql("DELETE FROM passkey_claims WHERE tenant_id = ?", tenant.id);
    expect(await first.logIn()).toBe(200);
    await guardOf(first.user).deliver();
    expect(await readOwners()).toEqual([first.user.id]);
    expect(codeOf(await second.register())).toBe("passkey_exists");
  });

  it("is not kept by a registration that D1 claimed and that then failed", async () => {
    const { first, second, readOwners } = await createTwoRivals();
    const finish = await first.prepare();
    const failed = await withD1Fault("loses the reply to batches only", finish);
    expect([failed.status, failed.body.code]).toEqual([503, "unavailable"]);
    expect(await readOwners()).toEqual([first.user.id]);
    expect(await first.count()).toBe(0);
    expect(codeOf(await second.register())).toBe("201");
    expect(codeOf(await finish())).toBe("passkey_exists");
    expect(await readOwners()).toEqual([second.user.id]);
  });

  it("is claimed again by the same user after such a failure", async () => {
    const { first, second, readOwners } = await createTwoRivals();
    const finish = await first.prepare();
    expect((await withD1Fault("loses the reply to batches only", finish)).status).toBe(503);
    expect(codeOf(await finish())).toBe("201");
    expect(codeOf(await second.register())).toBe("passkey_exists");
    expect(await readOwners()).toEqual([first.user.id]);
  });

  it("is kept by a registration that is under way", async () => {
    const { first, second, readOwners } = await createTwoRivals();
    const [finish, finishSecond] = [await first.prepare(), await second.prepare()];
    const held = holdBatchAnswers(first.user.id);
    const under = finish();
    await vi.waitFor(() => expect(held.count).toBeGreaterThan(0));
    expect(codeOf(await finishSecond())).toBe("passkey_exists");
    held.release();
    expect(codeOf(await under)).toBe("201");
    expect(await readOwners()).toEqual([first.user.id]);
    expect([await first.count(), await second.count()]).toEqual([1, 0]);
  });

  it("is not decided on while the guard that claimed it does not answer", async () => {
    const { first, second } = await createTwoRivals();
    await first.register();
    const finish = await second.prepare();
    await replaceState(first.user, "json_set(state, '$.damaged', state, '$.lockout', 1)");
    await evict(first.user);
    const failed = await finish();
    expect([failed.status, failed.body.code]).toEqual([503, "unavailable"]);
    expect(await second.count()).toBe(0);
    await replaceState(first.user, "json_extract(state, '$.damaged')");
    await evict(first.user);
    expect(codeOf(await finish())).toBe("passkey_exists");
    expect(await first.count()).toBe(1);
  });

  it("stays with the user who removed it and registered it again while D1 failed", async () => {
    const { first, second, readOwners } = await createTwoRivals();
    const registered = await first.register();
    await withD1Fault("fails on write", () => first.remove(registered));
    expect(codeOf(await first.register())).toBe("201");
    await guardOf(first.user).deliver();
    expect(await readOwners()).toEqual([first.user.id]);
    expect(codeOf(await second.register())).toBe("passkey_exists");
  });

  it("is free while the release of a removal has not reached D1", async () => {
    const { first, second, readOwners } = await createTwoRivals();
    const registered = await first.register();
    await withD1Fault("fails on write", () => first.remove(registered));
    expect(codeOf(await second.register())).toBe("201");
    await guardOf(first.user).deliver();
    expect(await readOwners()).toEqual([second.user.id]);
  });

  it("has one user, whichever statements D1 carries out late", async () => {
    const patterns = [[1], [2, 0], [0, 3], [4, 0, 1], [0, 0, 5], [6, 1, 0, 0]];
    for (const delays of patterns) {
      const { first, second } = await createTwoRivals();
      const steps = await Promise.all([first, second].map(({ prepare }) => prepare()));
      const answers: Answer[] = [];
      await withLateStatements(delays, async () => {
        for (const finish of [...steps, ...steps]) answers.push(await finish());
      });
      await Promise.all([first, second].map(({ user }) => guardOf(user).deliver()));
      const counts = [await first.count(), await second.count()];
      expect(counts[0] === 1 && counts[1] === 1).toBe(false);
      for (const rival of [first, second]) {
        if ((await rival.count()) === 0) await rival.register();
      }
      expect((await first.count()) + (await second.count())).toBe(1);
    }
  });

  it("is another one in another tenant", async () => {
    const [one, other] = [await createTwoRivals(), await createTwoRivals()];
    expect(codeOf(await one.first.register())).toBe("201");
    expect(codeOf(await other.first.register())).toBe("201");
  });
});

describe("Claims of registrations that were refused after them", () => {
  it("are released, whatever refused them", async () => {
    const tenant = await createTenant();
    const user = await User.provision(tenant);
    const options = await startRegistration(user);
    const created = await Promise.all(
      Array.from({ length: 6 }, () => new PasskeyAuthenticator().create(options, page)),
    );
    const held = holdBatchAnswers(user.id);
    const sent = created.map((one) => finishRegistration(user, options.challenge, one));
    await vi.waitFor(() => expect(held.count).toBe(created.length));
    held.release();
    const answers = await Promise.all(sent);
    const registered = answers.filter(({ status }) => status === 201);
    expect(registered).toHaveLength(1);
    const owned = registered.map(({ body }) => body.passkey.id);
    const claimed = (await rowsIn(0, "passkey_claims", tenant.id)).map(
      ({ passkey_id }) => passkey_id,
    );
    expect(claimed).toEqual(owned);
  });

  it("are released if the user was erased meanwhile", async () => {
    const { tenant, first, readOwners } = await createTwoRivals();
    const finish = await first.prepare();
    const held = holdBatchAnswers(first.user.id);
    const under = finish();
    await vi.waitFor(() => expect(held.count).toBeGreaterThan(0));
    const erased = tenant.send("DELETE", first.user.path());
    await vi.waitFor(() => expect(held.count).toBeGreaterThan(1));
    held.release();
    expect((await erased).status).toBe(204);
    expect(codeOf(await under)).toBe("user_not_found");
    expect(await readOwners()).toEqual([]);
  });

  it("stay if the same user has registered the passkey meanwhile", async () => {
    const { first, second, readOwners } = await createTwoRivals();
    const [finish, again] = [await first.prepare(), await first.prepare()];
    const codes = (await Promise.all([finish(), again()])).map(codeOf);
    expect(codes.toSorted()).toEqual(["201", "verification_required"]);
    expect(await readOwners()).toEqual([first.user.id]);
    expect(codeOf(await second.register())).toBe("passkey_exists");
  });
});

describe("The claims of an erased user", () => {
  it("are released, also those whose release D1 did not get before", async () => {
    const { tenant, first, second, readOwners } = await createTwoRivals();
    const registered = await first.register();
    expect(await first.logIn()).toBe(200);
    await registerPasskey(first.user, new PasskeyAuthenticator());
    await withD1Fault("fails on write", () => first.remove(registered));
    expect((await tenant.send("DELETE", first.user.path())).status).toBe(204);
    expect(await readOwners()).toEqual([]);
    expect(codeOf(await second.register())).toBe("201");
  });

  it("are released although D1 failed at the erasure", async () => {
    const { tenant, first, second } = await createTwoRivals();
    await first.register();
    const erase = () => tenant.send("DELETE", first.user.path());
    expect((await withD1Fault("fails on write", erase)).status).toBe(503);
    expect(codeOf(await second.register())).toBe("201");
    await guardOf(first.user).deliver();
    const { results } = await env.DB.prepare(
      "SELECT identity_id FROM passkey_claims WHERE tenant_id = ?",
    )
      .bind(tenant.id)
      .all<{ identity_id: string }>();
    expect(results).toEqual([{ identity_id: second.user.id }]);
  });
});
