/** What expires and when, and that the archive and the expiry do not fight. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { readTrailPage } from "../../src/audit/tree/read-trail.ts";
import { databaseOf } from "../../src/db/shards.ts";
import { expirePersonalParts } from "../../src/expiry/expire-personal.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import {
  ageTrail,
  dayAgo,
  dayMs,
  fileEventsOf,
  openBoxes,
  readArchivedBoxes,
  readDayKeysOf,
  readExpiry,
  readRowBoxes,
} from "../support/personal-expiry.ts";
import { relocateFully } from "../support/relocation.ts";
import { readEvidenceTexts } from "../support/stored-evidence.ts";
import { deleteFully, suspendSince } from "../support/tenant-deletion.ts";
import { fetchCheckpoint, fetchExport, rowsOf, sql } from "../support/trail.ts";

const minuteMs = 60_000;

let lines: string[] = [];

beforeEach(() => {
  lines = [];
  for (const level of ["error", "warn", "info"] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(String(line)));
  }
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** A user of a tenant whose trail begins so many days ago. */
async function createUser(days: number, settings: object = { personal_days: 90 }): Promise<User> {
  const tenant = await Tenant.create();
  await tenant.setSettings({ retention: settings });
  const user = await User.provision(tenant);
  await ageTrail(user, dayAgo(days));
  return user;
}

const partsOf = (name: string, count = 3) =>
  Array.from({ length: count }, (_, n) => ({ external_id: `${name} ${n}`, address: "192.0.2.7" }));

const expire = () => expirePersonalParts(env, Date.now());
const archive = () => archiveLogs(env, Date.now(), findRetentionDays);

/** The personal parts that the export shows, by leaf. */
async function readShown(tenant: Tenant) {
  await fetchCheckpoint(tenant);
  return (await fetchExport(tenant)).map(({ personal, expired }) =>
    expired ? "expired" : (personal?.external_id ?? null),
  );
}

async function listExpiryEvents(tenant: Tenant) {
  const { body } = await tenant.send("GET", "/v1/audit/events?action=personal.expired");
  return body.events.map(({ details }: { details: object }) => details);
}

const dateOf = (day: number) => new Date(day * dayMs).toISOString().slice(0, 10);

