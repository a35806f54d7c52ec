/** The alarm by which a guard delivers, while D1 fails for longer than the platform would try. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { countOutboxRows, evict, fireAlarm, readAlarm } from "../support/guard.ts";
import {
  evictLog,
  fireLogAlarm,
  readRefusalEvents,
  readRefusalLog,
  sumOf,
} from "../support/refusal-log.ts";

/** The platform itself tries a failed alarm six times and no more. */
const failures = 10;
/** What is waited after each of them, in seconds. */
const everMoreRarely = [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60];
const hour = 60 * 60 * 1000;

/** A clock far ahead: no alarm fires by itself, each is fired by the test. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hour });
}

afterEach(() => {
  vi.useRealTimers();
});

/** A user of whom four failures, and nothing else, wait for delivery. */
async function withFourWaiting() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await drainOutbox(user);
  stopClock();
  const told = await readTrail(tenant);
  const wrong = user.wrongCode(Date.now());
  for (let attempt = 0; attempt < 4; attempt += 1) await user.verify(wrong);
  expect(await countOutboxRows(user)).toBe(4);
  return { tenant, user, told };
}

const fourFailures = Array(4).fill("otp.verified failure invalid_code");

describe("A guard whose delivery fails", () => {
  it("comes back ever more rarely, once a minute at the end, and never gives up", async () => {
    const { tenant, user, told } = await withFourWaiting();
    const waits: number[] = [];
    await withD1Fault("throws", async () => {
      for (let n = 0; n < failures; n += 1) {
        expect(await fireAlarm(user)).toBe(true);
        waits.push(((await readAlarm(user)) ?? 0) - Date.now());
        expect(await countOutboxRows(user)).toBe(4);
      }
    });
    expect(waits.map((wait) => wait / 1000)).toEqual(everMoreRarely);
    expect(await fireAlarm(user)).toBe(true);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await readTrail(tenant)).toEqual([...told, ...fourFailures]);
  });

  it("is not called back sooner by what is recorded meanwhile", async () => {
    const { user } = await withFourWaiting();
    await withD1Fault("throws", async () => {
      for (let n = 0; n < 6; n += 1) await fireAlarm(user);
    });
    const due = await readAlarm(user);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect(await readAlarm(user)).toBe(due);
  });

  it("begins anew with short waits after one delivery that succeeds", async () => {
    const { user } = await withFourWaiting();
    await withD1Fault("throws", async () => {
      for (let n = 0; n < 6; n += 1) await fireAlarm(user);
    });
    await fireAlarm(user);
    await withD1Fault("throws", async () => {
      await user.verify(user.code(Date.now()));
      await fireAlarm(user);
      expect(await readAlarm(user)).toBe(Date.now() + 400);
    });
  });

  it.each<D1Fault>(["throws", "loses the reply"])(
    "and is evicted each time delivers all of it once, when D1 no longer %s",
    async (fault) => {
      const { tenant, user, told } = await withFourWaiting();
      await withD1Fault(fault, async () => {
        for (let n = 0; n < failures; n += 1) {
          expect(await fireAlarm(user)).toBe(true);
          await evict(user);
          expect(await countOutboxRows(user)).toBe(4);
          expect(await readAlarm(user)).toBeGreaterThan(Date.now());
        }
      });
      expect(await fireAlarm(user)).toBe(true);
      expect(await countOutboxRows(user)).toBe(0);
      expect(await fireAlarm(user)).toBe(false);
      expect(await readTrail(tenant)).toEqual([...told, ...fourFailures]);
    },
  );

  it("delivers more than one batch holds, once each", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await drainOutbox(user);
    stopClock();
    const told = await readTrail(tenant);
    const statuses = Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? "suspended" : "active"));
    await withD1Fault("throws", async () => {
      for (const status of statuses) {
        expect((await tenant.send("PATCH", user.path(), { user: { status } })).status).toBe(200);
      }
      expect(await countOutboxRows(user)).toBe(60);
      for (let n = 0; n < failures; n += 1) await fireAlarm(user);
    });
    await withD1Fault("loses the reply", async () => {
      expect(await fireAlarm(user)).toBe(true);
    });
    expect(await fireAlarm(user)).toBe(true);
    const events = statuses.map((status) =>
      status === "suspended" ? "user.suspended success" : "user.reactivated success",
    );
    expect(await readTrail(tenant)).toEqual([...told, ...events]);
  });
});

describe("A refusal log whose delivery fails", () => {
  /** Three refusals, of which the first is told at once and the others are counted. */
  async function withRefusals() {
    const tenant = await Tenant.create();
    const narrow = await tenant.tokenWith(["idp:read"]);
    stopClock();
    for (let n = 0; n < 3; n += 1) {
      const refused = await tenant.send("GET", "/v1/settings", undefined, narrow);
      expect(refused.body.code).toBe("insufficient_scope");
    }
    expect(await readRefusalLog(tenant.id)).toMatchObject({ undelivered: 1 });
    return tenant;
  }

  it("comes back ever more rarely, once a minute at the end, and never gives up", async () => {
    const tenant = await withRefusals();
    const waits: number[] = [];
    await withD1Fault("throws", async () => {
      for (let n = 0; n < failures; n += 1) {
        expect(await fireLogAlarm(tenant.id)).toBe(true);
        const { alarm } = await readRefusalLog(tenant.id);
        waits.push((alarm ?? 0) - Date.now());
      }
    });
    expect(waits.map((wait) => wait / 1000)).toEqual(everMoreRarely);
    expect(await fireLogAlarm(tenant.id)).toBe(true);
    expect(await readRefusalLog(tenant.id)).toMatchObject({ undelivered: 0 });
    expect(await readRefusalEvents(tenant.id)).toHaveLength(1);
  });

  it.each<D1Fault>(["throws", "loses the reply"])(
    "and is evicted each time tells every refusal once, when D1 no longer %s",
    async (fault) => {
      const tenant = await withRefusals();
      await withD1Fault(fault, async () => {
        for (let n = 0; n < failures; n += 1) {
          expect(await fireLogAlarm(tenant.id)).toBe(true);
          await evictLog(tenant.id);
        }
      });
      await fireLogAlarm(tenant.id);
      vi.setSystemTime(Date.now() + hour);
      await fireLogAlarm(tenant.id);
      const told = await readRefusalEvents(tenant.id);
      expect(sumOf(told)).toBe(3);
      expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
      expect((await readRefusalLog(tenant.id)).undelivered).toBe(0);
    },
  );
});
