/** `GET /v1/health` over HTTP. */
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { wantedMigrations } from "../../src/db/migrations.ts";
import { onSchedule } from "../../src/scheduled.ts";
import { send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { fireAlarm } from "../support/guard.ts";
import { useQuietConsole } from "../support/quiet-console.ts";

useQuietConsole();

afterEach(() => {
  vi.useRealTimers();
});

const minuteMs = 60_000;

async function measure() {
  const { status, body } = await send("GET", "/v1/health", { token: env.OPERATOR_TOKEN });
  expect(status).toBe(200);
  return body.health;
}

it("Each database has its migrations and its size, and the guard responds", async () => {
  const health = await measure();
  expect(health.bindings).toMatchObject({ databases: 3, archive: true, queue: false, feeds: [] });
  expect(health.guard).toBe(true);
  expect(health.problems).toEqual([]);
  expect(health.databases.map(({ shard }: { shard: number }) => shard)).toEqual([0, 1, 2]);
  for (const database of health.databases) {
    expect(database.migrations).toEqual({ applied: wantedMigrations, wanted: wantedMigrations });
    expect(database.size_bytes).toBeGreaterThan(0);
  }
});

it("An event that is not integrated yet waits, and a pass of the integration ends that", async () => {
  const now = Date.now();
  await User.provision(await Tenant.create("live", { shard: 1 }));
  const waiting = (await measure()).databases[1].events_waiting;
  expect(waiting.count).toBeGreaterThan(0);
  expect(Date.parse(waiting.since)).toBeLessThanOrEqual(Date.now());
  await integrateLogs(env, now);
  expect((await measure()).databases[1].events_waiting).toEqual({ count: 0, since: null });
});

it("A trail waits for its witness from its first event on", async () => {
  const begunAt = Date.now();
  await User.provision(await Tenant.create("live", { shard: 2 }));
  await integrateLogs(env, Date.now());
  const { witness } = (await measure()).databases[2];
  expect(witness).toMatchObject({ refused_by_bucket: 0, refused_by_webhook: 0 });
  expect(Date.parse(witness.unwitnessed_since)).toBeGreaterThanOrEqual(begunAt);
});

it("A guard whose delivery fails waits until D1 accepts it", async () => {
  const user = await User.withTotp(await Tenant.create());
  const begunAt = Date.now();
  await withD1Fault("throws", async () => {
    await user.verify(user.code(Date.now()));
    // The gate is asked from the second attempt on.
    for (let attempt = 0; attempt < 3; attempt += 1) await fireAlarm(user);
  });
  const { deliveries_waiting: waiting } = (await measure()).databases[0];
  expect(waiting.count).toBe(1);
  expect(Date.parse(waiting.since)).toBeGreaterThanOrEqual(begunAt);
  while (await fireAlarm(user));
  expect((await measure()).databases[0].deliveries_waiting).toEqual({ count: 0, since: null });
});

it("The end of each scheduled run is known, and the log has it", async () => {
  const lines: string[] = [];
  vi.spyOn(console, "info").mockImplementation((line) => void lines.push(String(line)));
  const begunAt = Date.now();
  await onSchedule(env, "17 * * * *", begunAt);
  const { runs } = await measure();
  expect(runs.map(({ trigger }: { trigger: string }) => trigger)).toEqual([
    "every_minute",
    "housekeeping",
    "data",
  ]);
  expect(Date.parse(runs[1].last_ended_at)).toBeGreaterThanOrEqual(begunAt);
  expect(lines.map((line) => JSON.parse(line))).toContainEqual({
    level: "info",
    event: "run_ended",
    source: "housekeeping",
    milliseconds: expect.any(Number),
  });
});

it("Rejected codes of clocks that are behind show by how much", async () => {
  const user = await User.withTotp(await Tenant.create("live"));
  const before = (await measure()).clocks;
  const { status } = await user.verify(user.code(Date.now() - 5 * minuteMs));
  expect(status).toBe(422);
  await vi.waitUntil(async () => (await measure()).clocks.rejected > before.rejected, 10_000);
  const { off, median_off_by_seconds: median } = (await measure()).clocks;
  expect(off).toBe(before.off + 1);
  expect(median).toBeLessThan(0);
});

it("A part that fails is null and named, and hides no other", async () => {
  await measure();
  const health = await withD1Fault("fails on single reads only", measure);
  expect(health.guard).toBe(true);
  expect(health.runs).toBeNull();
  expect(health.databases[1]).toMatchObject({ migrations: null, events_waiting: null });
  expect(health.databases[1].deliveries_waiting).not.toBeNull();
  expect(health.problems).toContainEqual({ part: "events", shard: 1, cause: "StoreError" });
});