describe("Personal parts", () => {
  it("expire a whole day after the last of their days, and later ones stay", async () => {
    const user = await createUser(92);
    const { tenant } = user;
    await fileEventsOf(user, dayAgo(91), partsOf("last expired"));
    await fileEventsOf(user, dayAgo(90), partsOf("first kept"));
    const before = await fetchExport(tenant);
    await expire();
    const shown = await readShown(tenant);
    // The trail begins with events about the tenant, which name no person, and with that of the user.
    expect(shown).toEqual([
      ...[null, null, null],
      ...Array.from({ length: 4 }, () => "expired"),
      ...["first kept 0", "first kept 1", "first kept 2", null],
    ]);
    expect(await listExpiryEvents(tenant)).toEqual([
      { events: 4, assessments: 0, before: dateOf(dayAgo(90)) },
    ]);
    expect((await readDayKeysOf(tenant.id)).map(({ day }) => day)).not.toContain(dayAgo(91));
    expect(lines.join("\n")).toContain('"personal_expired"');
    // Everything else is as before.
    const after = await fetchExport(tenant);
    for (const [index, { personal: _personal, expired: _expired, ...event }] of before.entries()) {
      const { target, ...others } = event;
      expect(after[index]).toMatchObject({
        ...others,
        target: { type: target.type, id: target.id },
      });
    }
    // A further run finds nothing.
    await expire();
    expect(await listExpiryEvents(tenant)).toHaveLength(1);
  });

  it("stay without the setting, and what has expired stays expired with a longer one", async () => {
    const user = await createUser(200, {});
    const { tenant } = user;
    await fileEventsOf(user, dayAgo(200), partsOf("old"));
    await fileEventsOf(user, dayAgo(150), partsOf("younger"));
    await expire();
    expect(await readExpiry(tenant)).toBeNull();
    expect(await readRowBoxes(tenant)).toHaveLength(7);
    await tenant.setSettings({ retention: { personal_days: 180 } });
    await expire();
    expect(await readRowBoxes(tenant)).toHaveLength(3);
    await tenant.setSettings({ retention: { personal_days: 365 } });
    await expire();
    expect((await readExpiry(tenant))?.cutoff_day).toBe(dayAgo(180));
    await tenant.setSettings({ retention: { personal_days: 100 } });
    await expire();
    expect(await readRowBoxes(tenant)).toEqual([]);
    expect(await listExpiryEvents(tenant)).toEqual([
      { events: 3, assessments: 0, before: dateOf(dayAgo(100)) },
      { events: 4, assessments: 0, before: dateOf(dayAgo(180)) },
    ]);
  });

  it("expire to the end once their keys are gone, although the tenant removes the setting", async () => {
    const user = await createUser(200);
    const { tenant } = user;
    await fileEventsOf(user, dayAgo(200), partsOf("old", 10));
    const batch = vi.spyOn(Object.getPrototypeOf(env.DB), "batch");
    const real = batch.getMockImplementation();
    expect(real).toBeUndefined();
    batch.mockImplementation(function (this: unknown, ...args: unknown[]) {
      if (JSON.stringify(args).includes("personal_expiries")) {
        // Only the beginning succeeds.
        batch.mockRestore();
        const database: { batch: (...given: unknown[]) => unknown } = Object(this);
        const done = database.batch(...args);
        vi.spyOn(Object.getPrototypeOf(env.DB), "batch").mockRejectedValue(new Error("gone"));
        return done;
      }
      throw new Error("not expected");
    });
    await expire();
    vi.restoreAllMocks();
    expect((await readExpiry(tenant))?.phase).toBe("events");
    await tenant.setSettings({ retention: { personal_days: null } });
    await expire();
    expect((await readExpiry(tenant))?.phase).toBe("done");
    expect(await readRowBoxes(tenant)).toEqual([]);
  });

  it.each([
    ["2199", "2199-12-31T23:59:59Z"],
    ["2000", "2000-01-01T00:00:00Z"],
  ])("age from the real time of arrival, although a test clock is in %s", async (_, clock) => {
    const tenant = await Tenant.create("test");
    await tenant.setSettings({ retention: { personal_days: 30 } });
    tenant.clock = clock;
    const user = await User.provision(tenant);
    await user.assess();
    tenant.clock = undefined;
    await drainOutbox(user);
    await expire();
    expect(await readRowBoxes(tenant)).toHaveLength(2);
    expect(await rowsOf("assessments", tenant.id)).toHaveLength(1);
    await expirePersonalParts(env, Date.now() + 31 * dayMs);
    expect(await readRowBoxes(tenant)).toEqual([]);
  });

  it("of older builds are removed, from D1 and from the archive", async () => {
    const user = await createUser(120, { personal_days: 90, archive_after_days: 100 });
    const { tenant } = user;
    await fileEventsOf(user, dayAgo(110), partsOf("archived"), true);
    await fileEventsOf(user, dayAgo(95), partsOf("stored"), true);
    await fileEventsOf(user, dayAgo(50), partsOf("young"), true);
    await fetchCheckpoint(tenant);
    await archive();
    expect(await readArchivedBoxes(tenant)).toHaveLength(4);
    // Builds before the time of arrival was stored.
    await sql("UPDATE audit_events SET arrived_at = NULL WHERE tenant_id = ?", tenant.id);
    await expire();
    expect(await readArchivedBoxes(tenant)).toEqual([]);
    const left = await openBoxes(await readRowBoxes(tenant), [user]);
    expect(left.map((text) => JSON.parse(text).external_id)).toEqual([
      ...["young 0", "young 1", "young 2"],
    ]);
    expect(await listExpiryEvents(tenant)).toMatchObject([{ events: 7 }]);
  });

  it("stay in the archive as long as in D1", async () => {
    const user = await createUser(120, { personal_days: 90, archive_after_days: 30 });
    const { tenant } = user;
    await fileEventsOf(user, dayAgo(91), partsOf("old"));
    await fileEventsOf(user, dayAgo(60), partsOf("young"));
    await fetchCheckpoint(tenant);
    await archive();
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
    await expire();
    expect(await readArchivedBoxes(tenant)).toHaveLength(3);
    expect((await readShown(tenant)).slice(4)).toEqual([
      ...["expired", "expired", "expired", "young 0", "young 1", "young 2", null],
    ]);
    await tenant.setSettings({ retention: { personal_days: 59 } });
    await expire();
    expect(await readArchivedBoxes(tenant)).toEqual([]);
    expect(await listExpiryEvents(tenant)).toMatchObject([{ events: 3 }, { events: 4 }]);
  });
});

