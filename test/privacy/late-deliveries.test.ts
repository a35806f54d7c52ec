/** Tests erasures while data is in transit: in the queue, or between two databases. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deleteExpired } from "../../src/housekeeping.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { databases } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { fireAlarm, inspectGuard } from "../support/guard.ts";
import { deliverMessages, holdMessages } from "../support/queue.ts";
import { relocateFully, relocateUpTo } from "../support/relocation.ts";
import { findInStores } from "../support/stores.ts";

const dayMs = 24 * 60 * 60 * 1000;
const wait = { timeout: 20_000, interval: 20 };

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
  it("restores no data, neither at once nor after the tombstone is deleted", async () => {
    const user = await User.withTotp(await Tenant.create(), "leaver-in-the-queue");
    await drainOutbox(user);
    // Alarms that are set by this clock are far ahead, so none fires by itself.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const held = holdMessages();
    await user.assess({ ip: "9.9.9.9", ua: "LeaverInTheQueue/1.0" });
    await vi.waitFor(() => expect(held).toHaveLength(1), wait);
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

describe("A guard that cannot deliver an erasure", () => {
  it("deletes the person's data at once, also in its outbox", async () => {
    const user = await User.withTotp(await Tenant.create(), "leaver-while-d1-fails");
    await drainOutbox(user);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    holdMessages();
    await user.assess({ ip: "9.9.9.9", ua: "LeaverWhileD1Fails/1.0" });
    const words = ["leaver-while-d1-fails", "LeaverWhileD1Fails/1.0", "9.9.9.9", user.secret];
    expect(await withD1Fault("throws", () => erase(user))).toBe(503);
    const { tables } = await inspectGuard(user);
    expect(tables).toContain("outbox");
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
