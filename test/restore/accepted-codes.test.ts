/** The last accepted code survives the loss of a guard, although its record in D1 is not written for it. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { codeFor } from "../support/authenticator.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { rowsIn } from "../support/databases.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { fireAlarm, loseStorage } from "../support/guard.ts";
import { snapshotOfGuard } from "../support/guard-snapshot.ts";
import { deliverMessages, holdMessages, provideQueue } from "../support/queue.ts";
import { relocateFully } from "../support/relocation.ts";
import { fetchCheckpoint, sql } from "../support/trail.ts";

const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));

const stepMs = 30_000;
const dayMs = 24 * 60 * 60 * 1000;
/** The start of a time step. */
const start = Date.UTC(2026, 5, 1, 12);

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Creates a user with TOTP whose first code is accepted at the start. */
async function createUser(shard = 0): Promise<User> {
  const user = await User.withTotp(await Tenant.create("test", { shard }));
  expect((await verifyAt(user, start)).status).toBe(200);
  await drainOutbox(user);
  return user;
}

/** Verifies the code of a time step at its beginning, by the tenant's test clock. */
async function verifyAt(user: User, at: number, code = user.code(at)): Promise<Answer> {
  return await send("POST", "/v1/idp/otp/verify", {
    token: user.tenant.token,
    body: { otp: { id: user.externalId, code } },
    headers: { "Test-Clock": new Date(at).toISOString() },
  });
}

/** Verifies the codes of these time steps. @returns the messages for the queue, which it does not deliver */
async function holdCodes(user: User, times: readonly number[]): Promise<readonly unknown[]> {
  const removeQueue = await provideQueue();
  const held = holdMessages();
  for (const at of times) {
    expect((await verifyAt(user, at)).status).toBe(200);
    await fireAlarm(user);
  }
  removeQueue();
  expect(held).toHaveLength(times.length);
  return held;
}

async function readVersion(user: User, shard: 0 | 1 = 0): Promise<unknown> {
  return (await rowsIn(shard, "identities", user.tenant.id))[0]?.version;
}

/** Delivers what the work does. @returns whether that wrote the record */
async function writesRecord(user: User, work: () => Promise<unknown>): Promise<boolean> {
  const before = await readVersion(user);
  await work();
  await drainOutbox(user);
  return (await readVersion(user)) !== before;
}

/** Expects that a guard without its storage knows the code as the one accepted last, and has the same profile. */
async function expectSpentAfterLoss(user: User, at: number, code = user.code(at)): Promise<void> {
  const before = await user.profile();
  expect(before.last_verified_at).toBe(new Date(at).toISOString());
  await loseStorage(user);
  expect(await user.profile()).toEqual(before);
  expect((await verifyAt(user, at, code)).body.code).toBe("code_already_used");
  expect((await verifyAt(user, at - stepMs)).status).toBe(422);
}

