/** The guard is lost between any two steps of an operation on a user's credentials. */
import { expect, it } from "vitest";
import { findOperations } from "../support/operations.ts";
import { expectToSurviveCuts, maxRunMs } from "../support/survive-cuts.ts";

it.each(findOperations("provision", "configure", "confirm", "regenerate", "remove"))(
  "A guard that is lost between any two steps applies $name once or not at all",
  { timeout: maxRunMs },
  async (operation) => {
    const steps = await expectToSurviveCuts(operation);
    expect(steps).toContain("after setAlarm");
    // All operations deliver before they answer, except `confirm`, which the alarm delivers.
    const delivery = ["before batch", "after batch"];
    expect(steps.filter((step) => delivery.includes(step))).toEqual(
      operation.name === "confirm" ? [] : delivery,
    );
  },
);
