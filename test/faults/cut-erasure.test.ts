/** The guard is lost between any two steps of an erasure: nothing of the person comes back. */
import { expect, it } from "vitest";
import { expectToSurviveCuts, longestRun } from "../support/cut.ts";
import { traces } from "../support/guard.ts";
import { erasure, type Ready } from "../support/operations.ts";

it("A guard that is lost between any two steps of an erasure leaves no trace", {
  timeout: longestRun,
}, async () => {
  const erased: Ready[] = [];
  const places = await expectToSurviveCuts({
    ...erasure,
    ready: async (tenant) => {
      const ready = await erasure.ready(tenant);
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
    expect(await traces(user)).toEqual({ tables: [], alarm: null });
  }
});
