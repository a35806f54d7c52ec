/** The statistics equal a plain reading of the trail, however the events arrived and whatever interrupted the counting. */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, inject, it } from "vitest";
import type { AuditEvent } from "../../../src/audit/event.ts";
import { deleteArchivedSuccesses } from "../../../src/audit/statistics/store.ts";
import { archiveLogs } from "../../../src/audit/tree/archive.ts";
import { countBacklogs, rebuildStatistics } from "../../../src/audit/tree/count-backlog.ts";
import { writeHeads } from "../../../src/audit/tree/head-store.ts";
import { integrateLog, integrateLogs } from "../../../src/audit/tree/integrate.ts";
import { controlDbOf } from "../../../src/db/shards.ts";
import { findRetentionDays } from "../../../src/tenancy/find-retention.ts";
import { Tenant, User } from "../../support/client.ts";
import { countCalls } from "../../support/count-calls.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import { killWorkerAfter } from "../../support/killed-worker.ts";
import { relocateFully } from "../../support/relocation.ts";
import {
  countMonthlyUsers,
  countTrail,
  fetchStatistics,
  fetchUsage,
  readAllCounts,
  rebuild,
} from "../../support/statistics.ts";
import { eventOf, fileEvents, rowsOf, sql } from "../../support/trail.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
const today = new Date();
/** The last day of a month, so that the events lie in two. */
const start = Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), 0);
const range = `from=${new Date(start - dayMs).toISOString()}&to=${new Date(Date.now() + 2 * dayMs).toISOString()}`;

const kinds = [
  ["otp.verified", "success", null],
  ["otp.verified", "success", null],
  ["otp.verified", "failure", "invalid_code"],
  ["otp.verified", "refused", "user_locked"],
  ["otp.configured", "success", null],
  ["otp.configured", "refused", "user_suspended"],
  ["otp.confirmed", "success", null],
  ["authenticator.added", "success", null],
  ["authenticator.added", "refused", "too_many"],
  ["authenticator.renamed", "success", null],
  ["authenticator.removed", "success", null],
  ["authenticator.removed", "refused", "authenticator_not_found"],
  ["otp.removed", "success", null],
  ["otp.removed", "refused", "otp_not_configured"],
  ["otp.disabled", "success", "too_many_failures"],
  ["user.locked", "success", "too_many_failures"],
  ["user.unlocked", "success", null],
  ["session.assessed", "success", "allow"],
  ["session.assessed", "success", "challenge"],
  ["session.assessed", "success", "deny"],
  ["session.assessed", "refused", "user_suspended"],
  ["passkey.verified", "success", null],
  ["passkey.verified", "failure", "signature"],
  ["passkey.verified", "refused", "user_suspended"],
  ["passkey.registered", "success", null],
  ["passkey.registered", "failure", "origin"],
  ["passkey.registered", "refused", "verification_required"],
  ["passkey.renamed", "success", null],
  ["passkey.removed", "success", null],
  ["passkey.removed", "refused", "passkey_not_found"],
  ["request.refused", "refused", "rate_limited"],
  ["token.created", "success", null],
] as const;

interface Drawn {
  readonly kind: number;
  readonly user: number;
  /** From `start` on. */
  readonly minutes: number;
  readonly count: number;
}

const drawnEvent: fc.Arbitrary<Drawn> = fc.record({
  kind: fc.nat(kinds.length - 1),
  user: fc.nat(3),
  minutes: fc.nat(3 * 24 * 60),
  count: fc.integer({ min: 1, max: 9 }),
});

function toEvent(tenantId: string, { kind, user, minutes, count }: Drawn): AuditEvent {
  const [action, outcome, reason] = kinds[kind] ?? kinds[0];
  return {
    ...eventOf(tenantId, start + minutes * 60_000),
    action,
    outcome,
    reason,
    target: { type: "identity", id: String(user).repeat(24) },
    details: outcome === "refused" ? { count } : {},
  };
}

/** Files events of some hours: several users, each with several verifications, out of order. */
async function fileSample(tenant: Tenant, count: number): Promise<void> {
  const drawn = Array.from({ length: count }, (_, n) => ({
    kind: n % 3,
    user: (n * 7) % 4,
    count: 2,
    minutes: (n * 997) % (3 * 24 * 60),
  }));
  await fileEvents(
    tenant.id,
    drawn.map((one) => toEvent(tenant.id, one)),
  );
}

