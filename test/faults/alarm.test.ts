/** The retry alarm of a guard, while D1 fails for longer than the platform retries an alarm. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { Tenant, User } from "../support/client.ts";
import { type D1Fault, holdBatchAnswers, withD1Fault } from "../support/d1-faults.ts";
import { passRequestDeadlines } from "../support/deadlines.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import {
  countUndelivered,
  evict,
  fireAlarm,
  guardOf,
  inspectGuard,
  readAlarm,
} from "../support/guard.ts";
import {
  evictLog,
  fireLogAlarm,
  readRefusalEvents,
  readRefusalLog,
  sumOf,
} from "../support/refusal-log.ts";
import { fetchCheckpoint, fetchExport, rowsOf } from "../support/trail.ts";

/** The platform itself retries a failed alarm six times at most. */
const failures = 10;
/** The longest wait after each failure. */
const maxRetryWaitsSeconds = [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60];
const hourMs = 60 * 60 * 1000;

/** Stops the clock an hour ahead, so that an alarm fires only when the test fires it. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hourMs });
}

const wait = { timeout: 20_000, interval: 5 };

/** Sets where in the window a retry is: 0 is its start, 1 its end. */
function setRandom(random: number): void {
  vi.spyOn(Math, "random").mockReturnValue(random);
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Creates a user with four failures, and nothing else, that wait for delivery. */
async function createUserWithFourFailures() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await drainOutbox(user);
  stopClock();
  const earlier = await readTrail(tenant);
  const wrong = user.wrongCode(Date.now());
  for (let attempt = 0; attempt < 4; attempt += 1) await user.verify(wrong);
  expect(await countUndelivered(user)).toBe(4);
  return { tenant, user, earlier };
}

const fourFailures = Array(4).fill("otp.verified failure invalid_code");

