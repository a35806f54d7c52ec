/**
 * The expiry of personal parts ends anywhere: the Worker is killed before and after any call to a store. What arrived
 * before the cutoff is unreadable afterwards, everywhere, the counts are exact, and the trail verifies as before.
 */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import type { PersonalParts } from "../../src/audit/event.ts";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { firstIdOf } from "../../src/crypto/id.ts";
import { expirePersonalParts } from "../../src/expiry/expire-personal.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { strideOf } from "../support/campaign.ts";
import { Tenant, User } from "../support/client.ts";
import { killJobAfter } from "../support/killed-job.ts";
import {
  ageTrail,
  dayAgo,
  dayMs,
  fileEventsOf,
  openBoxes,
  readArchivedBoxes,
  readArchiveTexts,
  readExpiry,
  readRowBoxes,
} from "../support/personal-expiry.ts";
import { problemsOf, saveCheckpoint } from "../support/saved-trail.ts";
import { decodeText, readDatabases } from "../support/stores.ts";
import { fetchCheckpoint, rowsOf } from "../support/trail.ts";

const timeoutMs = 1_800_000;
/** More calls than an expiry of so few events makes. */
const maxCalls = 100;
const manyEvents = inject("isFull") ? 100_000 : 1_000;
const maxRounds = 2_000;
const personalDays = 90;

