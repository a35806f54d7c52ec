import { afterEach, describe, expect, it, vi } from "vitest";
import { createId } from "../../../src/crypto/id.ts";
import type { Refusal } from "../../../src/guard/decisions/refusals.ts";
import { type D1Fault, withD1Fault } from "../../support/d1-faults.ts";
import {
  evictLog,
  fireLogAlarm,
  readRefusalEvents,
  readRefusalLog,
  refusalLogOf,
  sumOf,
} from "../../support/refusal-log.ts";

const second = 1_000;
const hour = 3_600_000;
const at = Date.parse("2026-03-01T12:00:00Z");
let requests = 0;

function buildRefusal(changes: Partial<Refusal> = {}): Refusal {
  requests += 1;
  return {
    action: "request.refused",
    reason: "insufficient_scope",
    route: "verifyOtp",
    count: 1,
    at,
    actor: { type: "api_token", id: "a".repeat(24) },
    requestId: `request-${requests}`,
    ...changes,
  };
}

function buildRefusalOfToken(n: number, changes: Partial<Refusal> = {}): Refusal {
  const id = n.toString(16).padStart(24, "0");
  return buildRefusal({ actor: { type: "api_token", id }, ...changes });
}

async function countRefusal(tenantId: string, refusal: Refusal): Promise<void> {
  expect(await refusalLogOf(tenantId).count(tenantId, refusal)).toBe(true);
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("The refusal log", () => {
  it("reports the first refusal of a kind at once, for its token", async () => {
    const tenantId = createId(Date.now());
    const first = buildRefusal({ reason: "user_not_found" });
    await countRefusal(tenantId, first);
    await vi.waitFor(async () => expect(await readRefusalEvents(tenantId)).toHaveLength(1), 5_000);
    expect(await readRefusalEvents(tenantId)).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        at,
        actorId: "a".repeat(24),
        targetId: "a".repeat(24),
        reason: "user_not_found",
        requestId: first.requestId,
        route: "verifyOtp",
        count: 1,
      },
    ]);
  });

  it("reports a refusal at once if its reason, route or token differs", async () => {
    const tenantId = createId(Date.now());
    for (const other of [
      buildRefusal(),
      buildRefusal({ reason: "not_found" }),
      buildRefusal({ route: "getUser" }),
      buildRefusalOfToken(1),
    ]) {
      await countRefusal(tenantId, other);
    }
    await fireLogAlarm(tenantId);
    expect((await readRefusalEvents(tenantId)).map((event) => event.count)).toEqual([1, 1, 1, 1]);
  });

  it("counts a hundred concurrent refusals exactly, in a few events, without help", async () => {
    const tenantId = createId(Date.now());
    await Promise.all(Array.from({ length: 100 }, () => countRefusal(tenantId, buildRefusal())));
    await vi.waitFor(async () => expect(sumOf(await readRefusalEvents(tenantId))).toBe(100), {
      timeout: 20_000,
      interval: 200,
    });
    expect(await readRefusalEvents(tenantId)).toHaveLength(2);
    expect(await readRefusalLog(tenantId)).toMatchObject({ undelivered: 0, alarm: null });
  });

  it("loses no count and no report when it is evicted repeatedly", async () => {
    const tenantId = createId(Date.now());
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(Array.from({ length: 4 }, () => countRefusal(tenantId, buildRefusal())));
      await evictLog(tenantId);
    }
    // While an alarm fires, none is set. The log sets the next one, also when it was evicted meanwhile.
    await vi.waitFor(
      async () => expect((await readRefusalLog(tenantId)).alarm).not.toBeNull(),
      20_000,
    );
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6 * second });
    await fireLogAlarm(tenantId);
    expect(sumOf(await readRefusalEvents(tenantId))).toBe(20);
    expect(await readRefusalEvents(tenantId)).toHaveLength(2);
  });

  it("adds fewer than twenty events in six hours of flood, and reports each refusal within about an hour", async () => {
    const tenantId = createId(Date.now());
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    const minutes = 6 * 60;
    for (let minute = 0; minute < minutes; minute += 1) {
      vi.setSystemTime(start + minute * 60 * second);
      await countRefusal(tenantId, buildRefusal({ count: 1_000 }));
      await fireLogAlarm(tenantId);
      const { runs } = await readRefusalLog(tenantId);
      expect(sumOf(runs.map(({ unreported }) => ({ count: unreported })))).toBeLessThanOrEqual(
        61_000,
      );
    }
    const events = await readRefusalEvents(tenantId);
    expect(events.length).toBeLessThan(20);
    vi.setSystemTime(start + 7 * hour);
    await fireLogAlarm(tenantId);
    expect(sumOf(await readRefusalEvents(tenantId))).toBe(minutes * 1_000);
  });

  it("deletes a run after two quiet hours and reports the next refusal at once", async () => {
    const tenantId = createId(Date.now());
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    await countRefusal(tenantId, buildRefusal());
    vi.setSystemTime(start + 2 * hour - second);
    await countRefusal(tenantId, buildRefusal({ reason: "not_found" }));
    expect((await readRefusalLog(tenantId)).runs).toHaveLength(2);
    vi.setSystemTime(start + 2 * hour);
    await countRefusal(tenantId, buildRefusal());
    const { runs, undelivered } = await readRefusalLog(tenantId);
    expect(runs).toHaveLength(2);
    expect(undelivered).toBe(3);
  });

  it("keeps a bounded number of runs for any number of tokens, and counts every refusal", async () => {
    // However long this takes, no further report becomes due.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const tenantId = createId(Date.now());
    const kinds = ["insufficient_scope", "rate_limited", "not_found"];
    const tokens = 200;
    for (let token = 0; token < tokens; token += 1) {
      await Promise.all(
        kinds.map((reason) => countRefusal(tenantId, buildRefusalOfToken(token, { reason }))),
      );
    }
    await fireLogAlarm(tenantId);
    const { runs, size } = await readRefusalLog(tenantId);
    expect(runs.length).toBeLessThanOrEqual(64 + kinds.length);
    expect(size).toBeLessThan(64 * 1024);
    const unreported = runs.map((run) => ({ count: run.unreported }));
    expect(sumOf(await readRefusalEvents(tenantId)) + sumOf(unreported)).toBe(
      tokens * kinds.length,
    );
    expect((await readRefusalEvents(tenantId)).length).toBeLessThanOrEqual(64 + kinds.length);
  });
});