describe("A right code", () => {
  it("writes no record, and is spent after the guard has lost its storage", async () => {
    const user = await createUser();
    const at = start + 10 * stepMs;
    expect(await writesRecord(user, () => verifyAt(user, at))).toBe(false);
    await expectSpentAfterLoss(user, at);
    expect((await verifyAt(user, at + stepMs)).status).toBe(200);
  });

  it("is spent although later events hide its own, in whatever order the test clock puts them", async () => {
    const user = await createUser();
    const at = start + 10 * stepMs;
    await verifyAt(user, at);
    // The step after the present one is accepted too, and the one before it then is not.
    expect((await verifyAt(user, at, user.code(at + stepMs))).status).toBe(200);
    await drainOutbox(user);
    const spends = async () => {
      await user.assess();
      await drainOutbox(user);
    };
    for (let n = 0; n < 21; n += 1) await spends();
    await expectSpentAfterLoss(user, at, user.code(at + stepMs));
    expect((await verifyAt(user, at + stepMs, user.code(at + stepMs))).status).toBe(422);
  });

  it("of an earlier secret spends nothing of a new one", async () => {
    const user = await createUser();
    const at = start + 100 * stepMs;
    await verifyAt(user, at);
    await drainOutbox(user);
    await user.configure();
    await loseStorage(user);
    const earlier = start + 50 * stepMs;
    expect((await verifyAt(user, earlier)).status).toBe(200);
    await drainOutbox(user);
    await expectSpentAfterLoss(user, earlier);
  });

  it("that confirms an enrolment writes the record, and the next one does not", async () => {
    const user = await createUser();
    await user.tenant.setSettings({ otp: { enrolment: "confirm" } });
    const old = user.secret;
    await user.configure();
    const at = Math.ceil(Date.now() / stepMs) * stepMs;
    expect(await writesRecord(user, () => verifyAt(user, at, codeFor(old, at)))).toBe(false);
    expect(await writesRecord(user, () => verifyAt(user, at))).toBe(true);
    expect(await writesRecord(user, () => verifyAt(user, at + 2 * stepMs))).toBe(false);
    await expectSpentAfterLoss(user, at + 2 * stepMs);
  });

  it("writes the record if it resets failures or follows a backup code", async () => {
    const user = await createUser();
    const [backup = ""] = await user.backupCodes();
    const at = start + 10 * stepMs;
    expect(await writesRecord(user, () => verifyAt(user, at, user.wrongCode(at)))).toBe(true);
    expect(await writesRecord(user, () => verifyAt(user, at))).toBe(true);
    expect(await writesRecord(user, () => verifyAt(user, at, backup))).toBe(true);
    expect(await writesRecord(user, () => verifyAt(user, at + 2 * stepMs))).toBe(false);
    await expectSpentAfterLoss(user, at + 2 * stepMs);
    expect((await verifyAt(user, at, backup)).status).toBe(422);
  });

  it("of a record that an older build wrote writes it once", async () => {
    const user = await createUser();
    const at = start + 10 * stepMs;
    await sql(
      "UPDATE identities SET state = json_remove(state, '$.totp.id') WHERE id = ?",
      user.id,
    );
    await loseStorage(user);
    expect(await writesRecord(user, () => verifyAt(user, at))).toBe(true);
    expect(await writesRecord(user, () => verifyAt(user, at + stepMs))).toBe(false);
    await expectSpentAfterLoss(user, at + stepMs);
  });

  it("is spent after its event has left for the archive", async () => {
    const user = await createUser();
    const at = start + 10 * stepMs;
    await verifyAt(user, at);
    await verifyAt(user, at + stepMs);
    await drainOutbox(user);
    await fetchCheckpoint(user.tenant);
    await archiveLogs(env, Date.now() + 401 * dayMs, findRetentionDays);
    expect(await rowsIn(0, "audit_events", user.tenant.id)).toEqual([]);
    await expectSpentAfterLoss(user, at + stepMs);
  });

  it("is spent although the archive takes its event while a guard rehydrates", async () => {
    const user = await createUser();
    const at = start + 10 * stepMs;
    await verifyAt(user, at);
    await drainOutbox(user);
    await fetchCheckpoint(user.tenant);
    await loseStorage(user);
    const real = statement.raw;
    const read = vi.spyOn(statement, "raw").mockImplementationOnce(async function (
      this: unknown,
      ...args: unknown[]
    ) {
      const answer = await real.apply(this, args);
      read.mockRestore();
      await archiveLogs(env, Date.now() + 401 * dayMs, findRetentionDays);
      return answer;
    });
    expect((await user.profile()).last_verified_at).toBe(new Date(at).toISOString());
    expect(await rowsIn(0, "audit_events", user.tenant.id)).toEqual([]);
    expect((await verifyAt(user, at)).body.code).toBe("code_already_used");
  });

  it("is not moved to the record by the archive while a later event says more", async () => {
    const user = await createUser();
    const at = start + 10 * stepMs;
    await verifyAt(user, at);
    await drainOutbox(user);
    await fetchCheckpoint(user.tenant);
    await verifyAt(user, at + 2 * stepMs);
    await drainOutbox(user);
    const before = await rowsIn(0, "identities", user.tenant.id);
    const size = "SELECT size FROM audit_trees WHERE tenant_id = ?";
    await sql(
      `UPDATE audit_events SET arrived_at = 0 WHERE tenant_id = ?1 AND leaf_index < (${size}1)`,
      user.tenant.id,
    );
    await archiveLogs(env, Date.now(), findRetentionDays);
    expect(await rowsIn(0, "audit_events", user.tenant.id)).toHaveLength(1);
    expect(await rowsIn(0, "identities", user.tenant.id)).toEqual(before);
    await expectSpentAfterLoss(user, at + 2 * stepMs);
  });

  it("is spent after a relocation", async () => {
    const user = await createUser();
    const at = start + 10 * stepMs;
    await verifyAt(user, at);
    await drainOutbox(user);
    await relocateFully(user.tenant, 1);
    await expectSpentAfterLoss(user, at);
  });

  it("is spent if the queue delivers its messages twice and in the wrong order", async () => {
    const user = await createUser();
    const removeQueue = await provideQueue();
    const held = holdMessages();
    const at = start + 10 * stepMs;
    const wrong = user.wrongCode(at);
    for (const [time, code] of [[at], [at, wrong], [at + 2 * stepMs], [at + 4 * stepMs]] as const) {
      await verifyAt(user, time, code);
      await fireAlarm(user);
    }
    removeQueue();
    expect(held).toHaveLength(4);
    expect(await deliverMessages([...held].reverse())).toBe(0);
    expect(await deliverMessages(held)).toBe(0);
    expect((await user.profile()).failed_attempts).toBe(0);
    await expectSpentAfterLoss(user, at + 4 * stepMs);
  });

  it("is spent although an earlier delivery, with later times, arrives after it", async () => {
    const user = await createUser();
    const removeQueue = await provideQueue();
    const held = holdMessages();
    user.tenant.clock = new Date(start + 1_000 * stepMs).toISOString();
    for (let n = 0; n < 20; n += 1) await user.assess();
    await fireAlarm(user);
    const at = start + 10 * stepMs;
    expect((await verifyAt(user, at)).status).toBe(200);
    await fireAlarm(user);
    removeQueue();
    expect(held.length).toBeGreaterThan(1);
    expect(await deliverMessages(held.slice(-1))).toBe(0);
    expect(await deliverMessages(held.slice(0, -1))).toBe(0);
    await expectSpentAfterLoss(user, at);
  });

  it("delivered again by the queue replaces no record of a guard that has lost its storage since", async () => {
    const user = await createUser();
    const [backup = ""] = await user.backupCodes();
    await drainOutbox(user);
    const at = start + 10 * stepMs;
    const held = await holdCodes(user, [at, at + 2 * stepMs, at + 4 * stepMs]);
    expect(await deliverMessages(held)).toBe(0);
    await loseStorage(user);
    expect((await verifyAt(user, at + 6 * stepMs, backup)).status).toBe(200);
    await drainOutbox(user);
    expect(await deliverMessages(held)).toBe(0);
    await loseStorage(user);
    expect((await verifyAt(user, at + 6 * stepMs, backup)).status).toBe(422);
  });

  it("writes the record if D1 has one from five hundred versions ago, so that no version is used twice", async () => {
    const user = await createUser();
    const age = async (versions: number) =>
      await sql(
        "UPDATE identities SET version = version - ? WHERE id = ?",
        String(versions),
        user.id,
      );
    await age(450);
    expect(await writesRecord(user, () => verifyAt(user, start + 10 * stepMs))).toBe(false);
    await age(50);
    expect(await writesRecord(user, () => verifyAt(user, start + 12 * stepMs))).toBe(true);
    expect(await writesRecord(user, () => verifyAt(user, start + 14 * stepMs))).toBe(false);
  });
});

