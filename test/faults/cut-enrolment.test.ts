/** The guard is lost between any two steps of what makes a person's credentials. */
import { expect, it } from "vitest";
import { findOperations } from "../support/operations.ts";
import { expectToSurviveCuts, maxRunMs } from "../support/survive-cuts.ts";

it.each(findOperations("provision", "configure", "confirm", "regenerate", "remove"))(
  "A guard that is lost between any two steps does $name once or not at all",
  { timeout: maxRunMs },
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