describe.each<D1Fault>(["throws", "hangs", "fails on write", "loses the reply"])(
  "D1 that %s",
  (fault) => {
    it("does not lose or duplicate a refusal", async () => {
      vi.spyOn(console, "error").mockImplementation(() => {});
      const tenantId = createId(Date.now());
      await withD1Fault(fault, async () => {
        for (let n = 0; n < 3; n += 1) await countRefusal(tenantId, buildRefusal());
        await fireLogAlarm(tenantId);
        await countRefusal(tenantId, buildRefusal({ reason: "not_found" }));
        await evictLog(tenantId);
        await fireLogAlarm(tenantId);
        // While the platform fires the alarm, none is set.
        await vi.waitFor(async () => {
          const { undelivered, alarm } = await readRefusalLog(tenantId);
          expect(undelivered).toBeGreaterThan(0);
          expect(alarm).not.toBeNull();
        });
      });
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6 * second });
      await fireLogAlarm(tenantId);
      await fireLogAlarm(tenantId);
      const events = await readRefusalEvents(tenantId);
      expect(events.map(({ reason, count: n }) => `${reason} ${n}`).toSorted()).toEqual([
        "insufficient_scope 1",
        "insufficient_scope 2",
        "not_found 1",
      ]);
      expect((await readRefusalLog(tenantId)).undelivered).toBe(0);
    });
  },
);

it("A refusal log retries while D1 fails, with growing delays of at most a minute", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(Math, "random").mockReturnValue(0.99);
  const tenantId = createId(Date.now());
  await withD1Fault("throws", async () => {
    await countRefusal(tenantId, buildRefusal());
    const delays: number[] = [];
    for (let failure = 0; failure < 12; failure += 1) {
      await fireLogAlarm(tenantId);
      delays.push(((await readRefusalLog(tenantId)).alarm ?? 0) - Date.now());
    }
    expect(delays[0]).toBeLessThanOrEqual(400);
    expect(delays.at(-1)).toBeGreaterThan(50_000);
    expect(delays.at(-1)).toBeLessThanOrEqual(60_000);
  });
  await fireLogAlarm(tenantId);
  expect(await readRefusalEvents(tenantId)).toHaveLength(1);
});
