import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareWithHistory } from "../../../src/sentinel/behaviour/behaviour.ts";
import type { Context } from "../../../src/sentinel/context.ts";
import {
  bucketOf,
  type ConfirmedSession,
  countNovelty,
  countPopulation,
  countShare,
  narrowPopulation,
  populationSchema,
  weekHourOf,
} from "../../../src/sentinel/population/population.ts";
import { createLogins, day, hour, now, strangerContext, usualContext } from "../example.ts";

function confirmedSessionsOf(...contexts: readonly Context[]): ConfirmedSession[] {
  return contexts.map((context, n) => ({
    identityId: `user-${n}`,
    at: now - n * hour,
    context,
    behaviour: null,
  }));
}

describe("The population", () => {
  test("counts each value within its coarser values", () => {
    const oslo = { ...usualContext, asn: 41164 };
    const four = [usualContext, usualContext, oslo, strangerContext];
    const population = countPopulation(confirmedSessionsOf(...four, ...four, ...four), now);
    const share = (context: Context, level: "country" | "asn" | "os", ...values: string[]) =>
      countShare(population, context, level, values);
    expect(population.logins).toBe(12);
    expect(share(usualContext, "country", "NO")).toEqual({ count: 9, all: 12 });
    expect(share(usualContext, "country", "NO", "BR")).toEqual({ count: 12, all: 12 });
    expect(share(usualContext, "asn", "2119")).toEqual({ count: 6, all: 9 });
    expect(share(strangerContext, "asn", "2119")).toEqual({ count: 0, all: 3 });
    expect(share(usualContext, "os", "Windows")).toEqual({ count: 9, all: 9 });
    expect(share({ ...usualContext, country: "SE" }, "asn", "2119")).toEqual({ count: 0, all: 0 });
  });

  test("contains no addresses, prefixes or agents", () => {
    const population = countPopulation(confirmedSessionsOf(usualContext, strangerContext), now);
    expect(JSON.stringify(population)).not.toMatch(/address-|prefix-|agent-/);
    for (const level of ["prefix", "address", "agent"] as const) {
      expect(countShare(population, usualContext, level, ["x"])).toEqual({ count: 0, all: 0 });
    }
  });

  test("counts how often a confirmed login is new, by time and number of logins", () => {
    const at = now;
    const history = createLogins(3, 10 * day);
    const behaviours = [usualContext, strangerContext, strangerContext].map((context) => ({
      identityId: "user",
      at,
      context,
      behaviour: compareWithHistory(history, context, null, at),
    }));
    const population = countPopulation(behaviours, now);
    const bucket = bucketOf(10 * day, 3, false);
    // The two strangers come from phones.
    const ofPhones = bucketOf(10 * day, 3, true);
    expect(countNovelty(population, "country", ofPhones)).toEqual({ count: 2, all: 2 });
    expect(countNovelty(population, "country", bucket)).toEqual({ count: 0, all: 1 });
    // The comparison ends at a new country.
    expect(countNovelty(population, "asn", bucket)).toEqual({ count: 0, all: 1 });
    expect(countNovelty(population, "country", bucketOf(hour, 3, false))).toEqual({
      count: 0,
      all: 0,
    });
  });

  test("counts the hours of the week from Monday at midnight", () => {
    expect(weekHourOf(Date.parse("2026-11-23T00:00:00Z"))).toBe(0);
    expect(weekHourOf(Date.parse("2026-11-29T23:59:59Z"))).toBe(167);
    expect(weekHourOf(Date.parse("1970-01-01T00:00:00Z"))).toBe(72);
    const { hours } = countPopulation(confirmedSessionsOf(usualContext), now);
    expect(hours[weekHourOf(now)]).toBe(1);
    expect(hours.reduce((sum, count) => sum + count)).toBe(1);
  });

  test("gives a session the same result when it is narrowed to the session's context", () => {
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
        const population = countPopulation(confirmedSessionsOf(...all), now);
        const narrowed = narrowPopulation(population, context);
        const history = createLogins(2, day, all[0] ?? usualContext);
        expect(compareWithHistory(history, context, narrowed, now)).toEqual(
          compareWithHistory(history, context, population, now),
        );
      }),
    );
  });

  test("does not depend on the order of the sessions, and survives a JSON round trip", () => {
    const contexts = [
      usualContext,
      strangerContext,
      { ...usualContext, country: "SE" },
      usualContext,
    ];
    const population = countPopulation(confirmedSessionsOf(...contexts), now);
    const sessions = confirmedSessionsOf(...contexts).toReversed();
    expect(countPopulation(sessions, now)).toEqual(population);
    expect(populationSchema.parse(JSON.parse(JSON.stringify(population)))).toEqual(population);
  });

  test("omits a value that fewer than three users have", () => {
    const odd = { ...usualContext, browser: "alexander.smith 1" };
    const twice = countPopulation(
      confirmedSessionsOf(usualContext, usualContext, usualContext, odd, odd),
      now,
    );
    expect(JSON.stringify(twice)).not.toContain("alexander");
    const thrice = countPopulation(
      confirmedSessionsOf(usualContext, usualContext, usualContext, odd, odd, odd),
      now,
    );
    expect(JSON.stringify(thrice)).toContain("alexander");
  });

  test("counts one user at most ten times", () => {
    const frequent = Array.from({ length: 500 }, (_, n) => ({
      identityId: "one",
      at: now - n,
      context: strangerContext,
      behaviour: null,
    }));
    const population = countPopulation(
      [...frequent, ...confirmedSessionsOf(usualContext, usualContext, usualContext)],
      now,
    );
    expect(population.logins).toBe(13);
    expect(countShare(population, usualContext, "country", ["NO"])).toEqual({ count: 3, all: 13 });
    expect(countShare(population, usualContext, "country", ["BR"])).toEqual({ count: 0, all: 13 });
  });

  test("does not mistake names of Object.prototype for values", () => {
    const odd = {
      ...usualContext,
      device: "constructor",
      os: "toString",
      browser: "hasOwnProperty",
    };
    const population = countPopulation(
      confirmedSessionsOf(usualContext, usualContext, usualContext),
      now,
    );
    for (const level of ["device", "os", "browser"] as const) {
      const { count, all } = countShare(population, odd, level, [odd[level]]);
      expect([count, all]).toEqual([0, level === "device" ? 3 : 0]);
    }
  });

  test("keeps a bounded number of values: the most common ones", () => {
    const many = Array.from({ length: 5_000 }, (_, asn) => ({ ...usualContext, asn: asn + 10 }));
    const thrice = [
      ...many,
      ...many,
      ...many,
      usualContext,
      usualContext,
      usualContext,
      usualContext,
    ];
    const population = countPopulation(confirmedSessionsOf(...thrice), now);
    const count = Object.values(population.shares).reduce(
      (sum, siblings) => sum + Object.keys(siblings).length,
      0,
    );
    expect(count).toBeLessThanOrEqual(2_000);
    expect(countShare(population, usualContext, "asn", ["2119"]).count).toBeGreaterThan(0);
  });
});