describe("A guard whose delivery fails", () => {
  it("retries after growing waits of up to a minute, also when evicted, and never gives up", async () => {
    const { tenant, user, earlier } = await createUserWithFourFailures();
    setRandom(1);
    const waits: number[] = [];
    await withD1Fault("throws", async () => {
      for (let n = 0; n < failures; n += 1) {
        expect(await fireAlarm(user)).toBe(true);
        // The count of failures is stored.
        await evict(user);
        waits.push(((await readAlarm(user)) ?? 0) - Date.now());
        expect(await countUndelivered(user)).toBe(4);
      }
    });
    expect(waits.map((wait) => wait / 1000)).toEqual(maxRetryWaitsSeconds);
    expect(await fireAlarm(user)).toBe(true);
    expect(await countUndelivered(user)).toBe(0);
    expect(await readTrail(tenant)).toEqual([...earlier, ...fourFailures]);
  });

  it.each([
    ["", async () => {}],
    [", also after an eviction", evict],
  ])("does not retry sooner because of a new event%s", async (_, meanwhile) => {
    const { user } = await createUserWithFourFailures();
    await withD1Fault("throws", async () => {
      for (let n = 0; n < 6; n += 1) await fireAlarm(user);
    });
    await meanwhile(user);
    const due = await readAlarm(user);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect(await readAlarm(user)).toBe(due);
  });

  it("waits for a random part of the time, so that guards do not retry together", async () => {
    const { user } = await createUserWithFourFailures();
    const waits: number[] = [];
    await withD1Fault("throws", async () => {
      for (const random of [0, 0, 0, 0, 0, 0.5, 0.25]) {
        setRandom(random);
        await fireAlarm(user);
        waits.push(((await readAlarm(user)) ?? 0) - Date.now());
      }
    });
    expect(waits).toEqual([200, 200, 200, 200, 200, 6_500, 6_550]);
  });

  it("stores nothing about failures before the first one and after the next success", async () => {
    const { user } = await createUserWithFourFailures();
    const readStored = async () =>
      await runInDurableObject(guardOf(user), (_guard, { storage }) => [...storage.kv.list()]);
    expect(await readStored()).toEqual([]);
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    await withD1Fault("throws", async () => {
      await fireAlarm(user);
      await fireAlarm(user);
    });
    // A message that was not queued may be logged in between.
    const failures = logged.mock.calls
      .map(([line]) => JSON.parse(line))
      .filter(({ event }) => event === "outbox_delivery_failed");
    expect(failures.at(-1)).toMatchObject({ source: "guard", count: 2 });
    expect(await readStored()).toEqual([
      ["delivery_failure", { count: 2, shard: 0, since: expect.any(Number) }],
    ]);
    await fireAlarm(user);
    expect(await readStored()).toEqual([]);
  });

  it("sends D1 nothing again while D1 may still answer, and verifies codes meanwhile", async () => {
    const { tenant, user, earlier } = await createUserWithFourFailures();
    const held = holdBatchAnswers(user.id);
    passRequestDeadlines();
    const alarm = fireAlarm(user);
    await vi.waitFor(() => expect(held.count).toBe(1), wait);
    const { status } = await user.verify(user.code(Date.now()));
    expect(status).toBe(200);
    held.release();
    await alarm;
    expect(held.count).toBe(2);
    vi.restoreAllMocks();
    expect(await countUndelivered(user)).toBe(0);
    expect(await readTrail(tenant)).toEqual([...earlier, ...fourFailures, "otp.verified success"]);
  });

  it.each([false, true])(
    "sets an alarm again that the platform has given up, also while deliveries fail: %s",
    async (fails) => {
      const { user } = await createUserWithFourFailures();
      if (fails) await withD1Fault("throws", async () => await fireAlarm(user));
      // The platform could not start the guard's alarm. The guard gets no notice.
      await runInDurableObject(guardOf(user), (_guard, { storage }) => storage.deleteAlarm());
      vi.setSystemTime(Date.now() + hourMs);
      await user.verify(user.wrongCode(Date.now()));
      expect(await readAlarm(user)).toBeGreaterThan(Date.now());
      await fireAlarm(user);
      expect(await countUndelivered(user)).toBe(0);
    },
  );

  it("gives up on a D1 that never answers, and retries", async () => {
    const { tenant, user, earlier } = await createUserWithFourFailures();
    await withD1Fault("hangs", async () => expect(await fireAlarm(user)).toBe(true));
    expect(await readAlarm(user)).toBeGreaterThan(Date.now());
    expect(await countUndelivered(user)).toBe(4);
    await fireAlarm(user);
    expect(await readTrail(tenant)).toEqual([...earlier, ...fourFailures]);
  });

  it("does not repeat what a request has sent, although the request no longer waits", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await drainOutbox(user);
    stopClock();
    // From now on the token is cached.
    await user.profile();
    const held = holdBatchAnswers(user.id);
    passRequestDeadlines();
    const change = { user: { status: "suspended" } };
    expect((await tenant.send("PATCH", user.path(), change)).status).toBe(200);
    const alarm = fireAlarm(user);
    await scheduler.wait(0);
    held.release();
    await alarm;
    expect(held.count).toBe(1);
    expect(await countUndelivered(user)).toBe(0);
  });

  it("retries soon what a list has reported while D1 failed", async () => {
    const { user } = await createUserWithFourFailures();
    await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    // The first refusal is reported at once, and the next ones with the alarm of their report.
    for (let n = 0; n < 3; n += 1) await user.verify("123456");
    await fireAlarm(user);
    for (let n = 0; n < 3; n += 1) await user.verify("123456");
    expect(await readAlarm(user)).toBeGreaterThan(Date.now() + 5_000);
    await withD1Fault("throws", async () => await guardOf(user).deliver());
    expect(await countUndelivered(user)).toBe(1);
    expect(await readAlarm(user)).toBeLessThan(Date.now() + 1_000);
  });

  it("retries when the guard's storage cannot be cleared after an erasure", async () => {
    const { user } = await createUserWithFourFailures();
    await withD1Fault("throws", () => user.tenant.send("DELETE", user.path()));
    setRandom(1);
    for (const waitMs of [400, 800]) {
      await runInDurableObject(guardOf(user), (_guard, { storage }) => {
        vi.spyOn(storage, "deleteAll").mockRejectedValueOnce(new Error("no space"));
      });
      await fireAlarm(user);
      expect(await readAlarm(user)).toBe(Date.now() + waitMs);
    }
    await fireAlarm(user);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
  });

  it("starts again with short waits after a delivery that succeeds", async () => {
    const { user } = await createUserWithFourFailures();
    setRandom(1);
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
    "delivers every event once, although it was evicted after each attempt while D1 %s",
    async (fault) => {
      const { tenant, user, earlier } = await createUserWithFourFailures();
      await withD1Fault(fault, async () => {
        for (let n = 0; n < failures; n += 1) {
          expect(await fireAlarm(user)).toBe(true);
          await evict(user);
          expect(await countUndelivered(user)).toBe(fault === "throws" ? 4 : 0);
          expect(await readAlarm(user)).toBeGreaterThan(Date.now());
        }
      });
      expect(await fireAlarm(user)).toBe(true);
      expect(await countUndelivered(user)).toBe(0);
      expect(await fireAlarm(user)).toBe(false);
      expect(await readTrail(tenant)).toEqual([...earlier, ...fourFailures]);
    },
  );

  it("delivers without another request when D1 works again", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await drainOutbox(user);
    const earlier = await readTrail(tenant);
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    await withD1Fault("throws", async () => {
      await user.verify(user.wrongCode(Date.now()));
      await vi.waitFor(() => expect(logged.mock.calls.length).toBeGreaterThan(2), wait);
      await evict(user);
    });
    await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), wait);
    expect(await readTrail(tenant)).toEqual([...earlier, "otp.verified failure invalid_code"]);
  });

  it("loses no event of a day without D1, files none twice, and keeps its state short", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ lockout: { max_failed_attempts: 100 } });
    const user = await User.withTotp(tenant);
    await drainOutbox(user);
    stopClock();
    const earlier = await readTrail(tenant);
    let recorded = 0;
    await withD1Fault("fails on batches only", async () => {
      for (let hour = 0; hour < 24; hour += 1) {
        vi.setSystemTime(Date.now() + hourMs);
        for (let n = 0; n < 3; n += 1) {
          if ((await user.verify(user.wrongCode(Date.now()))).status === 422) recorded += 1;
        }
        await fireAlarm(user);
        if (hour % 5 === 0) await evict(user);
      }
    });
    expect(recorded).toBe(72);
    expect(await countUndelivered(user)).toBe(recorded);
    const { length } = await runInDurableObject(guardOf(user), (_guard, { storage }) =>
      storage.sql.exec<{ length: number }>("SELECT length(state) AS length FROM live").one(),
    );
    expect(length).toBeLessThan(32_000);
    await fireAlarm(user);
    expect(await countUndelivered(user)).toBe(0);
    expect(await readTrail(tenant)).toEqual([
      ...earlier,
      ...Array(recorded).fill("otp.verified failure invalid_code"),
    ]);
  });

  it("delivers more events than one batch can hold, each once", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await drainOutbox(user);
    stopClock();
    const earlier = await readTrail(tenant);
    const statuses = Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? "suspended" : "active"));
    await withD1Fault("throws", async () => {
      for (const status of statuses) {
        expect((await tenant.send("PATCH", user.path(), { user: { status } })).status).toBe(200);
      }
      expect(await countUndelivered(user)).toBe(60);
      for (let n = 0; n < failures; n += 1) await fireAlarm(user);
    });
    await withD1Fault("loses the reply", async () => {
      expect(await fireAlarm(user)).toBe(true);
    });
    expect(await fireAlarm(user)).toBe(true);
    const events = statuses.map((status) =>
      status === "suspended" ? "user.suspended success" : "user.reactivated success",
    );
    expect(await readTrail(tenant)).toEqual([...earlier, ...events]);
  });
});

