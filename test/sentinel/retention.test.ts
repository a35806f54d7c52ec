/** How long D1 keeps assessments, and what their deletion changes. */
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { controlDbOf } from "../../src/db/shards.ts";
import { deleteExpired } from "../../src/housekeeping.ts";
import { deleteAssessmentsWithin } from "../../src/sentinel/assessments/expired-store.ts";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { loseStorage } from "../support/guard.ts";
import { rowsOf, sql } from "../support/trail.ts";

const dayMs = 24 * 60 * 60 * 1000;

async function createUser(days?: number): Promise<User> {
  const tenant = await Tenant.create();
  if (days !== undefined) await tenant.setSettings({ retention: { assessment_days: days } });
  return await User.provision(tenant);
}

async function assessAndDeliver(user: User): Promise<string> {
  const { assessment_id: id } = await user.assess();
  await drainOutbox(user);
  return id;
}

async function countStored({ tenant }: User): Promise<number> {
  return (await rowsOf("assessments", tenant.id)).length;
}

/** Inserts copies of the user's assessment under the ids that follow, from the given number of days ago. */
async function insertOldCopies({ tenant, id }: User, count: number, daysAgo: number) {
  await sql(
    `WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ${count})
    INSERT INTO assessments (tenant_id, id, identity_id, at, model, risk_score, recommendation,
      reasons, degraded, evidence, context_digest)
    SELECT ?1, printf('%012x%012x', ?2, n) || ?3, ?3, 0, 'sentinel-2', 0, 'allow', '[]', '[]', '{}', ''
    FROM copy`,
    ...[tenant.id, String(Date.now() - daysAgo * dayMs), id],
  );
}

describe("Assessments", () => {
  it("are deleted after the days that their tenant has set, 90 by default", async () => {
    const [brief, usual, long] = [await createUser(7), await createUser(), await createUser(400)];
    for (const user of [brief, usual, long]) await assessAndDeliver(user);
    const countAfter = async (days: number) => {
      await deleteExpired(env, Date.now() + days * dayMs);
      return await Promise.all([brief, usual, long].map(countStored));
    };
    expect(await countAfter(6)).toEqual([1, 1, 1]);
    expect(await countAfter(8)).toEqual([0, 1, 1]);
    expect(await countAfter(89)).toEqual([0, 1, 1]);
    expect(await countAfter(91)).toEqual([0, 0, 1]);
    expect(await countAfter(401)).toEqual([0, 0, 0]);
  });

  it.each(["2199-12-31T00:00:00Z", "2000-01-01T00:00:00Z"])(
    "age from their arrival, whatever the test clock: %s",
    async (clock) => {
      const user = await createUser();
      user.tenant.clock = clock;
      await assessAndDeliver(user);
      await deleteExpired(env, Date.now() + 89 * dayMs);
      expect(await countStored(user)).toBe(1);
      await deleteExpired(env, Date.now() + 91 * dayMs);
      expect(await countStored(user)).toBe(0);
    },
  );

  it("of an older build, with an id from a test clock in the future, are deleted", async () => {
    const user = await createUser();
    await insertOldCopies(user, 1, -20 * 365);
    await assessAndDeliver(user);
    expect(await countStored(user)).toBe(2);
    await deleteExpired(env, Date.now());
    expect(await countStored(user)).toBe(1);
  });

  it("are deleted in the order of the ranges, and no more than the limit at once", async () => {
    const [first, second] = [await createUser(), await createUser()];
    for (const user of [first, second]) await insertOldCopies(user, 3, 100);
    const ranges = [first, second].map(({ tenant }) => ({
      tenantId: tenant.id,
      from: "",
      below: "g",
    }));
    const db = controlDbOf(env);
    expect(await deleteAssessmentsWithin(db, ranges, 4)).toBe(4);
    expect([await countStored(first), await countStored(second)]).toEqual([0, 2]);
    expect(await deleteAssessmentsWithin(db, ranges, 4)).toBe(2);
    expect(await deleteAssessmentsWithin(db, ranges, 4)).toBe(0);
  });

  it("are deleted at a cost that does not depend on those that stay", async () => {
    const user = await createUser();
    await insertOldCopies(user, 5_000, 10);
    await insertOldCopies(user, 5, 100);
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
    const real = statement.run;
    const read: number[] = [];
    const spy = vi.spyOn(statement, "run").mockImplementation(async function (this: unknown) {
      const answer = await real.apply(this);
      read.push(answer.meta.rows_read);
      return answer;
    });
    const range = { tenantId: user.tenant.id, from: "", below: "0" };
    const [oldest] = await rowsOf("assessments", user.tenant.id);
    const below = `${String(oldest?.id).slice(0, 12)}${"f".repeat(36)}`;
    expect(await deleteAssessmentsWithin(controlDbOf(env), [{ ...range, below }], 100)).toBe(5);
    spy.mockRestore();
    expect(Math.max(...read)).toBeLessThan(50);
    expect(await countStored(user)).toBe(5_000);
  });
});

describe("When its assessments are deleted", () => {
  it("a user keeps the history that Sentinel learned, and feedback finds no assessment", async () => {
    const user = await createUser(7);
    const { assessment_id: id } = await user.assess();
    expect((await user.sendFeedback(id, "legitimate")).status).toBe(204);
    await drainOutbox(user);
    const { risk_score: known } = await user.assess();
    await drainOutbox(user);
    vi.setSystemTime(Date.now() + 8 * dayMs);
    try {
      expect((await user.sendFeedback(id, "fraud")).body.code).toBe("assessment_not_found");
      await deleteExpired(env, Date.now());
      expect(await countStored(user)).toBe(0);
      const { risk_score: later, reasons } = await user.assess();
      expect(reasons[0].detail).toContain("the last of 2 sessions, 1 of them");
      expect(known).toBeLessThan(0.05);
      expect(later).toBeLessThan(0.05);
    } finally {
      vi.useRealTimers();
    }
  });

  it("a guard that lost its storage has lost that history", async () => {
    const user = await createUser(7);
    await user.sendFeedback((await user.assess()).assessment_id, "legitimate");
    await drainOutbox(user);
    await deleteExpired(env, Date.now() + 8 * dayMs);
    await loseStorage(user);
    expect((await user.assess()).risk_score).toBe(0.05);
  });
});
