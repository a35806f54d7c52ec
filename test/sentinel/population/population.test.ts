import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { behaviourOf } from "../../../src/sentinel/behaviour/behaviour.ts";
import type { Context } from "../../../src/sentinel/context.ts";
import {
  bucketOf,
  type ConfirmedSession,
  hourOfWeek,
  noveltyIn,
  populationNear,
  populationOf,
  populationSchema,
  shareOf,
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
    const population = populationOf(confirmedIn(...once, ...once, ...once), now);
    const share = (context: Context, level: "country" | "asn" | "os", ...values: string[]) =>
      shareOf(population, context, level, values);
    expect(population.logins).toBe(12);
    expect(share(home, "country", "NO")).toEqual({ count: 9, all: 12 });
    expect(share(home, "country", "NO", "BR")).toEqual({ count: 12, all: 12 });
    expect(share(home, "asn", "2119")).toEqual({ count: 6, all: 9 });
    expect(share(stranger, "asn", "2119")).toEqual({ count: 0, all: 3 });
    expect(share(home, "os", "Windows")).toEqual({ count: 9, all: 9 });
    expect(share({ ...home, country: "SE" }, "asn", "2119")).toEqual({ count: 0, all: 0 });
  });

  test("knows no addresses, prefixes or agents of anybody", () => {
    const population = populationOf(confirmedIn(home, stranger), now);
    expect(JSON.stringify(population)).not.toMatch(/address-|prefix-|agent-/);
    for (const level of ["prefix", "address", "agent"] as const) {
      expect(shareOf(population, home, level, ["x"])).toEqual({ count: 0, all: 0 });
    }
  });

  test("counts how often a real login is new, by time and number", () => {
    const at = now;
    const history = logins(3, 10 * day);
    const behaviours = [home, stranger, stranger].map((context) => ({
      identityId: "user",
      at,
      context,
      behaviour: behaviourOf(history, context, null, at),
    }));
    const population = populationOf(behaviours, now);
    const bucket = bucketOf(10 * day, 3);
    expect(noveltyIn(population, "country", bucket)).toEqual({ count: 2, all: 3 });
    // Below a new country nothing is compared.
    expect(noveltyIn(population, "asn", bucket)).toEqual({ count: 0, all: 1 });
    expect(noveltyIn(population, "country", bucketOf(hour, 3))).toEqual({ count: 0, all: 0 });
  });

  test("counts the hours of the week from Monday midnight", () => {
    expect(hourOfWeek(Date.parse("2026-11-23T00:00:00Z"))).toBe(0);
    expect(hourOfWeek(Date.parse("2026-11-29T23:59:59Z"))).toBe(167);
    expect(hourOfWeek(Date.parse("1970-01-01T00:00:00Z"))).toBe(72);
    const { hours } = populationOf(confirmedIn(home), now);
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
        const population = populationOf(confirmedIn(...all), now);
        const near = populationNear(population, context);
        const history = logins(2, day, all[0] ?? home);
        expect(behaviourOf(history, context, near, now)).toEqual(
          behaviourOf(history, context, population, now),
        );
      }),
    );
  });

  test("does not depend on the order of the sessions and survives its own JSON", () => {
    const contexts = [home, stranger, { ...home, country: "SE" }, home];
    const population = populationOf(confirmedIn(...contexts), now);
    const sessions = confirmedIn(...contexts).toReversed();
    expect(populationOf(sessions, now)).toEqual(population);
    expect(populationSchema.parse(JSON.parse(JSON.stringify(population)))).toEqual(population);
  });

  test("tells nothing that fewer than three people have", () => {
    const odd = { ...home, browser: "alexander.smith 1" };
    const twice = populationOf(confirmedIn(home, home, home, odd, odd), now);
    expect(JSON.stringify(twice)).not.toContain("alexander");
    const thrice = populationOf(confirmedIn(home, home, home, odd, odd, odd), now);
    expect(JSON.stringify(thrice)).toContain("alexander");
  });

  test("counts nobody more than twenty times", () => {
    const restless = Array.from({ length: 500 }, (_, n) => ({
      identityId: "one",
      at: now - n,
      context: stranger,
      behaviour: null,
    }));
    const population = populationOf([...restless, ...confirmedIn(home, home, home)], now);
    expect(population.logins).toBe(23);
    expect(shareOf(population, home, "country", ["NO"])).toEqual({ count: 3, all: 23 });
    expect(shareOf(population, home, "country", ["BR"])).toEqual({ count: 0, all: 23 });
  });

  test("takes no name that every object has for a value", () => {
    const odd = { ...home, device: "constructor", os: "toString", browser: "hasOwnProperty" };
    const population = populationOf(confirmedIn(home, home, home), now);
    for (const level of ["device", "os", "browser"] as const) {
      const { count, all } = shareOf(population, odd, level, [odd[level]]);
      expect([count, all]).toEqual([0, level === "device" ? 3 : 0]);
    }
  });

  test("keeps a bounded number of values, the most common ones", () => {
    const many = Array.from({ length: 5_000 }, (_, asn) => ({ ...home, asn: asn + 10 }));
    const thrice = [...many, ...many, ...many, home, home, home, home];
    const population = populationOf(confirmedIn(...thrice), now);
    const kept = Object.values(population.shares).reduce(
      (sum, siblings) => sum + Object.keys(siblings).length,
      0,
    );
    expect(kept).toBeLessThanOrEqual(2_000);
    expect(shareOf(population, home, "asn", ["2119"]).count).toBeGreaterThan(0);
  });
});
