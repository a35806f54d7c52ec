/** Restores a guard: D1 then has newer versions than the guard. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { evict, fireAlarm, guardOf, loseStorage } from "../support/guard.ts";
import { snapshotOfGuard } from "../support/guard-snapshot.ts";
import { deliverMessages, holdMessages, useQueue } from "../support/queue.ts";

useQueue();

const failure = "otp.verified failure invalid_code";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function newUser(shard = 0): Promise<User> {
  const user = await User.withTotp(await Tenant.create("test", { shard }));
  await drainOutbox(user);
  return user;
}

async function fail(user: User, times = 1): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
  }
}

async function countFailures(user: User): Promise<number> {
  const events = await readTrail(user.tenant);
  return events.filter((event) => event === failure).length;
}

describe("A guard that is restored to an earlier time", () => {
  it("delivers all its events, although their versions repeat", async () => {
    const user = await newUser();
    const restore = await snapshotOfGuard(user);
    await fail(user, 3);
    await drainOutbox(user);
    await restore();
    await fail(user, 3);
    await drainOutbox(user);
    expect(await countFailures(user)).toBe(6);
    expect((await user.tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(200);
  });

  it("has its events filed beside those of the same version that it has lost", async () => {
    const user = await newUser();
    // No alarm fires by itself.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const held = holdMessages();
    const restore = await snapshotOfGuard(user);
    await fail(user);
    await fireAlarm(user);
    await restore();
    await fail(user);
    // A guard that restarts before its delivery delivers what it finds, whatever version D1 has.
    await evict(user);
    await fireAlarm(user);
    expect(held).toHaveLength(2);
    expect(await deliverMessages(held)).toBe(0);
    expect(await countFailures(user)).toBe(2);
  });

  it.each([0, 1] as const)("erases a user permanently, from database %i too", async (shard) => {
    const user = await newUser(shard);
    const restore = await snapshotOfGuard(user);
    await fail(user, 3);
    await drainOutbox(user);
    await restore();
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    expect(await rowsIn(shard, "identities", user.tenant.id)).toMatchObject([
      { status: "erased", external_id: null, state: null },
    ]);
    expect((await user.tenant.send("GET", user.path())).status).toBe(404);
  });

  it("can repeat an erasure, after which the same external_id is a new user", async () => {
    const user = await newUser();
    const restore = await snapshotOfGuard(user);
    await fail(user, 3);
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    await restore();
    expect((await user.tenant.send("GET", user.path())).status).toBe(200);
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    expect((await user.tenant.send("GET", user.path())).status).toBe(404);
    const renewed = await User.withTotp(user.tenant, user.externalId);
    expect(await renewed.profile()).toMatchObject({ failed_attempts: 0, has_otp: true });
    const { users } = (await user.tenant.send("GET", "/v1/idp/users")).body;
    expect(users).toHaveLength(1);
  });

  it("writes its record to D1 with the next rare change, and is safe after a new enrolment", async () => {
    const user = await newUser();
    const [spent = ""] = await user.backupCodes();
    const old = user.secret;
    const restore = await snapshotOfGuard(user);
    expect((await user.verify(spent)).status).toBe(200);
    await fail(user, 5);
    await drainOutbox(user);
    await restore();
    // The guard has lost these failures. The steps below are those of docs/operations.md.
    expect(await user.profile()).toMatchObject({ failed_attempts: 0, is_locked: false });
    await user.configure();
    const [renewed = ""] = await user.backupCodes();
    expect(user.secret).not.toBe(old);
    expect((await user.verify(spent)).status).toBe(422);
    // D1 has this state too: a guard that then loses its storage rehydrates from it.
    await loseStorage(user);
    expect((await user.verify(spent)).status).toBe(422);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect((await user.verify(renewed)).status).toBe(200);
    const { users } = (await user.tenant.send("GET", "/v1/idp/users?status=locked")).body;
    expect(users).toEqual([]);
  });

  it("delivers an assessment and its record although D1 has a newer record, by queue or by alarm", async () => {
    const user = await newUser();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const restore = await snapshotOfGuard(user);
    await fail(user, 3);
    await guardOf(user).deliver();
    await restore();
    const held = holdMessages();
    const { assessment_id } = await user.assess({ ip: "9.9.9.9" });
    await fireAlarm(user);
    expect(await deliverMessages(held)).toBe(0);
    expect(await rowsIn(0, "assessments", user.tenant.id)).toMatchObject([{ id: assessment_id }]);
    await loseStorage(user);
    expect(await user.profile()).toMatchObject({ failed_attempts: 0 });
  });

  it("keeps its new record when the queue delivers an undone one late", async () => {
    const user = await newUser();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const restore = await snapshotOfGuard(user);
    await fail(user, 2);
    await guardOf(user).deliver();
    await fail(user);
    const held = holdMessages();
    await fireAlarm(user);
    expect(held).toHaveLength(1);
    await evict(user);
    await guardOf(user).deliver();
    await restore();
    await user.configure();
    expect(await deliverMessages(held)).toBe(0);
    await loseStorage(user);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect(await countFailures(user)).toBe(3);
  });
});
