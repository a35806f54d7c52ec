/** The body of every fuzz file: a number of requests from one seed, in sequence. */
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { provideJurisdictions } from "../support/jurisdictions.ts";
import { readOperations } from "./document.ts";
import { Known } from "./known.ts";
import { requestTo, requestToUnknown } from "./request-arbitrary.ts";
import { sendPlanned } from "./send-planned.ts";

const maxShown = 10;
/**
 * No random request deletes a tenant, which must have been suspended long enough, and none has the answer of an
 * authenticator to a challenge.
 */
const neverAccepted = ["deleteTenant", "registerPasskey", "verifyPasskey"];
const timeoutMs = 600_000;
/** From this number of requests on, each route must be accepted at least once and refused at least once. */
const minRequestsForCoverage = 1_000;

/** Counts the statuses of each route. */
class Tally {
  readonly #counts = new Map<string, Map<number, number>>();

  add(route: string, status: number): void {
    const counts = this.#counts.get(route) ?? new Map<number, number>();
    counts.set(status, (counts.get(status) ?? 0) + 1);
    this.#counts.set(route, counts);
  }

  has(route: string, isExpected: (status: number) => boolean): boolean {
    return [...(this.#counts.get(route)?.keys() ?? [])].some(isExpected);
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
    /** The number of requests per file, and the base of the seeds. See vitest.config.ts. */
    fuzz: { readonly requests: number; readonly seed: number };
  }
}

/** @param file the number of the file; each file has its own seed */
export function fuzzEveryRoute(file: number): void {
  const { requests, seed: firstSeed } = inject("fuzz");
  const seed = firstSeed + file;

  describe(`${requests} requests from the OpenAPI document, seed ${seed}`, () => {
    it("get documented answers, never a 5xx status, and success only if the document allows the request", {
      timeout: timeoutMs,
    }, async () => {
      // The document allows jurisdictions, which only the platform supports.
      provideJurisdictions();
      const operations = await readOperations();
      const known = await Known.create();
      const toAnyRoute = fc.constantFrom(...operations).chain(requestTo);
      const planned = fc.sample(
        fc.oneof(
          { weight: 19, arbitrary: toAnyRoute },
          { weight: 1, arbitrary: requestToUnknown(operations) },
        ),
        { seed, numRuns: requests },
      );
      const tally = new Tally();
      const complaints: string[] = [];
      for (const [position, request] of planned.entries()) {
        const outcome = await sendPlanned(request, operations, known);
        tally.add(request.route ?? "(unknown route)", outcome.status);
        complaints.push(...outcome.complaints.map((what) => `request ${position}: ${what}`));
      }
      // biome-ignore lint/suspicious/noConsole: the counts are the result of a run.
      console.info(`seed ${seed}\n${tally}`);
      expect(complaints.slice(0, maxShown)).toEqual([]);
      // A few hundred requests need not cover everything.
      if (requests < minRequestsForCoverage) return;
      for (const { name } of operations) {
        expect(
          neverAccepted.includes(name) || tally.has(name, (status) => status < 300),
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