const small = { maxEvents: 7, maxBytes: 1_000_000 };

async function integrate(tenant: Tenant): Promise<void> {
  await integrateLog(env, tenant.id, Date.now());
}

async function expectExact(tenant: Tenant): Promise<void> {
  const [tree] = await rowsOf("audit_trees", tenant.id);
  expect(tree?.counted_size).toBe(tree?.size);
  expect(await readAllCounts(tenant, range)).toEqual(await countTrail(tenant));
  const usage = await fetchUsage(tenant, range);
  expect(usage.active_users).toBe(await countMonthlyUsers(tenant));
  expect([usage.events, usage.complete]).toEqual([tree?.size, true]);
}

/** Interruptions of an integration. */
const interruptions: readonly ((tenant: Tenant) => Promise<unknown>)[] = [
  integrate,
  (tenant) => Promise.all([integrate(tenant), integrateLogs(env, Date.now()), integrate(tenant)]),
  () => withD1Fault("loses the reply to a write", () => integrateLogs(env, Date.now())),
  () => withD1Fault("fails on write", () => integrateLogs(env, Date.now())),
  async (tenant) => {
    await integrate(tenant);
    await rebuildStatistics(env, tenant.id, { isRestart: true, steps: 2 }, small);
  },
  (tenant) =>
    Promise.all([
      rebuildStatistics(env, tenant.id, { isRestart: true, steps: 9 }, small),
      integrate(tenant),
      rebuildStatistics(env, tenant.id, { isRestart: false, steps: 9 }, small),
    ]),
];

const campaignTimeoutMs = 300_000;