describe("A refusal log whose delivery fails", () => {
  /** Causes three refusals: the log reports the first at once and counts the others. */
  async function createTenantWithRefusals() {
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

  it("retries after growing waits of up to a minute, also when evicted, and never gives up", async () => {
    const tenant = await createTenantWithRefusals();
    setRandom(1);
    const waits: number[] = [];
    await withD1Fault("throws", async () => {
      for (let n = 0; n < failures; n += 1) {
        expect(await fireLogAlarm(tenant.id)).toBe(true);
        await evictLog(tenant.id);
        const { alarm } = await readRefusalLog(tenant.id);
        waits.push((alarm ?? 0) - Date.now());
      }
    });
    expect(waits.map((wait) => wait / 1000)).toEqual(maxRetryWaitsSeconds);
    expect(await fireLogAlarm(tenant.id)).toBe(true);
    expect(await readRefusalLog(tenant.id)).toMatchObject({ undelivered: 0 });
    expect(await readRefusalEvents(tenant.id)).toHaveLength(1);
  });

  it.each<D1Fault>(["throws", "loses the reply"])(
    "reports every refusal once, although it was evicted after each attempt while D1 %s",
    async (fault) => {
      const tenant = await createTenantWithRefusals();
      await withD1Fault(fault, async () => {
        for (let n = 0; n < failures; n += 1) {
          expect(await fireLogAlarm(tenant.id)).toBe(true);
          await evictLog(tenant.id);
        }
      });
      await fireLogAlarm(tenant.id);
      vi.setSystemTime(Date.now() + hourMs);
      await fireLogAlarm(tenant.id);
      const reported = await readRefusalEvents(tenant.id);
      expect(sumOf(reported)).toBe(3);
      expect(new Set(reported.map(({ id }) => id)).size).toBe(reported.length);
      expect((await readRefusalLog(tenant.id)).undelivered).toBe(0);
    },
  );
});

describe("What a guard has delivered", () => {
  /** Has a right code delivered and its event archived; then the guard restarts with the event in its state. */
  async function archiveLastEvent(requestKey?: string) {
    const tenant = await Tenant.create();
    await tenant.setSettings({ retention: { archive_after_days: 1 } });
    const user = await User.withTotp(tenant);
    await drainOutbox(user);
    stopClock();
    if (requestKey !== undefined) tenant.requestKey = requestKey;
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    tenant.requestKey = undefined;
    await drainOutbox(user);
    await fetchCheckpoint(tenant);
    vi.setSystemTime(Date.now() + 25 * hourMs);
    await archiveLogs(env, Date.now(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
    await evict(user);
    const archived = (await fetchExport(tenant)).length;
    return { tenant, user, archived };
  }

  it("is not filed once more by the alarm that deletes an expired answer", async () => {
    const { tenant, user, archived } = await archiveLastEvent("once");
    expect(await fireAlarm(user)).toBe(true);
    expect(await fetchExport(tenant)).toHaveLength(archived);
    expect(await readAlarm(user)).toBeNull();
  });

  it("is not filed once more with the next change, whether an alarm was left or not", async () => {
    for (const requestKey of [undefined, "once"]) {
      const { tenant, user, archived } = await archiveLastEvent(requestKey);
      expect((await user.verify(user.code(Date.now()))).status).toBe(200);
      await evict(user);
      expect(await fireAlarm(user)).toBe(true);
      expect(await fetchExport(tenant)).toHaveLength(archived + 1);
    }
  });

  it("is known by the time for which the alarm was set, also while it fires", async () => {
    const { tenant, user, archived } = await archiveLastEvent("once");
    const setFor = await readAlarm(user);
    /** Fires the alarm as the platform does: it does not count as set any more. */
    const fire = async (scheduledTime: number) => {
      await runInDurableObject(guardOf(user), (_guard, { storage }) => storage.deleteAlarm());
      await evict(user);
      await runInDurableObject(guardOf(user), (guard) =>
        guard.alarm?.({ isRetry: false, retryCount: 0, scheduledTime }),
      );
    };
    await fire(setFor ?? 0);
    expect(await fetchExport(tenant)).toHaveLength(archived);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    await fire(Date.now());
    expect(await fetchExport(tenant)).toHaveLength(archived + 1);
  });

  it("is delivered although the alarm is late by days, or D1 fails as long", async () => {
    for (const fails of [false, true]) {
      const { tenant, user } = await createUserWithFourFailures();
      const fault = async () => {
        await evict(user);
        await fireAlarm(user);
      };
      if (fails) await withD1Fault("throws", fault);
      vi.setSystemTime(Date.now() + 72 * hourMs);
      await evict(user);
      await fireAlarm(user);
      expect((await readTrail(tenant)).slice(-4)).toEqual(fourFailures);
    }
  });
});
