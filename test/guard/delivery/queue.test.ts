/** Deliveries by way of the queue, which may lose, delay and double what it is given. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../../support/client.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import { drainOutbox, readTrail } from "../../support/delivered-trail.ts";
import { countOutboxRows, evict, fireAlarm, guardOf, readAlarm } from "../../support/guard.ts";
import { deliverMessages, holdMessages, refuseMessages } from "../../support/queue.ts";

const wait = { timeout: 20_000, interval: 20 };
const failure = "otp.verified failure invalid_code";
const begun = ["user.provisioned success", "otp.configured success"];

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Alarms set by this clock are far ahead: none fires by itself. */
function stopAlarms(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
}

async function newUser(tenant?: Tenant): Promise<User> {
  const user = await User.withTotp(tenant ?? (await Tenant.create()));
  await drainOutbox(user);
  return user;
}

async function fail(user: User): Promise<void> {
  expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
}

/** What the tenant's trail has of its identities. */
async function toldOf({ tenant }: User): Promise<string[]> {
  const told = await readTrail(tenant);
  return told.filter((event) => event.startsWith("user.") || event.startsWith("otp."));
}

/** The messages that the queue was given, once they are as many. */
async function heldOf(held: readonly unknown[], count: number): Promise<readonly unknown[]> {
  await vi.waitFor(() => expect(held.length).toBeGreaterThanOrEqual(count), wait);
  return held;
}

/** A user of whom one failure was given to the queue, which has not brought it yet. No alarm fires by itself. */
async function withOneHeld() {
  const user = await newUser();
  stopAlarms();
  const held = holdMessages();
  await fail(user);
  const [message] = await heldOf(held, 1);
  return { user, held, message };
}

/** Waits until the alarm has been set to an earlier time than it was. */
async function soonerThan(due: number | null, user: User): Promise<void> {
  await vi.waitFor(async () => expect(await readAlarm(user)).toBeLessThan(due ?? 0), wait);
}

/** The alarm is due within some seconds, and delivers all there is. */
async function expectSoonByAlarm(user: User): Promise<void> {
  expect(await readAlarm(user)).toBeLessThan(Date.now() + 10_001);
  expect(await fireAlarm(user)).toBe(true);
  expect(await countOutboxRows(user)).toBe(0);
}

