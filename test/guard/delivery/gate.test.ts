/** The delivery gate, asked by guards and refusal logs whose delivery failed. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { invalidateShard } from "../../../src/db/shards.ts";
import { Admissions, maxConcurrentDeliveries } from "../../../src/guard/delivery/admissions.ts";
import { Tenant, User } from "../../support/client.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import { passRequestDeadlines } from "../../support/deadlines.ts";
import { drainOutbox } from "../../support/delivered-trail.ts";
import {
  countUndelivered,
  evict,
  fireAlarm,
  guardOf,
  inspectGuard,
  readAlarm,
} from "../../support/guard.ts";
import { watchBatchesOf } from "../../support/next-batch.ts";
import { fireLogAlarm, readRefusalLog } from "../../support/refusal-log.ts";
import { relocateFully, relocateUpTo } from "../../support/relocation.ts";

/** The gate of the given database. */
const gateOf = (shard: number) => env.GATE.get(env.GATE.idFromName(String(shard)));
const others = Array.from({ length: maxConcurrentDeliveries }, (_, n) => ({
  id: `other ${n}`,
  tenantId: "other",
}));

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Stops the clock far ahead, where no earlier alarm or admission counts. */
let hoursAhead = 0;
function stopClock(): void {
  hoursAhead += 1;
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hoursAhead * 60 * 60 * 1000 });
}

