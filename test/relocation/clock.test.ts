/** Tests the scheduled jobs while a tenant moves. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { deleteArchivedEvents, readEvents } from "../../src/audit/store.ts";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import { databaseOf } from "../../src/db/shards.ts";
import { deleteExpired } from "../../src/housekeeping.ts";
import { onSchedule } from "../../src/scheduled.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import {
  passMinuteAfterSwitch,
  readTenantData,
  relocate,
  relocateFully,
  relocateUpTo,
} from "../support/relocation.ts";
import { saveCheckpoint } from "../support/saved-trail.ts";

const dayMs = 24 * 60 * 60 * 1000;
const everyMinute = "* * * * *";

let tenant: Tenant;
let lines: string[];

/** Deletes the rows of archived events. */
async function deleteRows(shard: number): Promise<void> {
  const db = databaseOf(env, shard);
  await deleteArchivedEvents(db, tenant.id, await readEvents(db, tenant.id, 0, 1_000, 1_000));
}

/** Creates data for every job. Some events are integrated in a tree head that the witness does not have yet. */
beforeEach(async () => {
  tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  const { assessment_id } = await user.assess();
  await user.sendFeedback(assessment_id, "legitimate");
  const leaver = await User.provision(tenant);
  await tenant.send("DELETE", leaver.path());
  await drainOutbox(user);
  await saveCheckpoint(tenant);
  await tenant.setSettings({ retention: { archive_after_days: 1 } });
  lines = [];
  for (const level of ["info", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(String(line)));
  }
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe.each(["copying", "comparing", "switching", "opening"])("In the phase %s", (phase) => {
  it("no job changes the tenant's data in either database", async () => {
    await relocateUpTo(tenant, 1, phase);
    const before = [await readTenantData(0, tenant), await readTenantData(1, tenant)];
    const now = Date.now();
    await integrateLogs(env, now);
    await witnessHeads(env, now);
    await archiveLogs(env, now + 2 * dayMs, findRetentionDays);
    await deleteExpired(env, now + 200 * dayMs);
    await publishPopulations(env, now);
    await deleteRows(0);
    await deleteRows(1);
    expect([await readTenantData(0, tenant), await readTenantData(1, tenant)]).toEqual(before);
    expect(lines.filter((line) => line.includes(tenant.id))).toEqual([]);
    expect(lines.filter((line) => line.includes("failed"))).toEqual([]);
  });
});

describe("The job of every minute", () => {
  it("delivers events that waited for a relocation, and finishes a relocation that has switched", async () => {
    vi.spyOn(scheduler, "wait").mockResolvedValue();
    const eventsBefore = await readTrail(tenant);
    await relocateUpTo(tenant, 1, "copying");
    await tenant.setSettings({ lockout: { lock_seconds: 61 } });
    await relocateUpTo(tenant, 1, "opening");
    await passMinuteAfterSwitch(tenant);
    await onSchedule(env, everyMinute, Date.now());
    expect((await readTrail(tenant)).slice(eventsBefore.length)).toEqual([
      "settings.changed success",
      "tenant.relocated success",
    ]);
    expect(await readTenantData(0, tenant)).toEqual({});
  });

  it("does not switch a relocation that the operator has not switched", async () => {
    vi.spyOn(scheduler, "wait").mockResolvedValue();
    await relocateUpTo(tenant, 1, "switching");
    await onSchedule(env, everyMinute, Date.now());
    expect((await relocate(tenant, 1, 1)).body.relocation.phase).toBe("opening");
    await relocateFully(tenant, 1);
    expect(await rowsIn(0, "identities", tenant.id)).toEqual([]);
  });
});
