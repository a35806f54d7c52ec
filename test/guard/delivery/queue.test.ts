/** Deliveries through the queue, which may lose, delay and repeat messages. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../../support/client.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import { drainOutbox, readTrail } from "../../support/delivered-trail.ts";
import { countOutboxRows, evict, fireAlarm, guardOf, readAlarm } from "../../support/guard.ts";
import { deliverMessages, holdMessages, refuseMessages } from "../../support/queue.ts";

const waitOptions = { timeout: 20_000, interval: 20 };
const failedAttempt = "otp.verified failure invalid_code";
const initialEvents = ["user.provisioned success", "otp.configured success"];

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Moves the clock ahead, so that alarms set from now on do not fire by themselves. */
function stopAlarms(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
}

async function createUser(tenant?: Tenant): Promise<User> {
  const user = await User.withTotp(tenant ?? (await Tenant.create()));
  await drainOutbox(user);
  return user;
}

async function failOnce(user: User): Promise<void> {
  expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
}

/** The events about identities in the tenant's trail. */
async function identityEventsOf({ tenant }: User): Promise<string[]> {
  const events = await readTrail(tenant);
  return events.filter((event) => event.startsWith("user.") || event.startsWith("otp."));
}

/** Waits until the queue holds this many messages, and returns them. */
async function waitForHeld(held: readonly unknown[], count: number): Promise<readonly unknown[]> {
  await vi.waitFor(() => expect(held.length).toBeGreaterThanOrEqual(count), waitOptions);
  return held;
}

/** Creates a user with one failed attempt that the queue holds back. No alarm fires by itself. */
async function holdOneFailure() {
  const user = await createUser();
  stopAlarms();
  const held = holdMessages();
  await failOnce(user);
  const [message] = await waitForHeld(held, 1);
  return { user, held, message };
}

/** Waits until the alarm is set to an earlier time. */
async function waitForAlarmBefore(due: number | null, user: User): Promise<void> {
  await vi.waitFor(async () => expect(await readAlarm(user)).toBeLessThan(due ?? 0), waitOptions);
}

/** Checks that the alarm is due within seconds and delivers the whole outbox. */
async function expectDeliveryByAlarm(user: User): Promise<void> {
  expect(await readAlarm(user)).toBeLessThan(Date.now() + 10_001);
  expect(await fireAlarm(user)).toBe(true);
  expect(await countOutboxRows(user)).toBe(0);
}

