/** The guard, or the Worker's call to D1, is lost between any two steps of an administrative operation. */
import { describe, expect, it } from "vitest";
import { findOperations } from "../support/operations.ts";
import { expectToSurviveCuts, maxRunMs } from "../support/survive-cuts.ts";
import { tenantOperations } from "../support/tenant-operations.ts";

describe("A guard that is lost between any two steps", () => {
  it.each(findOperations("suspend", "unlock", "feedback"))(
    "applies $name once or not at all",
    { timeout: maxRunMs },
    async (operation) => {
      expect(await expectToSurviveCuts(operation)).toEqual(
        expect.arrayContaining(["after setAlarm", "before batch", "after batch"]),
      );
    },
  );
});

describe("D1 that stops responding between any two steps", () => {
  it.each(tenantOperations)(
    "applies $name once or not at all",
    { timeout: maxRunMs },
    async (operation) => {
      expect(await expectToSurviveCuts(operation)).toEqual(
        expect.arrayContaining(["before batch", "after batch"]),
      );
    },
  );
});