describe("An assessment", () => {
  it("expires with its day, and its evidence with the key in every copy", async () => {
    const user = await createUser(200);
    const { tenant } = user;
    await user.assess();
    await drainOutbox(user);
    const [text] = await readEvidenceTexts(tenant.id, user.id);
    expect(text).toMatch(/^1\./);
    const [stored] = await rowsOf("assessments", tenant.id);
    expect(stored?.evidence).toMatch(new RegExp(`^d${dayAgo(0)}\\.1\\.`));
    const older = `000000000000${String(stored?.id).slice(12)}`;
    await sql(
      `INSERT INTO assessments (tenant_id, id, identity_id, at, model, risk_score, recommendation,
        reasons, degraded, evidence, context_digest)
      SELECT tenant_id, ?1, identity_id, at, model, risk_score, recommendation, reasons, degraded,
        replace(evidence, 'd${dayAgo(0)}.', 'd${dayAgo(100)}.'), '' FROM assessments WHERE tenant_id = ?2`,
      ...[older, tenant.id],
    );
    await expire();
    expect(await rowsOf("assessments", tenant.id)).toHaveLength(1);
    expect(await listExpiryEvents(tenant)).toMatchObject([{ assessments: 1 }]);
    expect(
      (await user.tenant.send("GET", "/v1/sentinel/assessments")).body.assessments,
    ).toMatchObject([{ inputs: { agent: expect.anything() } }]);
    // A copy of the row from before the key was deleted.
    await sql(
      "UPDATE assessments SET evidence = replace(evidence, 'd', 'd1') WHERE tenant_id = ?",
      tenant.id,
    );
    const { body } = await tenant.send("GET", "/v1/sentinel/assessments");
    expect(body.assessments).toMatchObject([{ inputs: null }]);
  });
});