describe("The queue", () => {
  it("delivers a guard's outbox to D1 and empties it, without an alarm", async () => {
    const user = await createUser();
    stopAlarms();
    await failOnce(user);
    await vi.waitFor(async () => expect(await countOutboxRows(user)).toBe(0), waitOptions);
    expect(await readAlarm(user)).toBeGreaterThan(Date.now());
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("gets no second message before the first is confirmed, and then gets all the rest together", async () => {
    const { user, held, message: first } = await holdOneFailure();
    for (let n = 0; n < 3; n += 1) await failOnce(user);
    expect(held).toHaveLength(1);
    expect(await deliverMessages([first])).toBe(0);
    expect(await countOutboxRows(user)).toBe(3);
    const [, rest] = await waitForHeld(held, 2);
    expect(await deliverMessages([rest])).toBe(0);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await identityEventsOf(user)).toEqual([
      ...initialEvents,
      failedAttempt,
      failedAttempt,
      failedAttempt,
      failedAttempt,
    ]);
  });

  it("files a hundred deliveries of many tenants in one D1 batch", async () => {
    stopAlarms();
    const first = await Tenant.create();
    const others = await Promise.all([1, 2, 3].map(() => Tenant.create()));
    const tenants = [first, ...others];
    const users = await Promise.all(
      Array.from({ length: 100 }, (_, n) => User.withTotp(tenants[n % 4] ?? first, `user ${n}`)),
    );
    const held = holdMessages();
    await Promise.all(users.map(failOnce));
    await waitForHeld(held, users.length);
    const batches = vi.spyOn(Object.getPrototypeOf(env.DB), "batch");
    expect(await deliverMessages(held)).toBe(0);
    expect(batches).toHaveBeenCalledTimes(1);
    for (const user of users) expect(await countOutboxRows(user)).toBe(0);
    for (const tenant of tenants) {
      const listed = await tenant.send("GET", "/v1/audit/events?action=otp.verified&limit=100");
      expect(listed.body.events).toHaveLength(25);
    }
  });

  it("may deliver a message more than once, together or later", async () => {
    const { user, message } = await holdOneFailure();
    expect(await deliverMessages([message, message])).toBe(0);
    expect(await deliverMessages([message])).toBe(0);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("does not delete later entries from the outbox when a message arrives late", async () => {
    const { user, message } = await holdOneFailure();
    await fireAlarm(user);
    expect(await countOutboxRows(user)).toBe(0);
    await withD1Fault("throws", () => failOnce(user));
    expect(await deliverMessages([message])).toBe(0);
    expect(await countOutboxRows(user)).toBe(1);
    await fireAlarm(user);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt, failedAttempt]);
  });

  it("does not overwrite the record of a newer delivery with an older one", async () => {
    const { user, message: older } = await holdOneFailure();
    await failOnce(user);
    await fireAlarm(user);
    expect(await deliverMessages([older])).toBe(0);
    const record = await env.DB.prepare("SELECT state FROM identities WHERE id = ?")
      .bind(user.id)
      .first<{ state: string }>();
    expect(JSON.parse(record?.state ?? "{}")).toMatchObject({ lockout: { failedAttempts: 2 } });
  });

  it("may lose a message: the alarm delivers its content later", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    await failOnce(user);
    await waitForHeld(held, 1);
    expect(await countOutboxRows(user)).toBe(1);
    await expectDeliveryByAlarm(user);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("gets messages again after it lost one and the alarm delivered the outbox", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    await failOnce(user);
    await waitForHeld(held, 1);
    await failOnce(user);
    await fireAlarm(user);
    await failOnce(user);
    const [, next] = await waitForHeld(held, 2);
    expect(await deliverMessages([next])).toBe(0);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await identityEventsOf(user)).toEqual([
      ...initialEvents,
      failedAttempt,
      failedAttempt,
      failedAttempt,
    ]);
  });

  it("is bypassed at once when it refuses messages", async () => {
    const user = await createUser();
    stopAlarms();
    refuseMessages();
    await failOnce(user);
    await waitForAlarmBefore(await readAlarm(user), user);
    await fireAlarm(user);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("may be missing: the alarm then delivers soon", async () => {
    const user = await createUser();
    stopAlarms();
    const guards: unknown = await runInDurableObject(guardOf(user), (guard) =>
      Reflect.get(guard, "env"),
    );
    const queue = Reflect.get(Object(guards), "DELIVERIES");
    Reflect.deleteProperty(Object(guards), "DELIVERIES");
    try {
      await failOnce(user);
      expect(await readAlarm(user)).toBeLessThan(Date.now() + 5_000);
      await fireAlarm(user);
    } finally {
      Reflect.set(Object(guards), "DELIVERIES", queue);
    }
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("does not get a delivery that is larger than its messages may be", async () => {
    const { user, held, message } = await holdOneFailure();
    const agent = "x".repeat(1_000);
    await Promise.all(
      Array.from({ length: 49 }, (_, n) => user.assess({ ip: `9.9.9.${n}`, ua: `${agent} ${n}` })),
    );
    const due = await readAlarm(user);
    expect(await deliverMessages([message])).toBe(0);
    await waitForAlarmBefore(due, user);
    expect(held).toHaveLength(1);
    await fireAlarm(user);
    expect(await countOutboxRows(user)).toBe(0);
  });

  it("loses nothing when the guard is evicted before it sends or before the delivery is confirmed", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    await failOnce(user);
    await evict(user);
    await failOnce(user);
    await waitForHeld(held, 1);
    await evict(user);
    await expectDeliveryByAlarm(user);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt, failedAttempt]);
  });
});

describe("A delivery from the queue", () => {
  it("is retried while D1 fails, and stays in the outbox", async () => {
    const { user, message } = await holdOneFailure();
    expect(await withD1Fault("throws", () => deliverMessages([message]))).toBe(1);
    expect(await countOutboxRows(user)).toBe(1);
    expect(await withD1Fault("loses the reply", () => deliverMessages([message]))).toBe(1);
    expect(await deliverMessages([message])).toBe(0);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("does not block another tenant's delivery when it fails", async () => {
    const [user, other] = await Promise.all([createUser(), createUser()]);
    stopAlarms();
    const held = holdMessages();
    await Promise.all([failOnce(user), failOnce(other)]);
    await waitForHeld(held, 2);
    await env.DB.prepare(
      `CREATE TRIGGER refused BEFORE INSERT ON audit_events WHEN NEW.tenant_id = '${user.tenant.id}'
        BEGIN SELECT RAISE(ABORT, 'refused'); END`,
    ).run();
    expect(await deliverMessages(held)).toBe(1);
    expect([await countOutboxRows(user), await countOutboxRows(other)]).toEqual([1, 0]);
    await env.DB.prepare("DROP TRIGGER refused").run();
    await fireAlarm(user);
    for (const each of [user, other])
      expect(await identityEventsOf(each)).toEqual([...initialEvents, failedAttempt]);
  });

  it("is not retried tenant by tenant when D1 does not answer", async () => {
    const users = await Promise.all([createUser(), createUser(), createUser()]);
    stopAlarms();
    const held = holdMessages();
    await Promise.all(users.map(failOnce));
    await waitForHeld(held, users.length);
    const failures = await withD1Fault("hangs on batches only", async () => {
      const lines = vi.spyOn(console, "error").mockImplementation(() => {});
      expect(await deliverMessages(held)).toBe(users.length);
      return lines.mock.calls.filter(([line]) => String(line).includes("deliveries_not_filed"));
    });
    expect(failures).toHaveLength(1);
    expect(await deliverMessages(held)).toBe(0);
    for (const user of users)
      expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("is filed in its tenant's database, with one batch per database", async () => {
    const tenants = await Promise.all(
      [0, 1, 1, 2].map((shard) => Tenant.create("test", { shard })),
    );
    const users = await Promise.all(tenants.map((tenant) => createUser(tenant)));
    stopAlarms();
    const held = holdMessages();
    await Promise.all(users.map(failOnce));
    await waitForHeld(held, users.length);
    const batches = vi.spyOn(Object.getPrototypeOf(env.DB), "batch");
    expect(await deliverMessages(held)).toBe(0);
    expect(batches).toHaveBeenCalledTimes(3);
    for (const user of users)
      expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("is left to the guard when it is too late or comes from another build", async () => {
    const { user, message } = await holdOneFailure();
    vi.setSystemTime(Date.now() + 60_000);
    const others = [message, { ...Object(message), format: 1 }, {}, null, "text"];
    expect(await deliverMessages(others)).toBe(0);
    expect(await countOutboxRows(user)).toBe(1);
    expect(await identityEventsOf(user)).toEqual(initialEvents);
    await fireAlarm(user);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("does not restore a user who was erased meanwhile", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    await user.assess({ ip: "9.9.9.9" });
    const [message] = await waitForHeld(held, 1);
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    expect(await deliverMessages([message])).toBe(0);
    expect((await user.tenant.send("GET", user.path())).status).toBe(404);
    const stored = await env.DB.prepare(
      "SELECT (SELECT count(*) FROM assessments WHERE tenant_id = ?1) AS sessions, (SELECT external_id FROM identities WHERE id = ?2) AS name",
    )
      .bind(user.tenant.id, user.id)
      .first();
    expect(stored).toEqual({ sessions: 0, name: null });
  });
});