describe("The queue", () => {
  it("brings what a guard recorded to D1, and the guard forgets it, without an alarm", async () => {
    const user = await newUser();
    stopAlarms();
    await fail(user);
    await vi.waitFor(async () => expect(await countOutboxRows(user)).toBe(0), wait);
    expect(await readAlarm(user)).toBeGreaterThan(Date.now());
    expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("is given nothing more before the first has arrived, and then all of the rest together", async () => {
    const { user, held, message: first } = await withOneHeld();
    for (let n = 0; n < 3; n += 1) await fail(user);
    expect(held).toHaveLength(1);
    expect(await deliverMessages([first])).toBe(0);
    expect(await countOutboxRows(user)).toBe(3);
    const [, rest] = await heldOf(held, 2);
    expect(await deliverMessages([rest])).toBe(0);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await toldOf(user)).toEqual([...begun, failure, failure, failure, failure]);
  });

  it("has D1 take a hundred deliveries of many tenants in one batch", async () => {
    stopAlarms();
    const first = await Tenant.create();
    const others = await Promise.all([1, 2, 3].map(() => Tenant.create()));
    const tenants = [first, ...others];
    const users = await Promise.all(
      Array.from({ length: 100 }, (_, n) => User.withTotp(tenants[n % 4] ?? first, `user ${n}`)),
    );
    const held = holdMessages();
    await Promise.all(users.map(fail));
    await heldOf(held, users.length);
    const batches = vi.spyOn(Object.getPrototypeOf(env.DB), "batch");
    expect(await deliverMessages(held)).toBe(0);
    expect(batches).toHaveBeenCalledTimes(1);
    for (const user of users) expect(await countOutboxRows(user)).toBe(0);
    for (const tenant of tenants) {
      const told = await tenant.send("GET", "/v1/audit/events?action=otp.verified&limit=100");
      expect(told.body.events).toHaveLength(25);
    }
  });

  it("may bring a message twice, at once and again later", async () => {
    const { user, message } = await withOneHeld();
    expect(await deliverMessages([message, message])).toBe(0);
    expect(await deliverMessages([message])).toBe(0);
    expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("that brings something late takes nothing away that was recorded since", async () => {
    const { user, message } = await withOneHeld();
    await fireAlarm(user);
    expect(await countOutboxRows(user)).toBe(0);
    await withD1Fault("throws", () => fail(user));
    expect(await deliverMessages([message])).toBe(0);
    expect(await countOutboxRows(user)).toBe(1);
    await fireAlarm(user);
    expect(await toldOf(user)).toEqual([...begun, failure, failure]);
  });

  it("that brings an older delivery after a newer one leaves the record as the newer has it", async () => {
    const { user, message: older } = await withOneHeld();
    await fail(user);
    await fireAlarm(user);
    expect(await deliverMessages([older])).toBe(0);
    const record = await env.DB.prepare("SELECT state FROM identities WHERE id = ?")
      .bind(user.id)
      .first<{ state: string }>();
    expect(JSON.parse(record?.state ?? "{}")).toMatchObject({ lockout: { failedAttempts: 2 } });
  });

  it("that loses a message costs time: the alarm delivers what was in it", async () => {
    const user = await newUser();
    stopAlarms();
    const held = holdMessages();
    await fail(user);
    await heldOf(held, 1);
    expect(await countOutboxRows(user)).toBe(1);
    await expectSoonByAlarm(user);
    expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("that loses a message is given it again, with what came since, after the alarm has delivered", async () => {
    const user = await newUser();
    stopAlarms();
    const held = holdMessages();
    await fail(user);
    await heldOf(held, 1);
    await fail(user);
    await fireAlarm(user);
    await fail(user);
    const [, next] = await heldOf(held, 2);
    expect(await deliverMessages([next])).toBe(0);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await toldOf(user)).toEqual([...begun, failure, failure, failure]);
  });

  it("that is closed is passed by, at once", async () => {
    const user = await newUser();
    stopAlarms();
    refuseMessages();
    await fail(user);
    await soonerThan(await readAlarm(user), user);
    await fireAlarm(user);
    expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("that is not there is not missed: the alarm comes soon", async () => {
    const user = await newUser();
    stopAlarms();
    const guards: unknown = await runInDurableObject(guardOf(user), (guard) =>
      Reflect.get(guard, "env"),
    );
    const queue = Reflect.get(Object(guards), "DELIVERIES");
    Reflect.deleteProperty(Object(guards), "DELIVERIES");
    try {
      await fail(user);
      expect(await readAlarm(user)).toBeLessThan(Date.now() + 5_000);
      await fireAlarm(user);
    } finally {
      Reflect.set(Object(guards), "DELIVERIES", queue);
    }
    expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("is not given what is larger than its messages may be", async () => {
    const { user, held, message } = await withOneHeld();
    const agent = "x".repeat(1_000);
    await Promise.all(
      Array.from({ length: 49 }, (_, n) => user.assess({ ip: `9.9.9.${n}`, ua: `${agent} ${n}` })),
    );
    const due = await readAlarm(user);
    expect(await deliverMessages([message])).toBe(0);
    await soonerThan(due, user);
    expect(held).toHaveLength(1);
    await fireAlarm(user);
    expect(await countOutboxRows(user)).toBe(0);
  });

  it("loses nothing with a guard that is evicted before it sends, or before it is told", async () => {
    const user = await newUser();
    stopAlarms();
    const held = holdMessages();
    await fail(user);
    await evict(user);
    await fail(user);
    await heldOf(held, 1);
    await evict(user);
    await expectSoonByAlarm(user);
    expect(await toldOf(user)).toEqual([...begun, failure, failure]);
  });
});

describe("What the queue brings", () => {
  it("is to be brought again while D1 fails, and waits in the guard", async () => {
    const { user, message } = await withOneHeld();
    expect(await withD1Fault("throws", () => deliverMessages([message]))).toBe(1);
    expect(await countOutboxRows(user)).toBe(1);
    expect(await withD1Fault("loses the reply", () => deliverMessages([message]))).toBe(1);
    expect(await deliverMessages([message])).toBe(0);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("of one tenant does not hold up another's", async () => {
    const [user, other] = await Promise.all([newUser(), newUser()]);
    stopAlarms();
    const held = holdMessages();
    await Promise.all([fail(user), fail(other)]);
    await heldOf(held, 2);
    await env.DB.prepare(
      `CREATE TRIGGER refused BEFORE INSERT ON audit_events WHEN NEW.tenant_id = '${user.tenant.id}'
        BEGIN SELECT RAISE(ABORT, 'refused'); END`,
    ).run();
    expect(await deliverMessages(held)).toBe(1);
    expect([await countOutboxRows(user), await countOutboxRows(other)]).toEqual([1, 0]);
    await env.DB.prepare("DROP TRIGGER refused").run();
    await fireAlarm(user);
    for (const each of [user, other]) expect(await toldOf(each)).toEqual([...begun, failure]);
  });

  it("is not tried tenant by tenant at a D1 that does not answer", async () => {
    const users = await Promise.all([newUser(), newUser(), newUser()]);
    stopAlarms();
    const held = holdMessages();
    await Promise.all(users.map(fail));
    await heldOf(held, users.length);
    const tried = await withD1Fault("hangs on batches only", async () => {
      const lines = vi.spyOn(console, "error").mockImplementation(() => {});
      expect(await deliverMessages(held)).toBe(users.length);
      return lines.mock.calls.filter(([line]) => String(line).includes("deliveries_not_filed"));
    });
    expect(tried).toHaveLength(1);
    expect(await deliverMessages(held)).toBe(0);
    for (const user of users) expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("is filed in the databases of its tenants, one batch each", async () => {
    const tenants = await Promise.all(
      [0, 1, 1, 2].map((shard) => Tenant.create("test", { shard })),
    );
    const users = await Promise.all(tenants.map((tenant) => newUser(tenant)));
    stopAlarms();
    const held = holdMessages();
    await Promise.all(users.map(fail));
    await heldOf(held, users.length);
    const batches = vi.spyOn(Object.getPrototypeOf(env.DB), "batch");
    expect(await deliverMessages(held)).toBe(0);
    expect(batches).toHaveBeenCalledTimes(3);
    for (const user of users) expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("too late, or from another build, is left to the guard", async () => {
    const { user, message } = await withOneHeld();
    vi.setSystemTime(Date.now() + 60_000);
    const others = [message, { ...Object(message), format: 1 }, {}, null, "text"];
    expect(await deliverMessages(others)).toBe(0);
    expect(await countOutboxRows(user)).toBe(1);
    expect(await toldOf(user)).toEqual(begun);
    await fireAlarm(user);
    expect(await toldOf(user)).toEqual([...begun, failure]);
  });

  it("of somebody who was erased meanwhile brings nobody back", async () => {
    const user = await newUser();
    stopAlarms();
    const held = holdMessages();
    await user.assess({ ip: "9.9.9.9" });
    const [message] = await heldOf(held, 1);
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    expect(await deliverMessages([message])).toBe(0);
    expect((await user.tenant.send("GET", user.path())).status).toBe(404);
    const left = await env.DB.prepare(
      "SELECT (SELECT count(*) FROM assessments WHERE tenant_id = ?1) AS sessions, (SELECT external_id FROM identities WHERE id = ?2) AS name",
    )
      .bind(user.tenant.id, user.id)
      .first();
    expect(left).toEqual({ sessions: 0, name: null });
  });
});