function passTime(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

/** Takes every place of the gate while `work` runs. */
async function withFullGate(shard: number, work: () => Promise<void>): Promise<void> {
  for (const other of others) expect(await gateOf(shard).enter(other)).toBe(0);
  await work();
  for (const other of others) await gateOf(shard).leave(other, "failed");
}

/** Creates users of a tenant, whose outboxes are empty. */
async function createUsers(tenant: Tenant, count: number): Promise<User[]> {
  const users: User[] = [];
  for (let n = 0; n < count; n += 1) users.push(await User.withTotp(tenant));
  for (const user of users) await drainOutbox(user);
  stopClock();
  return users;
}

async function failOnce(user: User): Promise<void> {
  expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
}

async function failAlarm(user: User): Promise<void> {
  await withD1Fault("throws", async () => expect(await fireAlarm(user)).toBe(true));
}

async function createFailingUser(): Promise<User> {
  const [user] = await createUsers(await Tenant.create(), 1);
  if (user === undefined) throw new Error("There is no user");
  await failOnce(user);
  await failAlarm(user);
  return user;
}

async function readStored(user: User) {
  return await runInDurableObject(guardOf(user), (_guard, { storage }) => [...storage.kv.list()]);
}

/** Records the calls with which objects leave the gate. */
async function watchLeft() {
  return await runInDurableObject(gateOf(0), (gate) =>
    vi.spyOn(Object.getPrototypeOf(gate), "leave"),
  );
}

describe("A guard whose delivery failed", () => {
  it("does not ask D1 while the gate is full, also after an eviction, and delivers afterwards", async () => {
    const user = await createFailingUser();
    const countBatches = watchBatchesOf(user.tenant.id);
    await withFullGate(0, async () => {
      for (let n = 0; n < 3; n += 1) {
        await evict(user);
        expect(await fireAlarm(user)).toBe(true);
        expect(await readAlarm(user)).toBeLessThanOrEqual(Date.now() + 10 * (n + 1));
      }
      expect(countBatches()).toBe(0);
      expect(await countUndelivered(user)).toBe(1);
    });
    expect(await fireAlarm(user)).toBe(true);
    expect(countBatches()).toBe(1);
    expect(await countUndelivered(user)).toBe(0);
  });

  it("gives its place back, whether it delivered or failed", async () => {
    const user = await createFailingUser();
    for (let n = 0; n < maxConcurrentDeliveries; n += 1) await failAlarm(user);
    await withFullGate(0, async () => {});
    await fireAlarm(user);
    expect(await countUndelivered(user)).toBe(0);
    await withFullGate(0, async () => {});
  });

  it("asks the gate of its own database in its own name, also in an isolate that has not read where its tenant is", async () => {
    const tenant = await Tenant.create("live", { shard: 1 });
    const [user] = await createUsers(tenant, 1);
    if (user === undefined) throw new Error("There is no user");
    await failOnce(user);
    await failAlarm(user);
    invalidateShard(tenant.id);
    await withFullGate(0, async () => {
      const enter = vi.spyOn(Admissions.prototype, "enter");
      await fireAlarm(user);
      const deliverer = {
        id: guardOf(user).id.toString(),
        tenantId: tenant.id,
        failingSince: expect.any(Number),
      };
      expect(enter.mock.calls.map(([caller]) => caller)).toEqual([deliverer]);
      expect(await countUndelivered(user)).toBe(0);
    });
  });

  it.each([
    ["waits as after a failure", 0.5, 1],
    ["goes on in one of twenty cases", 0.04, 0],
  ])("%s when the gate does not answer", async (_what, random, rows) => {
    const user = await createFailingUser();
    await runInDurableObject(gateOf(0), (gate) => {
      vi.spyOn(Object.getPrototypeOf(gate), "enter").mockImplementation(() => {
        throw new Error("The gate is overloaded");
      });
    });
    vi.spyOn(Math, "random").mockReturnValue(random);
    await fireAlarm(user);
    expect(await countUndelivered(user)).toBe(rows);
    if (rows > 0) expect(await readAlarm(user)).toBe(Date.now() + 500);
  });

  it("gives back a place that it gets after it has stopped waiting", async () => {
    const user = await createFailingUser();
    let hasStopped = false;
    await runInDurableObject(gateOf(0), (gate) => {
      vi.spyOn(Object.getPrototypeOf(gate), "enter").mockImplementation(async () => {
        while (!hasStopped) await scheduler.wait(5);
        return 0;
      });
    });
    const left = await watchLeft();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    passRequestDeadlines();
    await fireAlarm(user);
    expect(await countUndelivered(user)).toBe(1);
    hasStopped = true;
    await vi.waitFor(() => expect(left).toHaveBeenCalledTimes(1), { timeout: 20_000 });
  });
});

describe("A guard that is erased while its alarm runs", () => {
  async function mockGate(enter: () => Promise<number>): Promise<void> {
    await runInDurableObject(gateOf(0), (gate) => {
      vi.spyOn(Object.getPrototypeOf(gate), "enter").mockImplementation(enter);
    });
  }

  it.each([
    ["the gate makes it wait", 1_000],
    ["the gate admits it", 0],
  ])("leaves nothing behind when %s", async (_what, waitMs) => {
    const user = await createFailingUser();
    await mockGate(async () => {
      expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
      return waitMs;
    });
    const left = await watchLeft();
    await fireAlarm(user);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    expect(await readStored(user)).toEqual([]);
    expect(left).toHaveBeenCalledTimes(waitMs === 0 ? 1 : 0);
  });

  it("leaves nothing behind when its own delivery fails afterwards", async () => {
    const [user] = await createUsers(await Tenant.create(), 1);
    if (user === undefined) throw new Error("There is no user");
    await failOnce(user);
    const database: { batch: (this: unknown, statements: unknown) => Promise<unknown> } =
      Object.getPrototypeOf(env.DB);
    const { batch } = database;
    let isErased = false;
    const send = vi.spyOn(database, "batch").mockImplementation(async () => {
      send.mockImplementation(async function (this: unknown, statements) {
        return await batch.call(this, statements);
      });
      while (!isErased) await scheduler.wait(5);
      throw new Error("D1 has failed");
    });
    const alarm = fireAlarm(user);
    await vi.waitFor(() => expect(send).toHaveBeenCalledTimes(1), { timeout: 20_000 });
    passTime(3_000);
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    isErased = true;
    await alarm;
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    expect(await readStored(user)).toEqual([]);
  });
});

describe("A refusal log whose delivery failed", () => {
  it("does not ask D1 while the gate is full, and delivers afterwards", async () => {
    const tenant = await Tenant.create();
    const narrow = await tenant.tokenWith(["idp:read"]);
    stopClock();
    await tenant.send("GET", "/v1/settings", undefined, narrow);
    await withD1Fault("throws", () => fireLogAlarm(tenant.id));
    await withFullGate(0, async () => {
      await fireLogAlarm(tenant.id);
      expect((await readRefusalLog(tenant.id)).undelivered).toBe(1);
    });
    await fireLogAlarm(tenant.id);
    expect((await readRefusalLog(tenant.id)).undelivered).toBe(0);
  });
});

describe("The guards of a moving tenant", () => {
  it("ask D1 once in ten seconds together, and deliver after the relocation", async () => {
    const tenant = await Tenant.create();
    const users = await createUsers(tenant, 4);
    await relocateUpTo(tenant, 1, "copying");
    for (const user of users) await failOnce(user);
    for (const user of users) await fireAlarm(user);
    const countBatches = watchBatchesOf(tenant.id);
    for (let n = 0; n < 3; n += 1) for (const user of users) await fireAlarm(user);
    expect(countBatches()).toBe(1);
    passTime(10_000);
    for (const user of users) await fireAlarm(user);
    expect(countBatches()).toBe(2);

    await relocateFully(tenant, 1);
    passTime(10_000);
    for (const user of users) expect(await readAlarm(user)).toBeLessThan(Date.now() + 60_000);
    for (const user of users) await fireAlarm(user);
    for (const user of users) expect(await countUndelivered(user)).toBe(0);
  });
});
