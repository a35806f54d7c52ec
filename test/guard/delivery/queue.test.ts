/** Deliveries through the queue, which may delay, repeat and reorder messages. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../../support/client.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import { drainOutbox, readTrail } from "../../support/delivered-trail.ts";
import { countUndelivered, evict, fireAlarm, loseStorage, readAlarm } from "../../support/guard.ts";
import { watchBatchesOf } from "../../support/next-batch.ts";
import { deliverMessages, holdMessages, refuseMessages, useQueue } from "../../support/queue.ts";
import { sql } from "../../support/trail.ts";

useQueue();

const waitOptions = { timeout: 20_000, interval: 20 };
const hourMs = 60 * 60 * 1000;
const failedAttempt = "otp.verified failure invalid_code";
const initialEvents = ["user.provisioned success", "otp.configured success"];

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Moves the clock ahead, so that alarms set from now on do not fire by themselves. */
function stopAlarms(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hourMs });
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

/** Creates a user with one failed attempt that the queue holds. No alarm fires by itself. */
async function holdOneFailure() {
  const user = await createUser();
  stopAlarms();
  const held = holdMessages();
  await failOnce(user);
  expect(await fireAlarm(user)).toBe(true);
  const [message] = held;
  expect(held).toHaveLength(1);
  return { user, held, message };
}

async function readRecord({ id }: User): Promise<unknown> {
  const record = await env.DB.prepare("SELECT state FROM identities WHERE id = ?")
    .bind(id)
    .first<{ state: string }>();
  return JSON.parse(record?.state ?? "null");
}

const failures = (count: number) => Array(count).fill(failedAttempt);

describe("The queue", () => {
  it("gets what the alarm finds, and delivers it to D1", async () => {
    const user = await createUser();
    await failOnce(user);
    await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), waitOptions);
    expect(await readAlarm(user)).toBeNull();
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("gets each event once, also if it has delivered none yet, and no second alarm is set", async () => {
    const { user, held } = await holdOneFailure();
    expect(await readAlarm(user)).toBeNull();
    for (let n = 0; n < 3; n += 1) await failOnce(user);
    await fireAlarm(user);
    expect(held).toHaveLength(2);
    expect(await deliverMessages(held)).toBe(0);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, ...failures(4)]);
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
    await Promise.all(users.map(fireAlarm));
    expect(held).toHaveLength(users.length);
    const countBatches = watchBatchesOf(...tenants.map(({ id }) => id));
    expect(await deliverMessages(held)).toBe(0);
    expect(countBatches()).toBe(1);
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

  it("may deliver messages in the wrong order: D1 keeps the newer record and files all else", async () => {
    const { user, held, message: older } = await holdOneFailure();
    const { assessment_id: first } = await user.assess({ ip: "9.9.9.9" });
    await fireAlarm(user);
    const { assessment_id: second } = await user.assess({ ip: "9.9.9.9" });
    await failOnce(user);
    await fireAlarm(user);
    const [, middle, newest] = held;
    for (const message of [newest, middle, older, newest]) {
      expect(await deliverMessages([message])).toBe(0);
    }
    expect(await readRecord(user)).toMatchObject({ lockout: { failedAttempts: 2 } });
    expect((await identityEventsOf(user)).toSorted()).toEqual(
      [...initialEvents, ...failures(2)].toSorted(),
    );
    const listed = await user.tenant.send("GET", "/v1/sentinel/assessments");
    expect(listed.body.assessments).toHaveLength(2);
    expect(JSON.stringify(listed.body)).toContain(first);
    expect(JSON.stringify(listed.body)).toContain(second);
  });

  it("may deliver verdicts in the wrong order: the later one stays", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    const { assessment_id: id } = await user.assess({ ip: "9.9.9.9" });
    await fireAlarm(user);
    await withD1Fault("throws", () => user.sendFeedback(id, "fraud"));
    await fireAlarm(user);
    vi.setSystemTime(Date.now() + 1_000);
    await withD1Fault("throws", () => user.sendFeedback(id, "legitimate"));
    await fireAlarm(user);
    const [assessed, fraud, legitimate] = held;
    for (const message of [assessed, legitimate, fraud]) {
      expect(await deliverMessages([message])).toBe(0);
    }
    const listed = await user.tenant.send("GET", "/v1/sentinel/assessments");
    expect(listed.body.assessments).toMatchObject([{ assessment_id: id, outcome: "legitimate" }]);
  });

  it("is bypassed at once when it refuses messages", async () => {
    const user = await createUser();
    stopAlarms();
    refuseMessages();
    await failOnce(user);
    await fireAlarm(user);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("does not get a delivery that is larger than its messages may be", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    const agent = "x".repeat(1_000);
    await Promise.all(
      Array.from({ length: 49 }, (_, n) => user.assess({ ip: `9.9.9.${n}`, ua: `${agent} ${n}` })),
    );
    await fireAlarm(user);
    expect(held).toHaveLength(0);
    expect(await countUndelivered(user)).toBe(0);
  });

  it("gets no event again that it has accepted, except when the guard restarts", async () => {
    const { user, held } = await holdOneFailure();
    await failOnce(user);
    await fireAlarm(user);
    await evict(user);
    await failOnce(user);
    await fireAlarm(user);
    const eventsIn = (message: unknown) => Object(message).delivery.events.length;
    expect(held.map(eventsIn)).toEqual([1, 1, 2]);
    expect(await deliverMessages(held)).toBe(0);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, ...failures(3)]);
  });

  it("loses nothing when the guard is evicted before the alarm", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    await failOnce(user);
    await evict(user);
    await failOnce(user);
    await evict(user);
    await fireAlarm(user);
    expect(await deliverMessages(held)).toBe(0);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, ...failures(2)]);
  });
});