describe("Other acts", () => {
  it("write no record if they change nothing that a list, a search or a rehydration needs", async () => {
    const user = await createUser();
    const assessment = () => user.assess();
    expect(await writesRecord(user, assessment)).toBe(false);
    // The code accepted last is refused, and counts no failure.
    expect(await writesRecord(user, () => verifyAt(user, start))).toBe(false);
    expect(
      await writesRecord(user, () => User.provision(user.tenant, user.externalId).catch(() => {})),
    ).toBe(false);
    // The refusals do not make a right code write it either.
    expect(await writesRecord(user, () => verifyAt(user, start + 10 * stepMs))).toBe(false);
    expect(await writesRecord(user, () => verifyAt(user, start, user.wrongCode(start)))).toBe(true);
    await expectSpentAfterLoss(user, start + 10 * stepMs);
  });

  it("write the record if a verdict replaces an earlier one, which the version decides", async () => {
    const user = await createUser();
    const { assessment_id: id } = await user.assess();
    expect(await writesRecord(user, () => user.sendFeedback(id, "legitimate"))).toBe(false);
    user.tenant.clock = new Date(start).toISOString();
    // By its test clock it is earlier than the verdict that it replaces.
    expect(await writesRecord(user, () => user.sendFeedback(id, "fraud"))).toBe(true);
    const [assessment] = await rowsIn(0, "assessments", user.tenant.id);
    expect(assessment?.verdict).toBe("fraud");
  });
});

describe("A restore", () => {
  it("of an older D1 is followed by the record, with whatever the guard delivers next", async () => {
    const user = await createUser();
    const at = start + 10 * stepMs;
    const restore = await snapshotOfD1();
    await verifyAt(user, at);
    await drainOutbox(user);
    await restore();
    expect(await writesRecord(user, () => user.assess())).toBe(true);
    await expectSpentAfterLoss(user, at);
  });

  it("of an older guard is followed by its record, although D1 has the same version or one between", async () => {
    const user = await createUser();
    const restore = await snapshotOfGuard(user);
    const at = start + 10 * stepMs;
    await verifyAt(user, at, user.wrongCode(at));
    await drainOutbox(user);
    await restore();
    await verifyAt(user, at);
    await verifyAt(user, at + 2 * stepMs);
    await drainOutbox(user);
    expect((await user.profile()).failed_attempts).toBe(0);
    await expectSpentAfterLoss(user, at + 2 * stepMs);
  });

  it("of a guard older than its last record is noticed with the next right code", async () => {
    const user = await createUser();
    const restore = await snapshotOfGuard(user);
    const at = start + 10 * stepMs;
    for (let n = 0; n < 3; n += 1) await verifyAt(user, at, user.wrongCode(at));
    await drainOutbox(user);
    await restore();
    await verifyAt(user, at);
    await drainOutbox(user);
    expect((await user.profile()).failed_attempts).toBe(0);
    await expectSpentAfterLoss(user, at);
  });
});