describe("The statistics", () => {
  it("equal a plain reading of the trail, whatever the order, the times and the interruptions", {
    timeout: campaignTimeoutMs,
  }, async () => {
    const steps = fc.array(
      fc.record({
        events: fc.array(drawnEvent, { minLength: 1, maxLength: 20 }),
        interruption: fc.nat(interruptions.length - 1),
      }),
      { minLength: 2, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const tenant = await Tenant.create();
        for (const { events, interruption } of all) {
          await fileEvents(
            tenant.id,
            events.map((one) => toEvent(tenant.id, one)),
          );
          await interruptions[interruption]?.(tenant);
        }
        await integrate(tenant);
        await rebuildStatistics(env, tenant.id, { isRestart: false, steps: 100 }, small);
        await expectExact(tenant);
      }),
      { numRuns: inject("isFull") ? 60 : 6 },
    );
  });

  it("count no head twice whose answer D1 lost, because the repeated run signs the same head", async () => {
    const tenant = await Tenant.create();
    const other = await Tenant.create();
    await fileSample(tenant, 30);
    await withD1Fault("loses the reply to a write", () => integrateLogs(env, Date.now()));
    await expectExact(tenant);
    await expectExact(other);
  });

  it("do not count a head that an older build was faster to write", async () => {
    const tenant = await Tenant.create();
    await integrate(tenant);
    const before = await rowsOf("tenant_statistics", tenant.id);
    await sql("UPDATE audit_trees SET size = 3 WHERE tenant_id = ?", tenant.id);
    const [tree] = await rowsOf("audit_trees", tenant.id);
    const recentBefore = String(tree?.recent_counts);
    const finishedHours = [{ hour: 1, counts: { events: 1 } }];
    const counts = { recentBefore, recentCounts: null, finishedHours };
    const tiles = { finished: [], unfinishedTiles: "[]" };
    const head = { tenantId: tenant.id, size: 3, extendsSize: 2, note: "a note", ...tiles };
    expect(await writeHeads(controlDbOf(env), [{ ...head, ...counts }])).toEqual(new Set());
    expect(await rowsOf("tenant_statistics", tenant.id)).toEqual(before);
    expect(await rowsOf("audit_trees", tenant.id)).toEqual([tree]);
  });

  it("write a row when a later hour begins, and one for each other hour of an integration", async () => {
    const tenant = await Tenant.create();
    await integrate(tenant);
    const hour = Math.ceil(Date.now() / hourMs) * hourMs;
    const countRowsAfter = async (...minutes: readonly number[]) => {
      await fileEvents(
        tenant.id,
        minutes.map((minute) => eventOf(tenant.id, hour + minute * 60_000)),
      );
      const { counts } = await countCalls(() => integrate(tenant));
      // The head is a row too.
      return counts.d1RowsWritten - 1;
    };
    // The hour of the tenant's creation is finished.
    expect(await countRowsAfter(0)).toBe(1);
    expect(await countRowsAfter(2, 10)).toBe(0);
    expect(await countRowsAfter(1, 70)).toBe(1);
    // An event that was delivered late.
    expect(await countRowsAfter(5)).toBe(1);
    expect(await countRowsAfter(-10, 71, 200)).toBe(2);
    const counted = await rowsOf("tenant_statistics", tenant.id);
    const sumOf = (counts: unknown) => JSON.parse(String(counts)).events;
    expect(counted.map(({ counts }) => sumOf(counts))).toEqual([3, 5, 2]);
    const [tree] = await rowsOf("audit_trees", tenant.id);
    expect(tree).toMatchObject({ size: 11, counted_size: 11 });
    expect(JSON.parse(String(tree?.recent_counts)).counts).toEqual({ events: 1 });
  });

  it("count leaves later if their hour's counts in the row are not those that the run has read", async () => {
    const tenant = await Tenant.create();
    await fileSample(tenant, 10);
    await integrate(tenant);
    const [tree] = await rowsOf("audit_trees", tenant.id);
    const size = Number(tree?.size);
    const head = { tenantId: tenant.id, size: size + 1, extendsSize: size, note: "a note" };
    const counts = { recentBefore: null, recentCounts: "{}", finishedHours: [] };
    const tiles = { finished: [], unfinishedTiles: "[]" };
    await writeHeads(controlDbOf(env), [{ ...head, ...tiles, ...counts }]);
    expect((await rowsOf("audit_trees", tenant.id))[0]).toMatchObject({
      size: size + 1,
      counted_size: size,
      recent_counts: tree?.recent_counts,
    });
  });

  it("count what an older build integrated without counting, in the background", async () => {
    const tenant = await Tenant.create();
    await fileSample(tenant, 30);
    await integrate(tenant);
    // What an older build leaves: a head, and no counts.
    await sql("DELETE FROM tenant_statistics WHERE tenant_id = ?", tenant.id);
    await sql(
      "UPDATE audit_trees SET counted_size = 0, recent_counts = NULL WHERE tenant_id = ?",
      tenant.id,
    );
    await fileSample(tenant, 20);
    await integrate(tenant);
    const { body } = await fetchStatistics(tenant, `metric=verifications&${range}`);
    expect([body.counted_events, body.complete]).toEqual([0, false]);
    await countBacklogs(env, Date.now(), small);
    await expectExact(tenant);
    await fileSample(tenant, 5);
    await integrate(tenant);
    await expectExact(tenant);
  });

  it("are the same after a rebuild that is killed at every statement, and run twice", async () => {
    const tenant = await Tenant.create();
    await fileSample(tenant, 20);
    await integrate(tenant);
    const counted = await readAllCounts(tenant, range);
    for (const isDone of [false, true]) {
      for (let statements = 0, reached = true; reached; statements += 1) {
        const work = () =>
          rebuildStatistics(env, tenant.id, { isRestart: true, steps: 9 }, small).catch(() => {});
        ({ reached } = await killWorkerAfter(statements, isDone, work));
        await Promise.all([
          rebuildStatistics(env, tenant.id, { isRestart: false, steps: 9 }, small),
          rebuildStatistics(env, tenant.id, { isRestart: false, steps: 9 }, small),
        ]);
        expect(await rowsOf("tenant_statistics", tenant.id)).not.toEqual([]);
        const [tree] = await rowsOf("audit_trees", tenant.id);
        expect(tree?.counted_size).toBe(tree?.size);
      }
      expect(await readAllCounts(tenant, range)).toEqual(counted);
    }
    await expectExact(tenant);
  });

  it("are rebuilt from the archive, where a user is counted once too", async () => {
    const tenant = await Tenant.create();
    await fileSample(tenant, 40);
    await integrate(tenant);
    const counted = await readAllCounts(tenant, range);
    // A run serves a bounded number of tenants in turn, and other tests leave some.
    for (let n = 0; n < 20 && (await rowsOf("audit_events", tenant.id)).length > 0; n += 1) {
      await archiveLogs(env, Date.now() + 401 * dayMs, findRetentionDays);
    }
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
    await fileSample(tenant, 10);
    await integrate(tenant);
    await rebuildStatistics(env, tenant.id, { isRestart: true, steps: 100 }, small);
    await expectExact(tenant);
    expect(Object.keys(await readAllCounts(tenant, range))).toEqual(Object.keys(counted));
    expect(await rowsOf("archived_successes", tenant.id)).not.toEqual([]);
    await deleteArchivedSuccesses(controlDbOf(env));
    expect(await rowsOf("archived_successes", tenant.id)).toEqual([]);
  });

  it("move with their tenant, and stay when a user is erased", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    await integrate(tenant);
    const before = await readAllCounts(tenant, range);
    expect(Object.values(before["active_users day"] ?? {})).toEqual([1]);
    await relocateFully(tenant, 1);
    expect(await rowsOf("tenant_statistics", tenant.id)).toEqual([]);
    expect(await readAllCounts(tenant, range)).toEqual(before);
    await User.provision(tenant);
    await integrate(tenant);
    await expectUsers(tenant, 1);
  });
});