describe("A delivery from the queue", () => {
  it("is retried while D1 fails", async () => {
    const { user, message } = await holdOneFailure();
    expect(await withD1Fault("throws", () => deliverMessages([message]))).toBe(1);
    expect(await withD1Fault("loses the reply", () => deliverMessages([message]))).toBe(1);
    expect(await deliverMessages([message])).toBe(0);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("does not block another tenant's delivery when it fails", async () => {
    const [user, other] = await Promise.all([createUser(), createUser()]);
    stopAlarms();
    const held = holdMessages();
    for (const each of [user, other]) {
      await failOnce(each);
      await fireAlarm(each);
    }
    await env.DB.prepare(
      `CREATE TRIGGER refused BEFORE INSERT ON audit_events WHEN NEW.tenant_id = '${user.tenant.id}'
        BEGIN SELECT RAISE(ABORT, 'refused'); END`,
    ).run();
    expect(await deliverMessages(held)).toBe(1);
    expect([await countUndelivered(user), await countUndelivered(other)]).toEqual([1, 0]);
    await env.DB.prepare("DROP TRIGGER refused").run();
    expect(await deliverMessages(held)).toBe(0);
    for (const each of [user, other])
      expect(await identityEventsOf(each)).toEqual([...initialEvents, failedAttempt]);
  });

  it("is not retried tenant by tenant when D1 does not answer", async () => {
    const users = await Promise.all([createUser(), createUser(), createUser()]);
    stopAlarms();
    const held = holdMessages();
    await Promise.all(users.map(failOnce));
    await Promise.all(users.map(fireAlarm));
    const failed = await withD1Fault("hangs on batches only", async () => {
      const lines = vi.spyOn(console, "error").mockImplementation(() => {});
      expect(await deliverMessages(held)).toBe(users.length);
      return lines.mock.calls.filter(([line]) => String(line).includes("deliveries_not_filed"));
    });
    expect(failed).toHaveLength(1);
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
    await Promise.all(users.map(fireAlarm));
    const countBatches = watchBatchesOf(...tenants.map(({ id }) => id));
    expect(await deliverMessages(held)).toBe(0);
    expect(countBatches()).toBe(3);
    for (const user of users)
      expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("of an older build is left to its guard, which still has it; an unreadable one is kept", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { user, message } = await holdOneFailure();
    const older = [1, 2].map((format) => ({ ...Object(message), format }));
    expect(await deliverMessages(older)).toBe(0);
    expect(await identityEventsOf(user)).toEqual(initialEvents);
    const unreadable = [{ ...Object(message), format: 4 }, {}, null, "text"];
    expect(await deliverMessages(unreadable)).toBe(unreadable.length);
    expect(await identityEventsOf(user)).toEqual(initialEvents);
  });

  it("does not restore a user who was erased meanwhile", async () => {
    const user = await createUser();
    stopAlarms();
    const held = holdMessages();
    await user.assess({ ip: "9.9.9.9" });
    await fireAlarm(user);
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    expect(await deliverMessages(held)).toBe(0);
    const readStored = async () =>
      await env.DB.prepare(
        "SELECT (SELECT count(*) FROM assessments WHERE tenant_id = ?1) AS sessions, (SELECT external_id FROM identities WHERE id = ?2) AS name",
      )
        .bind(user.tenant.id, user.id)
        .first();
    expect(await readStored()).toEqual({ sessions: 0, name: null });
    // A day later, nothing in D1 shows any more that the user existed.
    await sql("DELETE FROM identities WHERE tenant_id = ?", user.tenant.id);
    vi.setSystemTime(Date.now() + 24 * hourMs);
    expect(await deliverMessages(held)).toBe(0);
    expect(await readStored()).toEqual({ sessions: 0, name: null });
    expect((await user.tenant.send("GET", user.path())).status).toBe(404);
    expect(await identityEventsOf(user)).toContain("user.erased success");
  });

  it("that is a day late is filed, and the guard delivers the record itself if D1 has none", async () => {
    const tenant = await Tenant.create();
    stopAlarms();
    const held = holdMessages();
    const user = await withD1Fault("fails on batches only", () => User.provision(tenant));
    await fireAlarm(user);
    expect(held).toHaveLength(1);
    vi.setSystemTime(Date.now() + 24 * hourMs);
    expect(await deliverMessages(held)).toBe(0);
    expect(await identityEventsOf(user)).toEqual(["user.provisioned success"]);
    await loseStorage(user);
    expect((await user.tenant.send("GET", user.path())).status).toBe(200);
  });

  it("of a tenant that was deleted meanwhile is discarded", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { user, message } = await holdOneFailure();
    await sql(
      "INSERT INTO tenant_fences (tenant_id, state, move) VALUES (?, 'deleted', 'a')",
      user.tenant.id,
    );
    expect(await deliverMessages([message])).toBe(0);
  });
});

describe("The dead-letter queue", () => {
  it("gets a message that the queue could not deliver, and files it when D1 works again", async () => {
    const user = await createUser();
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
    await withD1Fault("fails on batches only", async () => {
      await failOnce(user);
      const isDead = () => expect(lines.join()).toContain("deliveries_dead_lettered");
      await vi.waitFor(isDead, waitOptions);
    });
    await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), waitOptions);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
  });

  it("gets what D1 does not accept for long, says so loudly, and files it once D1 does", async () => {
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
    const { user, message } = await holdOneFailure();
    const deliverDead = () => deliverMessages([message], "edge-idp-deliveries-dead");
    expect(await withD1Fault("throws", deliverDead)).toBe(1);
    expect(lines.join()).toContain("deliveries_dead_lettered");
    vi.setSystemTime(Date.now() + 3 * 24 * hourMs);
    expect(await deliverDead()).toBe(0);
    expect(await deliverDead()).toBe(0);
    expect(await identityEventsOf(user)).toEqual([...initialEvents, failedAttempt]);
    expect(await readRecord(user)).toMatchObject({ lockout: { failedAttempts: 1 } });
  });
});
