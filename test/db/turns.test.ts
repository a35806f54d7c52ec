/** Jobs with a bound reach every tenant, in turn. */
import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { controlDbOf } from "../../src/db/shards.ts";
import { divideFairly, forEachInTurn, orderInTurn } from "../../src/db/turns.ts";

afterEach(() => vi.restoreAllMocks());

const ids = ["a", "b", "c", "d", "e"];

/** Runs the job `archive` over five tenants, two in each run. @returns the tenants of each run */
async function runJobs(count: number, work: (tenantId: string) => Promise<void>) {
  const db = controlDbOf(env);
  const runs: string[][] = [];
  for (let run = 0; run < count; run += 1) {
    const reached: string[] = [];
    const list = async (limit: number) =>
      await db.all<{ tenantId: string }>(
        sql`SELECT value AS tenantId FROM json_each(${JSON.stringify(ids)})
          ORDER BY ${orderInTurn("archive", sql`value`)} LIMIT ${limit}`,
      );
    const job = { job: "archive", failure: "audit_archive_failed", maxTenants: 2 } as const;
    await forEachInTurn(db, job, list, async ({ tenantId }) => {
      reached.push(tenantId);
      await work(tenantId);
    });
    runs.push(reached);
  }
  return runs;
}

describe("A job with a bound", () => {
  it("continues where its previous run ended, and begins again after the last tenant", async () => {
    expect(await runJobs(4, async () => {})).toEqual([
      ["a", "b"],
      ["c", "d"],
      ["e", "a"],
      ["b", "c"],
    ]);
  });

  it("reaches every tenant although the work of some always fails", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const reached = await runJobs(3, async (tenantId) => {
      if (tenantId < "d") throw new Error("always");
    });
    expect(new Set(reached.flat())).toEqual(new Set(ids));
    expect(error.mock.calls.length).toBeGreaterThan(2);
  });
});

describe("A bound over all databases", () => {
  it.each([
    [10, [3, 3], [3, 3]],
    [10, [1, 20], [1, 9]],
    [10, [0, 8, 8, 8], [0, 4, 3, 3]],
    [2, [5, 5, 5], [1, 1, 0]],
    [0, [5], [0]],
    [5, [], []],
  ])("of %i is divided by what waits in each: %j", (total, needs, shares) => {
    expect(divideFairly(total, needs)).toEqual(shares);
  });
});
