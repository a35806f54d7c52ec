/** What things cost, held against the examples that the price lists compute themselves. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  added,
  costs,
  costsBeyondPlan,
  dollarsFor,
  lingeringGbSeconds,
  monthOf,
  sealedPasses,
  sealingUsage,
  storageUsage,
  times,
  total,
  type Usage,
  usageOf,
} from "../../bench/scale/cost.ts";
import { deliveryCounts, edge, type Operation, sealing } from "../../bench/scale/counts.ts";
import { prices } from "../../bench/scale/prices.ts";

const million = 1_000_000;

const operation: Operation = {
  name: "made up",
  objectCalls: 3,
  objectRowsRead: 7,
  objectRowsWritten: 5,
  alarms: 2,
  kvReads: 4,
  d1RowsRead: 11,
  d1RowsWritten: 13,
  delivers: true,
  isRequest: true,
};

describe("a bill as the price lists compute it", () => {
  const bills: readonly (readonly [string, Usage, number])[] = [
    [
      "Workers, 15 million requests of 7 ms",
      { workerRequests: 15 * million, workerCpuMs: 105 * million },
      3,
    ],
    [
      "Workers, 100 million requests of 7 ms",
      { workerRequests: 100 * million, workerCpuMs: 700 * million },
      40.4,
    ],
    ["Queues, a million messages a day", { queueOperations: 90 * million }, 35.6],
  ];
  test.each(bills)("%s", (_name, usage, dollars) => {
    expect(total(costsBeyondPlan(usage))).toBeCloseTo(dollars, 6);
  });
});

test("what the plan includes costs nothing, and one unit beyond it costs that unit", () => {
  const included = { d1RowsWritten: prices.d1RowsWritten.included };
  expect(total(costsBeyondPlan(included))).toBe(0);
  const oneMore = added(included, { d1RowsWritten: 1 });
  expect(total(costsBeyondPlan(oneMore))).toBeCloseTo(1e-6, 12);
  expect(total(costs(oneMore))).toBeCloseTo(50.000001, 6);
});

test("a price counts by its own unit, and less than nothing is not paid back", () => {
  const price = { what: "sheep", dollars: 6, per: 3, included: 0 };
  expect(dollarsFor(price, 5)).toBe(10);
  expect(dollarsFor(price, -5)).toBe(0);
});

test("calls and alarms are requests, alarms and what leaves the outbox are rows written", () => {
  const { rowsRead, rowsWritten } = deliveryCounts.direct;
  const used = usageOf(operation, "direct");
  expect(used.objectRequests).toBe(5);
  expect(used.objectRowsWritten).toBe(5 + 2 + rowsWritten);
  expect(used.objectRowsRead).toBe(7 + rowsRead);
  expect(used).toMatchObject({ d1RowsRead: 11, d1RowsWritten: 13, kvReads: 4 });
});

test("the queue adds three operations to what is delivered and to nothing else", () => {
  const withQueue = usageOf(operation, "queue");
  expect(withQueue.queueOperations).toBe(3);
  expect(withQueue.d1RowsWritten).toBe(13);
  expect(usageOf(operation, "direct").queueOperations).toBe(0);
  const reading = { ...operation, delivers: false };
  expect(usageOf(reading, "queue")).toEqual(usageOf(reading, "direct"));
  expect(usageOf(reading, "queue").queueOperations).toBe(0);
});

test("the queue adds a call that says what has arrived, and the time its courier waits", () => {
  const [withQueue, without] = [usageOf(operation, "queue"), usageOf(operation, "direct")];
  expect((withQueue.objectRequests ?? 0) - (without.objectRequests ?? 0)).toBe(1);
  expect(withQueue.objectRowsWritten).toBe(without.objectRowsWritten);
  // 3 calls of 10 ms, and 230 ms to deliver, at an eighth of a gigabyte.
  expect(withQueue.objectGbSeconds).toBeCloseTo(0.26 * 0.128, 10);
});

test("what comes with another request is no request of its own", () => {
  const part = { ...operation, isRequest: false };
  expect(usageOf(part, "direct").workerRequests).toBe(0);
  expect(usageOf(part, "direct").workerCpuMs).toBe(0);
  expect(usageOf(operation, "direct").workerRequests).toBe(1);
});

test("an object that stays billed after a call costs its memory for that long", () => {
  const one = { ...operation, objectCalls: 1 };
  expect(lingeringGbSeconds({ ...one, delivers: false }, "queue", 10)).toBeCloseTo(1.28, 10);
  expect(lingeringGbSeconds(one, "queue", 10)).toBeCloseTo(2.56, 10);
  expect(lingeringGbSeconds(one, "direct", 10)).toBeCloseTo(1.3056, 10);
});

test("a month is its requests, their seals, what is kept and the clock", () => {
  const month = monthOf(operation, million, 1, "direct");
  const requests = times(usageOf(operation, "direct"), million);
  const seals = sealingUsage(million, 1);
  expect(month.d1RowsWritten).toBe((requests.d1RowsWritten ?? 0) + (seals.d1RowsWritten ?? 0));
  expect(month.d1GbMonths).toBe(storageUsage(million, 0).d1GbMonths);
  expect(month.objectGbMonths).toBeGreaterThan(0);
  expect(month.workerRequests).toBe(million + edge.cronRunsPerMonth);
});

test("a log is sealed once a pass at most, and once for each of its events at most", () => {
  const events = fc.integer({ min: 1, max: 1e9 });
  const tenants = fc.integer({ min: 1, max: 100_000 });
  fc.assert(
    fc.property(events, tenants, (count, logs) => {
      const passes = sealedPasses(count, logs);
      expect(passes).toBeLessThanOrEqual(count * (1 + 1e-9));
      expect(passes).toBeLessThanOrEqual(logs * sealing.passesPerMonth);
      expect(sealedPasses(count, logs + 1)).toBeGreaterThanOrEqual(passes * (1 - 1e-9));
    }),
  );
  // A pass that expects one event finds none in 1/e of the cases.
  expect(sealedPasses(sealing.passesPerMonth, 1) / sealing.passesPerMonth).toBeCloseTo(0.632, 3);
});
