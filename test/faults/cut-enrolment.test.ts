/** The guard is lost between any two steps of what makes a person's credentials. */
import { expect, it } from "vitest";
import { expectToSurviveCuts, longestRun } from "../support/cut.ts";
import { operationsNamed } from "../support/operations.ts";

it.each(operationsNamed("provision", "configure", "confirm", "regenerate", "remove"))(
  "A guard that is lost between any two steps does $name once or not at all",
  { timeout: longestRun },
  async (operation) => {
    const places = await expectToSurviveCuts(operation);
    expect(places).toContain("after setAlarm");
    // The others deliver before they answer; what is confirmed is delivered by the alarm.
    const delivery = ["before batch", "after batch"];
    expect(places.filter((place) => delivery.includes(place))).toEqual(
      operation.name === "confirm" ? [] : delivery,
    );
  },
);
