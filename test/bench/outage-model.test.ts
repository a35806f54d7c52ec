/** The recovery of guards from an outage of D1, in the model that `npm run bench:outage` runs at full size. */
import { expect, test } from "vitest";
import { runScenario } from "../../bench/support/outage-model.ts";

const usual = { guards: 3_000, batchMs: 5, gateLifetimeMs: 0, isMove: false };

test.each([
  ["5 ms a batch", usual],
  ["20 ms a batch", { ...usual, batchMs: 20 }],
  ["a gate that is lost every ten seconds", { ...usual, gateLifetimeMs: 10_000 }],
  ["a move instead of an outage", { ...usual, isMove: true }],
])("3,000 guards recover within two minutes, and requests go on: %s", (_what, scenario) => {
  const result = runScenario(scenario);
  expect(result.undelivered).toBe(0);
  expect(result.drainedAfterSeconds).toBeLessThan(120);
  expect(result.lookupsFailed).toBeLessThan(0.05);
  expect(result.batchesPerDelivery).toBeLessThan(1.1);
});

test("while a tenant moves, its guards try once in ten seconds together", () => {
  const { retriesPerSecond } = runScenario({ ...usual, guards: 1_000, isMove: true });
  expect(retriesPerSecond).toBeLessThanOrEqual(0.2);
});