describe("The archive and the expiry", () => {
  /** Old events in D1, which the archive takes too. */
  async function createDue() {
    const user = await createUser(120, { personal_days: 90, archive_after_days: 100 });
    await fileEventsOf(user, dayAgo(110), partsOf("due"));
    await fetchCheckpoint(user.tenant);
    return user;
  }

  async function expectGone({ tenant }: User): Promise<void> {
    await archive();
    await expire();
    expect(await rowsOf("audit_events", tenant.id)).toMatchObject([{ action: "personal.expired" }]);
    expect(await readArchivedBoxes(tenant)).toEqual([]);
    expect(await listExpiryEvents(tenant)).toEqual([
      { events: 4, assessments: 0, before: dateOf(dayAgo(90)) },
    ]);
    expect(lines.filter((line) => line.includes("ArchiveMismatchError"))).toEqual([]);
  }

  it("agree when personal parts expire after the archive has read them, before it writes them", async () => {
    const user = await createDue();
    const bucket = Object.getPrototypeOf(env.AUDIT_ARCHIVE);
    const { put } = bucket;
    const spy = vi.spyOn(bucket, "put").mockImplementation(async function (this: unknown, ...args) {
      spy.mockRestore();
      await expire();
      return await put.apply(this, args);
    });
    await archive();
    await expectGone(user);
  });

  it("agree when personal parts expire between the object and the deletion of the rows", async () => {
    const user = await createDue();
    const bucket = Object.getPrototypeOf(env.AUDIT_ARCHIVE);
    const { put } = bucket;
    const spy = vi.spyOn(bucket, "put").mockImplementation(async function (this: unknown, ...args) {
      const written = await put.apply(this, args);
      spy.mockRestore();
      await expire();
      return written;
    });
    await archive();
    await expectGone(user);
  });

  it("agree when the archive ends before it deletes the rows, and never runs again", async () => {
    const user = await createDue();
    const batch = vi
      .spyOn(Object.getPrototypeOf(env.DB), "batch")
      .mockRejectedValue(new Error("gone"));
    await archive();
    batch.mockRestore();
    expect(await readArchivedBoxes(user.tenant)).toHaveLength(4);
    await expire();
    expect(await readArchivedBoxes(user.tenant)).toEqual([]);
    await expectGone(user);
  });

  it("agree when D1 is restored to before the expiry", async () => {
    const user = await createDue();
    const { tenant } = user;
    const { results } = await env.DB.prepare("SELECT * FROM audit_events WHERE tenant_id = ?")
      .bind(tenant.id)
      .all<Record<string, string | number | null>>();
    await archive();
    await expire();
    await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
    await sql("DELETE FROM personal_expiries WHERE tenant_id = ?", tenant.id);
    await env.DB.batch(
      results.map((row) =>
        env.DB.prepare(
          `INSERT INTO audit_events (${Object.keys(row).join()}) VALUES (${Object.keys(row).map(() => "?")})`,
        ).bind(...Object.values(row)),
      ),
    );
    expect(await readRowBoxes(tenant)).toHaveLength(4);
    expect(await openBoxes(await readRowBoxes(tenant), [user])).toEqual([]);
    await expire();
    await expectGone(user);
  });

  it("let an export go on that is in the middle of an object", async () => {
    const user = await createDue();
    const { tenant } = user;
    await archive();
    const db = databaseOf(env, 0);
    const range = { from: 0, below: 7 };
    const limits = { maxEvents: 500, maxBytes: 1_000 };
    const first = await readTrailPage(env, db, tenant.id, range, limits, undefined);
    const next = first.events.length;
    expect(next).toBeLessThan(7);
    expect(first.next).toBeDefined();
    await expire();
    const rest = { ...range, from: next };
    const second = await readTrailPage(
      env,
      db,
      tenant.id,
      rest,
      { ...limits, maxBytes: 1e6 },
      first.next,
    );
    expect(second.events.map(({ leafIndex }) => leafIndex)).toEqual(
      Array.from({ length: 7 - next }, (_, n) => next + n),
    );
    expect(second.events.every(({ personal }) => personal === null)).toBe(true);
  });
});

describe("The progress of an expiry", () => {
  it("moves with its tenant, whose expiry goes on in the new database", async () => {
    const user = await createUser(200);
    const { tenant } = user;
    await fileEventsOf(user, dayAgo(200), partsOf("old"));
    await expire();
    await relocateFully(tenant, 1);
    expect(await rowsIn(1, "personal_expiries", tenant.id)).toMatchObject([
      { events: 4, phase: "done", next_leaf: 7 },
    ]);
    expect(await readExpiry(tenant)).toBeNull();
    await expire();
    expect(await rowsIn(1, "personal_expiries", tenant.id)).toMatchObject([{ events: 4 }]);
  });

  it("disappears with its tenant, whose trail needs no expiry", async () => {
    const user = await createUser(200);
    const { tenant } = user;
    await expire();
    await fetchCheckpoint(tenant);
    await suspendSince(tenant, minuteMs);
    await deleteFully(tenant);
    expect(await readExpiry(tenant)).toBeNull();
    await expire();
    expect(await readExpiry(tenant)).toBeNull();
  });

  it("does not hold up another tenant when day keys do not answer", async () => {
    const [broken, sound] = [await createUser(200), await createUser(200)];
    const get = env.PERSONAL_KEYS.get.bind(env.PERSONAL_KEYS);
    const brokenId = env.PERSONAL_KEYS.idFromName(broken.tenant.id);
    vi.spyOn(env.PERSONAL_KEYS, "get").mockImplementation((...given) => {
      if (given[0].equals(brokenId)) throw new Error("gone");
      return get(...given);
    });
    await expire();
    expect(await readExpiry(broken.tenant)).toBeNull();
    expect(await readRowBoxes(broken.tenant)).toHaveLength(1);
    expect((await readExpiry(sound.tenant))?.phase).toBe("done");
    const failures = lines.filter((line) => line.includes("personal_expiry_failed"));
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain(broken.tenant.id);
  });
});