beforeEach(() => {
  for (const level of ["error", "warn", "info"] as const)
    vi.spyOn(console, level).mockReturnValue();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Parts that nobody looks for. */
function fillersOf(count: number): PersonalParts[] {
  return Array.from({ length: count }, (_, n) => ({
    external_id: `filler-${n}`,
    address: "192.0.2.1",
    agent: "Filler/1.0",
  }));
}

const partNames = ["external_id", "address", "agent", "acting_for"] as const;

/**
 * Parts that are looked for, among others. The names of users are planted in events alone, because the directory keeps
 * those of users who exist.
 */
function plant(canaries: readonly string[], count: number): PersonalParts[] {
  const parts = fillersOf(count);
  const distance = Math.max(1, Math.floor(count / canaries.length));
  for (const [n, canary] of canaries.entries()) {
    const index = Math.min(n * distance, count - 1);
    parts[index] = { ...parts[index], [partNames[n % partNames.length] ?? "agent"]: canary };
  }
  return parts;
}

function nameCanaries(label: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `canary-${label}-${n}-${crypto.randomUUID()}`);
}

/** Copies an assessment to earlier days. @returns how many of the copies arrived before the cutoff */
async function copyAssessments(user: User, count: number): Promise<number> {
  await env.DB.prepare(
    `WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < ?3)
    INSERT INTO assessments (tenant_id, id, identity_id, at, model, risk_score, recommendation, reasons,
      degraded, evidence, context_digest)
    SELECT tenant_id, printf('%s%012x', ?4, n) || identity_id, identity_id, at, model, risk_score,
      recommendation, reasons, degraded, evidence, context_digest
    FROM assessments, copy WHERE tenant_id = ?1 AND identity_id = ?2`,
  )
    .bind(user.tenant.id, user.id, count, firstIdOf(dayAgo(100) * dayMs).slice(0, 12))
    .run();
  return count;
}

/** A trail in which everything has happened: archived, in D1, old and young, of this build and an older one. */
async function createTrail(count: number, labels = "") {
  const tenant = await Tenant.create();
  await tenant.setSettings({
    retention: { personal_days: personalDays, archive_after_days: 30 },
  });
  const user = await User.provision(tenant);
  await user.assess();
  await ageTrail(user, dayAgo(121));
  const canaries = nameCanaries(`old${labels}`, 40);
  const olderBuild = nameCanaries(`older-build${labels}`, 10);
  const kept = nameCanaries(`kept${labels}`, 10);
  const share = (part: number) => Math.floor(count * part);
  const archive = async () => {
    await integrateLogs(env, Date.now());
    await archiveLogs(env, Date.now(), findRetentionDays);
  };
  const half = canaries.length / 2;
  await fileEventsOf(user, dayAgo(120), plant(canaries.slice(0, half), share(0.3)));
  await archive();
  await fileEventsOf(user, dayAgo(110), plant(olderBuild, share(0.1)), true);
  await archive();
  await fileEventsOf(user, dayAgo(91), plant(canaries.slice(half), share(0.3)));
  // The last day that is kept is that of the cutoff.
  await fileEventsOf(user, dayAgo(90), plant(kept.slice(0, 5), share(0.1)));
  await fileEventsOf(user, dayAgo(0), plant(kept.slice(5), share(0.2)));
  const assessments = await copyAssessments(user, 25);
  await integrateLogs(env, Date.now());
  const events = await countExpired(tenant);
  return { tenant, user, canaries, olderBuild, kept, events, assessments };
}

/** How many events of before the cutoff have personal parts. */
async function countExpired(tenant: Tenant): Promise<number> {
  const boxes = [...(await readRowBoxes(tenant)), ...(await readArchivedBoxes(tenant))];
  const dayOf = (name: string) => Number(name.split("@")[1] ?? 0);
  return boxes.filter(({ personalKey }) => dayOf(personalKey) < dayAgo(personalDays)).length;
}

async function expectExpired({
  tenant,
  events,
  assessments,
}: Awaited<ReturnType<typeof createTrail>>): Promise<void> {
  expect(await readExpiry(tenant)).toEqual({
    phase: "done",
    events,
    assessments,
    cutoff_day: dayAgo(personalDays),
  });
  const before = new Date(dayAgo(personalDays) * dayMs).toISOString().slice(0, 10);
  const { body } = await tenant.send("GET", "/v1/audit/events?action=personal.expired");
  expect(body.events).toMatchObject([
    {
      actor: { type: "system", id: null },
      target: { type: "tenant", id: tenant.id },
      outcome: "success",
      details: { events, assessments, before },
    },
  ]);
  expect(await rowsOf("assessments", tenant.id)).toHaveLength(1);
  expect(await countExpired(tenant)).toBe(0);
}

describe.each([
  ["before", false],
  ["after", true],
])("An expiry that is killed %s a call", (_when, isDone) => {
  it("continues, and counts everything once", { timeout: timeoutMs }, async () => {
    const names = new Set<string>();
    let calls = 0;
    for (; calls < maxCalls; calls += strideOf(8)) {
      const trail = await createTrail(30);
      const expire = () => expirePersonalParts(env, Date.now(), 4);
      const killed = await killJobAfter(calls, isDone, expire);
      for (const name of killed.names.slice(calls, calls + 1)) names.add(name);
      try {
        // The archive moves what an interrupted expiry has left.
        await archiveLogs(env, Date.now(), findRetentionDays);
        for (let runs = 0; runs < 5; runs += 1) await expire();
        await expectExpired(trail);
      } catch (error) {
        throw new Error(`Killed after ${calls} calls`, { cause: error });
      }
      if (!killed.reached) break;
    }
    expect(calls).toBeGreaterThan(10);
    expect(calls).toBeLessThan(maxCalls);
    if (inject("isFull")) {
      expect([...names].toSorted()).toEqual(
        ["all", "batch", "deleteKeysBelow", "get", "list", "put"].toSorted(),
      );
    }
  });
});

/** The text of all pages of the list of events. */
async function readList(tenant: Tenant): Promise<string> {
  const pages: string[] = [];
  let after = "";
  for (;;) {
    const { body } = await tenant.send("GET", `/v1/audit/events?limit=100${after}`);
    pages.push(JSON.stringify(body.events));
    if (!body.has_more) return pages.join("\n");
    after = `&after=${body.next_after}`;
  }
}

/** Few enough for one answer. */
const leavesPerExport = 20_000;

async function readExport(tenant: Tenant, format: string): Promise<string> {
  const { tree_size: size } = await fetchCheckpoint(tenant);
  const texts: string[] = [];
  for (let from = 0; from < size; from += leavesPerExport) {
    const to = Math.min(size, from + leavesPerExport);
    const query = `from=${from}&to=${to}&format=${format}`;
    const { status, body } = await tenant.send("GET", `/v1/audit/export?${query}`);
    expect(status).toBe(200);
    texts.push(String(body));
  }
  return texts.join("");
}

function findIn(text: string, canaries: readonly string[]): string[] {
  return canaries.filter((canary) => text.includes(canary));
}

it(`An expiry of ${manyEvents} events that is killed at every step leaves nothing to read`, {
  timeout: timeoutMs,
}, async () => {
  const startedAt = performance.now();
  const trail = await createTrail(manyEvents);
  const { tenant, user, canaries, olderBuild, kept } = trail;
  const all = [...canaries, ...olderBuild];
  expect(all).toHaveLength(50);
  const older = await saveCheckpoint(tenant);
  expect(findIn(await readExport(tenant, "native"), [...all, ...kept])).toHaveLength(60);
  const [rows, archived] = [await readRowBoxes(tenant), await readArchivedBoxes(tenant)];
  const dump = [...rows, ...archived];
  expect(archived.length).toBeGreaterThan(0);

  const now = Date.now();
  const rowsPerStep = Math.ceil(manyEvents / 20);
  let interrupted = 0;
  for (let round = 0; round < maxRounds; round += 1) {
    // Every run is killed at another call, and the next one continues. The archive takes turns with it.
    const isDone = round % 2 === 0;
    const expire = () => expirePersonalParts(env, now, rowsPerStep);
    const archive = () => archiveLogs(env, now, findRetentionDays);
    const { reached } = await killJobAfter(round % 23, isDone, expire);
    if (reached) interrupted += 1;
    if (round % 3 === 0) await killJobAfter(round % 17, isDone, archive);
    if ((await readExpiry(tenant))?.phase === "done") break;
  }
  expect(interrupted).toBeGreaterThan(10);
  await archiveLogs(env, now, findRetentionDays);
  await archiveLogs(env, now, findRetentionDays);
  await expirePersonalParts(env, now, rowsPerStep);
  await expectExpired(trail);

  // The trail is the one of before: each leaf and each hash, from a checkpoint of before on.
  await integrateLogs(env, Date.now());
  const checkpoint = await saveCheckpoint(tenant);
  const exported = await readExport(tenant, "native");
  expect(exported.split("\n").length - 1).toBe(JSON.parse(checkpoint).checkpoint.tree_size);
  expect(await problemsOf({ checkpoint, exported, older })).toEqual([]);

  // What the API shows.
  const ocsf = await readExport(tenant, "ocsf");
  const list = await readList(tenant);
  for (const text of [exported, ocsf, list]) expect(findIn(text, all)).toEqual([]);
  for (const text of [exported, ocsf]) expect(findIn(text, kept)).toEqual(kept);
  expect(findIn(list, kept)).toEqual(kept.slice(5));
  const shown = exported
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  expect(shown.filter(({ expired }) => expired)).toHaveLength(trail.events);
  expect(shown.filter(({ expired, personal }) => expired && personal !== null)).toEqual([]);

  // What the stores have: as text, and what somebody with all keys can open.
  const texts = [...(await readArchiveTexts(tenant)).values()];
  const stored = [...(await readDatabases()), ...texts];
  for (const text of stored) if (text.includes("canary-")) expect(text).toBe("no canary");
  if (!inject("isFull")) expect(decodeText(stored)).not.toContain("CANARY-");
  const left = [...(await readRowBoxes(tenant)), ...(await readArchivedBoxes(tenant))];
  const opened = (await openBoxes(left, [user])).join("\n");
  expect(findIn(opened, all)).toEqual([]);
  expect(findIn(opened, kept)).toEqual(kept);

  // What an older dump of D1 and of the archive has. A box of an older build is under no day key.
  const openedDump = (await openBoxes(dump, [user])).join("\n");
  expect(findIn(openedDump, canaries)).toEqual([]);
  expect(findIn(openedDump, olderBuild)).toEqual(olderBuild);
  expect(findIn(openedDump, kept)).toEqual(kept);
  vi.restoreAllMocks();
  // biome-ignore lint/suspicious/noConsole: the time of a long campaign is of interest.
  console.info(`${Math.round((performance.now() - startedAt) / 1_000)} s, ${interrupted} kills`);
});
