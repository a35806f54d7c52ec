import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareWithHistory } from "../../../src/sentinel/behaviour/behaviour.ts";
import type { Context } from "../../../src/sentinel/context.ts";
import {
  bucketOf,
  type ConfirmedSession,
  hourOfWeek,
  countNovelty,
  narrowPopulation,
  countPopulation,
  populationSchema,
  countShare,
} from "../../../src/sentinel/population/population.ts";
import { day, home, hour, logins, now, stranger } from "../example.ts";

function confirmedIn(...contexts: readonly Context[]): ConfirmedSession[] {
  return contexts.map((context, n) => ({
    identityId: `user-${n}`,
    at: now - n * hour,
    context,
    behaviour: null,
  }));
}

describe("The population", () => {
  test("counts each value under its coarser ones", () => {
    const oslo = { ...home, asn: 41164 };
    const once = [home, home, oslo, stranger];
    const population = countPopulation(confirmedIn(...once, ...once, ...once), now);
    const share = (context: Context, level: "country" | "asn" | "os", ...values: string[]) =>
      countShare(population, context, level, values);
    expect(population.logins).toBe(12);
    expect(share(home, "country", "NO")).toEqual({ count: 9, all: 12 });
    expect(share(home, "country", "NO", "BR")).toEqual({ count: 12, all: 12 });
    expect(share(home, "asn", "2119")).toEqual({ count: 6, all: 9 });
    expect(share(stranger, "asn", "2119")).toEqual({ count: 0, all: 3 });
    expect(share(home, "os", "Windows")).toEqual({ count: 9, all: 9 });
    expect(share({ ...home, country: "SE" }, "asn", "2119")).toEqual({ count: 0, all: 0 });
  });

  test("knows no addresses, prefixes or agents of anybody", () => {
    const population = countPopulation(confirmedIn(home, stranger), now);
    expect(JSON.stringify(population)).not.toMatch(/address-|prefix-|agent-/);
    for (const level of ["prefix", "address", "agent"] as const) {
      expect(countShare(population, home, level, ["x"])).toEqual({ count: 0, all: 0 });
    }
  });

  test("counts how often a real login is new, by time and number", () => {
    const at = now;
    const history = logins(3, 10 * day);
    const behaviours = [home, stranger, stranger].map((context) => ({
      identityId: "user",
      at,
      context,
      behaviour: compareWithHistory(history, context, null, at),
    }));
    const population = countPopulation(behaviours, now);
    const bucket = bucketOf(10 * day, 3);
    expect(countNovelty(population, "country", bucket)).toEqual({ count: 2, all: 3 });
    // Below a new country nothing is compared.
    expect(countNovelty(population, "asn", bucket)).toEqual({ count: 0, all: 1 });
    expect(countNovelty(population, "country", bucketOf(hour, 3))).toEqual({ count: 0, all: 0 });
  });

  test("counts the hours of the week from Monday midnight", () => {
    expect(hourOfWeek(Date.parse("2026-11-23T00:00:00Z"))).toBe(0);
    expect(hourOfWeek(Date.parse("2026-11-29T23:59:59Z"))).toBe(167);
    expect(hourOfWeek(Date.parse("1970-01-01T00:00:00Z"))).toBe(72);
    const { hours } = countPopulation(confirmedIn(home), now);
    expect(hours[hourOfWeek(now)]).toBe(1);
    expect(hours.reduce((sum, count) => sum + count)).toBe(1);
  });

  test("tells a session the same near it as whole", () => {
    const values = fc.constantFrom("a", "b", "c", "__proto__", "constructor", null);
    const contexts: fc.Arbitrary<Context> = fc.record({
      country: values,
      asn: fc.option(fc.integer({ min: 1, max: 4 })),
      prefix: fc.constant("p"),
      address: fc.constant("x"),
      device: values,
      os: values,
      browser: values,
      agent: fc.constant("y"),
      placeHidden: fc.constant(false),
    });
    fc.assert(
      fc.property(fc.array(contexts, { maxLength: 50 }), contexts, (all, context) => {
        const population = countPopulation(confirmedIn(...all), now);
        const near = narrowPopulation(population, context);
        const history = logins(2, day, all[0] ?? home);
        expect(compareWithHistory(history, context, near, now)).toEqual(
          compareWithHistory(history, context, population, now),
        );
      }),
    );
  });

  test("does not depend on the order of the sessions and survives its own JSON", () => {
    const contexts = [home, stranger, { ...home, country: "SE" }, home];
    const population = countPopulation(confirmedIn(...contexts), now);
    const sessions = confirmedIn(...contexts).toReversed();
    expect(countPopulation(sessions, now)).toEqual(population);
    expect(populationSchema.parse(JSON.parse(JSON.stringify(population)))).toEqual(population);
  });

  test("tells nothing that fewer than three people have", () => {
    const odd = { ...home, browser: "alexander.smith 1" };
    const twice = countPopulation(confirmedIn(home, home, home, odd, odd), now);
    expect(JSON.stringify(twice)).not.toContain("alexander");
    const thrice = countPopulation(confirmedIn(home, home, home, odd, odd, odd), now);
    expect(JSON.stringify(thrice)).toContain("alexander");
  });

  test("counts nobody more than twenty times", () => {
    const restless = Array.from({ length: 500 }, (_, n) => ({
      identityId: "one",
      at: now - n,
      context: stranger,
      behaviour: null,
    }));
    const population = countPopulation([...restless, ...confirmedIn(home, home, home)], now);
    expect(population.logins).toBe(23);
    expect(countShare(population, home, "country", ["NO"])).toEqual({ count: 3, all: 23 });
    expect(countShare(population, home, "country", ["BR"])).toEqual({ count: 0, all: 23 });
  });

  test("takes no name that every object has for a value", () => {
    const odd = { ...home, device: "constructor", os: "toString", browser: "hasOwnProperty" };
    const population = countPopulation(confirmedIn(home, home, home), now);
    for (const level of ["device", "os", "browser"] as const) {
      const { count, all } = countShare(population, odd, level, [odd[level]]);
      expect([count, all]).toEqual([0, level === "device" ? 3 : 0]);
    }
  });

  test("keeps a bounded number of values, the most common ones", () => {
    const many = Array.from({ length: 5_000 }, (_, asn) => ({ ...home, asn: asn + 10 }));
    const thrice = [...many, ...many, ...many, home, home, home, home];
    const population = countPopulation(confirmedIn(...thrice), now);
    const kept = Object.values(population.shares).reduce(
      (sum, siblings) => sum + Object.keys(siblings).length,
      0,
    );
    expect(kept).toBeLessThanOrEqual(2_000);
    expect(countShare(population, home, "asn", ["2119"]).count).toBeGreaterThan(0);
  });
});
