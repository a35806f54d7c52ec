/** Tests erasures while data is in transit: in the queue, or between two databases. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deleteExpired } from "../../src/housekeeping.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { databases } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { countUndelivered, fireAlarm, guardOf, inspectGuard } from "../support/guard.ts";
import { deliverMessages, holdMessages, useQueue } from "../support/queue.ts";
import { relocateFully, relocateUpTo } from "../support/relocation.ts";
import { findInStores } from "../support/stores.ts";

const dayMs = 24 * 60 * 60 * 1000;

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function erase(user: User): Promise<number> {
  return (await user.tenant.send("DELETE", user.path())).status;
}

/** The number of rows of the user in each database, with tombstones. */
async function countRows(user: User): Promise<number[]> {
  return await Promise.all(
    databases().map(async (database) => {
      const rows = await database
        .prepare(
          "SELECT (SELECT count(*) FROM identities WHERE id = ?1) + (SELECT count(*) FROM assessments WHERE identity_id = ?1) AS n",
        )
        .bind(user.id)
        .first<number>("n");
      return rows ?? 0;
    }),
  );
}

describe("A queued message about an erased person", () => {
  useQueue();

  it("restores no data, neither at once nor after the tombstone is deleted", async () => {
    const user = await User.withTotp(await Tenant.create(), "leaver-in-the-queue");
    await drainOutbox(user);
    // Alarms that are set by this clock are far ahead, so none fires by itself.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const held = holdMessages();
    await user.assess({ ip: "9.9.9.9", ua: "LeaverInTheQueue/1.0" });
    await fireAlarm(user);
    expect(held).toHaveLength(1);
    expect(JSON.stringify(held)).toContain("leaver-in-the-queue");

    expect(await erase(user)).toBe(204);
    expect(await deliverMessages(held)).toBe(0);
    expect(await findInStores(["leaver-in-the-queue", "LeaverInTheQueue/1.0"])).toEqual([]);
    expect(await countRows(user)).toEqual([1, 0, 0]);

    const later = Date.now() + dayMs + 1;
    vi.setSystemTime(later);
    await deleteExpired(env, later);
    expect(await countRows(user)).toEqual([0, 0, 0]);
    expect(await deliverMessages(held)).toBe(0);
    expect(await countRows(user)).toEqual([0, 0, 0]);
    expect(await findInStores(["leaver-in-the-queue", "LeaverInTheQueue/1.0"])).toEqual([]);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
  });
});

/** Keeps the first batch of an erasure from D1. @returns a function that makes D1 carry it out late */
function delayErasure(): () => Promise<unknown> {
  const database: { batch: (this: unknown, statements: unknown) => Promise<unknown> } =
    Object.getPrototypeOf(env.DB);
  const { batch } = database;
  let late: (() => Promise<unknown>) | undefined;
  vi.spyOn(database, "batch").mockImplementation(async function (this: unknown, statements) {
    if (late !== undefined || !JSON.stringify(statements).includes('"erased"')) {
      return await batch.call(this, statements);
    }
    late = () => batch.call(this, statements);
    throw new Error("The batch is still on its way");
  });
  return async () => await late?.();
}

/** What D1 has of the user in the given database. */
async function readIdentity(user: User, shard = 0) {
  const assessments = await databases()
    [shard]?.prepare("SELECT id, verdict FROM assessments WHERE identity_id = ? ORDER BY id")
    .bind(user.id)
    .all();
  const record = await databases()
    [shard]?.prepare("SELECT status, version, external_id FROM identities WHERE id = ?")
    .bind(user.id)
    .first();
  return { record, assessments: assessments?.results };
}

async function createUserWithSessions(tenant: Tenant, name: string, count: number): Promise<User> {
  const user = await User.withTotp(tenant, name);
  for (let n = 0; n < count; n += 1) {
    const { assessment_id: id } = await user.assess();
    await user.sendFeedback(id, "legitimate");
  }
  await drainOutbox(user);
  return user;
}

describe("An erasure that D1 carries out late", () => {
  it("changes nothing about the next user of the same name", async () => {
    const tenant = await Tenant.create();
    const user = await createUserWithSessions(tenant, "name-used-twice", 1);
    const carryOut = delayErasure();
    expect(await erase(user)).toBe(503);
    expect(await erase(user)).toBe(204);
    vi.restoreAllMocks();
    const next = await createUserWithSessions(tenant, "name-used-twice", 3);
    const before = await readIdentity(next);
    expect(before.assessments).toHaveLength(3);
    await carryOut();
    expect(await readIdentity(next)).toEqual(before);
  });

  it("changes nothing in a database to which the tenant has come back", async () => {
    const tenant = await Tenant.create("test", { shard: 1 });
    const user = await createUserWithSessions(tenant, "name-that-came-back", 1);
    await relocateUpTo(tenant, 2, "cleaning");
    const deletions: (() => Promise<unknown>)[] = [];
    const database: { batch: (this: unknown, statements: unknown) => Promise<unknown> } =
      Object.getPrototypeOf(env.DB);
    const { batch } = database;
    vi.spyOn(database, "batch").mockImplementation(async function (this: unknown, statements) {
      if (String(JSON.stringify(statements)).includes("'left'")) {
        deletions.push(() => batch.call(this, statements));
      }
      return await batch.call(this, statements);
    });
    expect(await erase(user)).toBe(204);
    vi.restoreAllMocks();
    await relocateFully(tenant, 2);
    const next = await createUserWithSessions(tenant, "name-that-came-back", 2);
    await relocateFully(tenant, 1);
    const before = await readIdentity(next, 1);
    expect(before.assessments).toHaveLength(2);
    expect(deletions).toHaveLength(1);
    for (const deletion of deletions) await deletion();
    expect(await readIdentity(next, 1)).toEqual(before);
    // The tenant begins to leave again, and returns.
    await relocateUpTo(tenant, 2, "switching");
    await databases()[1]
      .prepare("UPDATE tenant_fences SET state = 'left' WHERE tenant_id = ?")
      .bind(tenant.id)
      .run();
    for (const deletion of deletions) await deletion();
    expect(await readIdentity(next, 1)).toEqual(before);
  });
});

