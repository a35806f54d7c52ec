/** Long computations: requests that compute for long do not hold up the others of their isolate. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { integrateLog } from "../../src/audit/tree/integrate.ts";
import { mapInSlices } from "../../src/slices.ts";
import { type Answer, fetchAnswer, Tenant, User } from "../support/client.ts";
import { eventOf, fetchCheckpoint, fetchExport, fileEvents, sql } from "../support/trail.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));

/**
 * Sends `GET /healthz` in a turn of its own as soon as D1 has answered with rows of that many columns.
 * @returns the order in which that request and the named work end
 */
async function recordOrder(
  columns: number,
  work: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<string[]> {
  const order: string[] = [];
  let health: Promise<unknown> | undefined;
  const checkHealth = async () => {
    await scheduler.wait(0);
    expect((await fetchAnswer(new Request("https://idp.test/healthz"))).status).toBe(200);
    order.push("healthz");
  };
  const real = statement.raw;
  vi.spyOn(statement, "raw").mockImplementation(async function (this: unknown, ...args: unknown[]) {
    const rows: unknown[][] = await real.apply(this, args);
    if (rows[0]?.length === columns) health ??= checkHealth();
    return rows;
  });
  await Promise.all(
    Object.entries(work).map(async ([name, run]) => {
      await run();
      order.push(name);
    }),
  );
  await health;
  return order;
}

const assessmentColumns = 16;

/** A tenant with so many assessments of one user. */
async function createTenantWithAssessments(count: number): Promise<Tenant> {
  const tenant = await Tenant.create();
  const user = await User.provision(tenant);
  await user.assess({ ua: "" });
  await user.events();
  await sql(
    `WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ${count - 1})
    INSERT INTO assessments SELECT tenant_id,
      printf('%012x', at + 60000) || printf('%012x', n) || identity_id, identity_id, at, model,
      risk_score, recommendation, reasons, degraded, evidence, context_digest, evidence_digest,
      policy, verdict, verdict_source, verdict_at
    FROM assessments, copy WHERE tenant_id = ?`,
    tenant.id,
  );
  return tenant;
}

async function simulate(tenant: Tenant, fields: object = {}): Promise<Answer> {
  const simulation = { sentinel: { challenge_at: 0.001, deny_at: 0.002 }, ...fields };
  return await tenant.send("POST", "/v1/sentinel/simulate", { simulation });
}

describe("Simulations", () => {
  let tenant: Tenant;
  let other: Tenant;

  beforeAll(async () => {
    tenant = await createTenantWithAssessments(520);
    other = await createTenantWithAssessments(520);
  });

  it("of 500 assessments, four at once, are overtaken by a request that arrives while they compute", async () => {
    const run = (of: Tenant) => async () => expect((await simulate(of)).status).toBe(200);
    const order = await recordOrder(assessmentColumns, {
      one: run(tenant),
      two: run(tenant),
      three: run(other),
      four: run(other),
    });
    expect(order).toEqual([
      "healthz",
      ...["one", "two", "three", "four"].map(() => expect.anything()),
    ]);
  });

  it("let others run after every hundred entries of each draft list and every fifty assessments", async () => {
    const list = (first: number) =>
      Array.from({ length: 500 }, (_, n) => `${first}.0.${n >> 8}.${n & 255}`);
    const wait = vi.spyOn(scheduler, "wait");
    const answer = await simulate(tenant, { sentinel: { allow: list(1), deny: list(2) } });
    expect(answer.status).toBe(200);
    expect(wait.mock.calls.filter(([ms]) => ms === 0)).toHaveLength(4 + 4 + 10);
  });

  it("page through all assessments, 500 in each answer", async () => {
    const first = (await simulate(tenant)).body.simulation;
    expect(first).toMatchObject({ replayed: 500, other_model: 0, has_more: true });
    const second = (await simulate(tenant, { after: first.next_after })).body.simulation;
    expect(second).toMatchObject({ replayed: 20, has_more: false, next_after: null });
    const changed = [...first.changed, ...second.changed];
    expect(new Set(changed.map(({ assessment_id: id }) => id)).size).toBe(520);
  });

  it("of one tenant are at most two at once, and do not use up what others may have", async () => {
    const answers = await Promise.all([
      ...[1, 2, 3, 4].map(() => simulate(tenant)),
      ...[1, 2].map(() => simulate(other)),
    ]);
    expect(answers.slice(0, 4).map(({ status }) => status)).toEqual([200, 200, 429, 429]);
    expect(answers.slice(4).map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[3]?.body.code).toBe("rate_limited");
    expect(answers[3]?.headers.get("Retry-After")).toBe("1");
    expect((await simulate(tenant)).status).toBe(200);
  });
});

describe("Work on the audit trail", () => {
  const eventColumns = 17;

  it("is overtaken by a request that arrives while it computes: an export, a list, an integration", async () => {
    const tenant = await Tenant.create();
    await fileEvents(
      tenant.id,
      Array.from({ length: 400 }, () => eventOf(tenant.id, Date.now())),
    );
    const integrated = await recordOrder(eventColumns, {
      integration: () => integrateLog(env, tenant.id, Date.now()),
    });
    expect(integrated).toEqual(["healthz", "integration"]);
    vi.restoreAllMocks();
    await fetchCheckpoint(tenant);
    const exported = await recordOrder(eventColumns + 2, { export: () => fetchExport(tenant) });
    expect(exported).toEqual(["healthz", "export"]);
    vi.restoreAllMocks();
    const listed = await recordOrder(eventColumns, {
      list: () => tenant.send("GET", "/v1/audit/events?limit=100"),
    });
    expect(listed).toEqual(["healthz", "list"]);
  });
});

describe("Work in slices", () => {
  it("keeps the order, and yields between slices only", async () => {
    const wait = vi.spyOn(scheduler, "wait");
    const items = Array.from({ length: 7 }, (_, n) => n);
    expect(await mapInSlices(items, 3, (n) => 2 * n)).toEqual(items.map((n) => 2 * n));
    expect(wait).toHaveBeenCalledTimes(2);
    expect(await mapInSlices([], 3, (n) => n)).toEqual([]);
    expect(await mapInSlices([1, 2, 3], 3, async (n) => n)).toEqual([1, 2, 3]);
    expect(wait).toHaveBeenCalledTimes(2);
  });
});