async function expectUsers(tenant: Tenant, users: number): Promise<void> {
  const usage = await fetchUsage(tenant, "");
  expect([usage.users, usage.active_users, usage.verifications]).toEqual([users, 1, 1]);
}

describe("The answers", () => {
  it("have a point for each bucket, with zeros, up to a thousand", async () => {
    const tenant = await Tenant.create();
    await fileEvents(tenant.id, [toEvent(tenant.id, { kind: 0, user: 1, minutes: 90, count: 1 })]);
    await integrate(tenant);
    const ask = async (from: number, to: number, step = "hour", metric = "verifications") => {
      const [first, last] = [from, to].map((at) => new Date(at).toISOString());
      const query = `metric=${metric}&step=${step}&from=${first}&to=${last}`;
      return await fetchStatistics(tenant, query);
    };
    const timeAt = (hour: number) => new Date(start + hour * hourMs).toISOString();
    const { body } = await ask(start + hourMs + 1, start + 2 * hourMs + 1);
    expect(body).toEqual({
      metric: "verifications",
      step: "hour",
      points: [
        { at: timeAt(1), values: { success: 1, failure: 0, refused: 0 } },
        { at: timeAt(2), values: { success: 0, failure: 0, refused: 0 } },
      ],
      counted_events: 3,
      complete: true,
    });
    const users = await ask(start, start + 1, "day", "active_users");
    expect(users.body.points).toEqual([{ at: timeAt(0), values: { users: 1 } }]);
    expect((await ask(start, start + 1_000 * hourMs)).body.points).toHaveLength(1_000);
    for (const answer of [
      await ask(start, start + 1_000 * hourMs + 1),
      await ask(start, start),
      await ask(start, start - dayMs),
      await fetchStatistics(tenant, "metric=passwords"),
      await fetchStatistics(tenant, "step=day"),
      await fetchStatistics(tenant, "metric=locks&step=week"),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    }
    expect((await fetchStatistics(tenant, "metric=locks")).body.points).toHaveLength(31);
    const hours = await fetchStatistics(tenant, "metric=locks&step=hour");
    expect(hours.body.points).toHaveLength(25);
  });

  it("are of the caller's tenant alone, and empty before its first head", async () => {
    const [tenant, other] = [await Tenant.create(), await Tenant.create()];
    await fileSample(other, 5);
    await integrate(other);
    const { body } = await fetchStatistics(tenant, `metric=active_users&${range}`);
    expect(body.counted_events).toBe(0);
    const counts = await readAllCounts(tenant, range);
    expect(Object.values(counts).every((one) => Object.keys(one).length === 0)).toBe(true);
  });

  it("of the operator's usage are sums, and a rebuild can be requested in parts", async () => {
    const tenant = await Tenant.create();
    await fileSample(tenant, 30);
    await integrate(tenant);
    const usage = await fetchUsage(tenant, range);
    expect(usage).toMatchObject({ verifications: 30, passkeys: 0, assessments: 0 });
    expect(usage).toMatchObject({ users: 0, events: 32 });
    const begun = (await rebuild(tenant, true, 1)).body.rebuild;
    expect(begun).toEqual({ tenant_id: tenant.id, counted: 32, total: 32, done: true });
    await expectExact(tenant);
    expect(await fetchUsage(tenant, range)).toEqual(usage);
    const tooLong = fetchUsage(tenant, "from=2020-01-01T00:00:00Z&to=2022-01-01T00:00:00Z");
    await expect(tooLong).rejects.toThrow("400");
  });
});
