import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { queue, storage } from "../../bench/scale/counts.ts";
import {
  batchAt,
  busyShare,
  databasesFor,
  daysUntilFull,
  enough,
  eventsPerDatabase,
  limits,
  maxPerSecond,
  tenantsPerDatabase,
} from "../../bench/scale/saturation.ts";

const fast = { name: "1 ms", transactionMs: 1 };
const slow = { name: "100 ms", transactionMs: 100 };
const rates = fc.integer({ min: 1, max: 100_000 });
const batches = fc.integer({ min: 1, max: 100 });

test("one transaction at a time is what the page on D1 says: about 1,000 of 1 ms, 10 of 100 ms", () => {
  expect(maxPerSecond(1, fast)).toBeGreaterThan(850);
  expect(maxPerSecond(1, fast)).toBeLessThan(1_000);
  expect(maxPerSecond(1, slow)).toBeCloseTo(10, 1);
});

test("at the most it can take, D1 is busy all the time", () => {
  fc.assert(
    fc.property(batches, fc.constantFrom(fast, slow), (batch, writer) => {
      expect(busyShare(maxPerSecond(batch, writer), batch, writer)).toBeCloseTo(1, 9);
    }),
  );
});

test("a larger batch never keeps D1 busier", () => {
  fc.assert(
    fc.property(rates, batches, (rate, batch) => {
      expect(busyShare(rate, batch + 1, fast)).toBeLessThan(busyShare(rate, batch, fast));
    }),
  );
});

test("a batch is what has come while it waited, one message at least and a full batch at most", () => {
  expect(batchAt(0.01)).toBe(1);
  expect(batchAt(50)).toBe(50 * queue.waitSeconds);
  expect(batchAt(100_000)).toBe(100);
});

test("a database is full when its events have its size", () => {
  const events = eventsPerDatabase();
  expect(events * storage.bytesPerEvent).toBeLessThanOrEqual(limits.d1Bytes);
  expect((events + 1) * storage.bytesPerEvent).toBeGreaterThan(limits.d1Bytes);
  expect(daysUntilFull(events / 86_400)).toBeCloseTo(1, 9);
});

test("tenants that share a database leave it room", () => {
  const tenants = tenantsPerDatabase(10_000, 3);
  const filled = (of: number) => (of * 10_000 * 3) / eventsPerDatabase();
  expect(filled(tenants)).toBeLessThanOrEqual(enough.filledShare);
  expect(filled(tenants + 1)).toBeGreaterThan(enough.filledShare);
});

describe("databases for a load", () => {
  const load = { eventsPerMonth: 1e9, keptMonths: 1, peak: 5, batched: false };

  test("one is enough for little", () => {
    expect(databasesFor({ ...load, eventsPerMonth: 1_000 }, slow)).toEqual({ writes: 1, size: 1 });
  });

  test("batches save databases for writes and none for size", () => {
    const direct = databasesFor(load, fast);
    const batched = databasesFor({ ...load, batched: true }, fast);
    expect(batched.writes).toBeLessThan(direct.writes);
    expect(batched.size).toBe(direct.size);
  });

  test("what is kept twice as long needs twice the size and no more writes", () => {
    const once = databasesFor(load, fast);
    const twice = databasesFor({ ...load, keptMonths: 2 }, fast);
    expect(Math.abs(twice.size - 2 * once.size)).toBeLessThanOrEqual(1);
    expect(twice.writes).toBe(once.writes);
  });

  test("a peak twice as high needs twice the databases for writes", () => {
    const higher = databasesFor({ ...load, peak: 10 }, fast);
    expect(Math.abs(higher.writes - 2 * databasesFor(load, fast).writes)).toBeLessThanOrEqual(1);
  });
});
