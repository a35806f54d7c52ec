/** The body of every fuzz file: so many requests from one seed, one after the other. */
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { provideJurisdictions } from "../support/jurisdictions.ts";
import { documentedOperations } from "./document.ts";
import { Known } from "./known.ts";
import { requestBeside, requestTo } from "./request-arbitrary.ts";
import { sendPlanned } from "./send-planned.ts";

const maxTold = 10;
const takesAtMostMs = 600_000;
/** With as many requests each route is accepted at least once, and refused at least once. */
const reachesAll = 1_000;

/** Statuses seen, by route. */
class Tally {
  readonly #counts = new Map<string, Map<number, number>>();

  add(route: string, status: number): void {
    const counts = this.#counts.get(route) ?? new Map<number, number>();
    counts.set(status, (counts.get(status) ?? 0) + 1);
    this.#counts.set(route, counts);
  }

  has(route: string, isMeant: (status: number) => boolean): boolean {
    return [...(this.#counts.get(route)?.keys() ?? [])].some(isMeant);
  }

  toString(): string {
    return [...this.#counts]
      .map(([route, counts]) => {
        const sorted = [...counts].toSorted(([a], [b]) => a - b);
        return `${route}: ${sorted.map(([status, count]) => `${status} × ${count}`).join(", ")}`;
      })
      .join("\n");
  }
}

declare module "vitest" {
  interface ProvidedContext {
    /** Requests per file, and what is added to the seed of each; see vitest.config.ts. */
    fuzz: { readonly requests: number; readonly seed: number };
  }
}

/** @param file of all that run, each with a seed of its own */
export function fuzzEveryRoute(file: number): void {
  const { requests, seed: firstSeed } = inject("fuzz");
  const seed = firstSeed + file;

  describe(`${requests} requests from the OpenAPI document, seed ${seed}`, () => {
    it("are answered as documented, never with a fault, and accepted only where it allows", {
      timeout: takesAtMostMs,
    }, async () => {
      // Else the document allows what only the platform can do.
      provideJurisdictions();
      const operations = await documentedOperations();
      const known = await Known.create();
      const toAnyRoute = fc.constantFrom(...operations).chain(requestTo);
      const planned = fc.sample(
        fc.oneof(
          { weight: 19, arbitrary: toAnyRoute },
          { weight: 1, arbitrary: requestBeside(operations) },
        ),
        { seed, numRuns: requests },
      );
      const tally = new Tally();
      const complaints: string[] = [];
      for (const [place, request] of planned.entries()) {
        const outcome = await sendPlanned(request, operations, known);
        tally.add(request.route ?? "(no such route)", outcome.status);
        complaints.push(...outcome.complaints.map((what) => `request ${place}: ${what}`));
      }
      // biome-ignore lint/suspicious/noConsole: the figures are what a run is read for.
      console.info(`seed ${seed}\n${tally}`);
      expect(complaints.slice(0, maxTold)).toEqual([]);
      // A few hundred need not reach everything.
      if (requests < reachesAll) return;
      for (const { name } of operations) {
        expect(
          tally.has(name, (status) => status < 300),
          `a success of ${name}`,
        ).toBe(true);
        expect(
          tally.has(name, (status) => status >= 400),
          `a refusal of ${name}`,
        ).toBe(true);
      }
    });
  });
}