describe("A delivery that D1 carries out more than an hour after it was sent", () => {
  it("changes nothing, because no tombstone may be left", async () => {
    const user = await User.withTotp(await Tenant.create(), "delivered-too-late");
    await drainOutbox(user);
    const before = await readIdentity(user);
    const now = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: now - 61 * 60 * 1000 });
    await user.assess();
    await guardOf(user).deliver();
    expect(await readIdentity(user)).toEqual(before);
    vi.useRealTimers();
    await drainOutbox(user);
    expect((await readIdentity(user)).assessments).toHaveLength(1);
  });
});

describe("An event that waits in the guard", () => {
  it("has the address and the agent sealed, and the trail shows them", async () => {
    const user = await User.withTotp(await Tenant.create(), "waiting-in-the-guard");
    await drainOutbox(user);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const { assessment_id } = await user.assess({ ip: "9.9.9.9", ua: "WaitingInTheGuard/1.0" });
    const otp = { id: user.externalId, code: user.wrongCode(Date.now()), assessment_id };
    const context = { ip: "9.9.9.8", ua: "WaitingToo/1.0" };
    const answer = await user.tenant.send("POST", "/v1/idp/otp/verify", {
      otp: { ...otp, context },
    });
    expect(answer.status).toBe(422);
    expect(await countUndelivered(user)).toBe(2);
    const words = ["9.9.9.9", "WaitingInTheGuard/1.0", "9.9.9.8", "WaitingToo/1.0"];
    expect(await findInStores(words)).toEqual([]);
    await drainOutbox(user);
    expect(await findInStores(words)).toEqual([]);
    const events: readonly { readonly session: unknown }[] = await user.events();
    expect(JSON.stringify(events)).toContain("9.9.9.9");
    expect(JSON.stringify(events)).toContain("9.9.9.8");
  });
});

describe("A guard that cannot deliver an erasure", () => {
  it("deletes the person's data at once, also in its outbox", async () => {
    const user = await User.withTotp(await Tenant.create(), "leaver-while-d1-fails");
    await drainOutbox(user);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    await user.assess({ ip: "9.9.9.9", ua: "LeaverWhileD1Fails/1.0" });
    const words = ["leaver-while-d1-fails", "LeaverWhileD1Fails/1.0", "9.9.9.9", user.secret];
    expect(await withD1Fault("throws", () => erase(user))).toBe(503);
    expect(await countUndelivered(user)).toBe(2);
    const found = await findInStores(words);
    expect(found.filter((location) => location.startsWith("guards: "))).toEqual([]);

    expect(await erase(user)).toBe(204);
    expect(await findInStores(words)).toEqual([]);
    expect(await readTrail(user.tenant)).toEqual(
      expect.arrayContaining(["session.assessed success allow", "user.erased success"]),
    );
  });
});

describe("After the erasure of a person while the tenant moves", () => {
  async function createUserWithData(name: string): Promise<User> {
    const user = await User.withTotp(await Tenant.create("test", { shard: 1 }), name);
    await user.assess({ ip: "9.9.9.9", ua: `${name}/1.0` });
    await drainOutbox(user);
    return user;
  }

  it.each(["copying", "comparing", "switching", "opening"])(
    "no database has data when a relocation that was %s ends",
    async (phase) => {
      const name = `leaver-while-${phase}`;
      const user = await createUserWithData(name);
      await relocateUpTo(user.tenant, 2, phase);
      expect(await erase(user)).toBe(503);
      await relocateFully(user.tenant, 2);
      await fireAlarm(user);
      expect(await findInStores([name])).toEqual([]);
      expect(await countRows(user)).toEqual([0, 0, 1]);
      expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    },
  );

  it("the database that the tenant has just left has no data", async () => {
    const user = await createUserWithData("leaver-after-the-switch");
    await relocateUpTo(user.tenant, 2, "cleaning");
    expect(await erase(user)).toBe(204);
    expect(await findInStores(["leaver-after-the-switch"])).toEqual([]);
    expect(await countRows(user)).toEqual([0, 0, 1]);
  });

  it("no copy is left from a relocation that was cancelled", async () => {
    const user = await createUserWithData("leaver-called-off");
    await relocateUpTo(user.tenant, 2, "comparing");
    await relocateUpTo(user.tenant, 1, "cleaning");
    expect(await erase(user)).toBe(204);
    expect(await findInStores(["leaver-called-off"])).toEqual([]);
    expect(await countRows(user)).toEqual([0, 1, 0]);
  });
});
