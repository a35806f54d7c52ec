/** The guard is lost between any two steps of an erasure. No personal data may return. */
import { expect, it } from "vitest";
import { inspectGuard } from "../support/guard.ts";
import { erasure, type PreparedOperation } from "../support/operations.ts";
import { expectToSurviveCuts, maxRunMs } from "../support/survive-cuts.ts";

it("A guard that is lost between any two steps of an erasure leaves no trace", {
  timeout: maxRunMs,
}, async () => {
  const erased: PreparedOperation[] = [];
  const steps = await expectToSurviveCuts({
    ...erasure,
    prepare: async (tenant) => {
      const prepared = await erasure.prepare(tenant);
      erased.push(prepared);
      return prepared;
    },
  });
  expect(steps).toEqual([
    "after setAlarm",
    "before batch",
    "after batch",
    "before raw",
    "before deleteAll",
    "after deleteAll",
    "after deleteAlarm",
  ]);
  for (const { user } of erased) {
    if (user === undefined) throw new Error("No user was erased");
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
  }
});
