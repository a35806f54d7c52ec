/** The guard is lost between any two steps of an erasure: nothing of the person comes back. */
import { expect, it } from "vitest";
import { inspectGuard } from "../support/guard.ts";
import { erasure, type PreparedOperation } from "../support/operations.ts";
import { expectToSurviveCuts, maxRunMs } from "../support/survive-cuts.ts";

it("A guard that is lost between any two steps of an erasure leaves no trace", {
  timeout: maxRunMs,
}, async () => {
  const erased: PreparedOperation[] = [];
  const places = await expectToSurviveCuts({
    ...erasure,
    prepare: async (tenant) => {
      const ready = await erasure.prepare(tenant);
      erased.push(ready);
      return ready;
    },
  });
  expect(places).toEqual([
    "after setAlarm",
    "before batch",
    "after batch",
    "before raw",
    "before deleteAll",
    "after deleteAll",
    "after deleteAlarm",
  ]);
  for (const { user } of erased) {
    if (user === undefined) throw new Error("Nobody was erased");
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
  }
});
