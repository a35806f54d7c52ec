import { describe, expect, test } from "vitest";
import {
  callers,
  nearestPlace,
  type Place,
  places,
  roundTrips,
} from "../../bench/scale/latencies.ts";
import {
  allWaits,
  localQueryMs,
  longestOf,
  meanOf,
  nearMs,
  roundTrip,
  waitsOf,
} from "../../bench/scale/latency.ts";

const allPlaces = Object.keys(places).filter((key): key is Place => key in places);

describe("the published round trips", () => {
  test("take as long in one direction as in the other, by a few milliseconds", () => {
    for (const here of allPlaces) {
      for (const there of allPlaces) {
        const difference = Math.abs(roundTrips[here][there] - roundTrips[there][here]);
        expect(difference, `${here}, ${there}`).toBeLessThanOrEqual(5);
      }
    }
  });

  test("have a guard near its caller where the trip is shortest", () => {
    for (const caller of callers) {
      const shortest = Math.min(...allPlaces.map((place) => roundTrip(caller, place)));
      expect(roundTrip(caller, nearestPlace[caller]), caller).toBe(shortest);
    }
  });
});

test("a caller beside everything waits for the edge and one trip, for each further query one more", () => {
  expect(waitsOf("East US", "East US")).toEqual({
    caller: "East US",
    near: 2 * nearMs,
    nearCold: 3 * nearMs,
    far: 2 * nearMs,
    farCold: 3 * nearMs,
    edgeUsual: 4 * nearMs,
    edgeOptimistic: 3 * nearMs,
    central: nearMs + 3 * localQueryMs,
  });
});

test("a caller far from the database crosses the distance as often as it is asked in sequence", () => {
  const distance = roundTrips["Australia East"]["West Europe"];
  expect(waitsOf("Australia East", "West Europe")).toEqual({
    caller: "Australia East",
    near: 2 * nearMs,
    nearCold: 2 * nearMs + distance,
    far: nearMs + distance,
    farCold: nearMs + 2 * distance,
    edgeUsual: nearMs + 3 * distance,
    edgeOptimistic: nearMs + 2 * distance,
    central: distance + 3 * localQueryMs,
  });
});

test("where no object can be near, the guard is as far as the nearest place", () => {
  const distance = roundTrips["Brazil South"]["East US"];
  expect(waitsOf("Brazil South", "West Europe").near).toBe(nearMs + distance);
});

test("the summary is over all callers", () => {
  const waits = allWaits("East US");
  expect(waits).toHaveLength(callers.length);
  const all = waits.map(({ near }) => near);
  expect(longestOf(waits, "near")).toBe(Math.max(...all));
  expect(meanOf(waits, "near") * callers.length).toBeCloseTo(
    all.reduce((sum, wait) => sum + wait),
    9,
  );
});
