/** The other direction of a restore: D1 knows of versions that the guard has forgotten. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { countOutboxRows, loseStorage } from "../support/guard.ts";
import { snapshotOfGuard } from "../support/guard-snapshot.ts";
import { deliverMessages, holdMessages } from "../support/queue.ts";

const wait = { timeout: 20_000, interval: 20 };
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

async function failuresTold(user: User): Promise<number> {
  const told = await readTrail(user.tenant);
  return told.filter((event) => event === failure).length;
}

describe("A guard put back to an earlier time", () => {
  it("tells all that it decides, though its versions come a second time", async () => {
    const user = await newUser();
    const restore = await snapshotOfGuard(user);
    await fail(user, 3);
    await drainOutbox(user);
    await restore();
    await fail(user, 3);
    await drainOutbox(user);
    expect(await failuresTold(user)).toBe(6);
    expect((await user.tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(200);
  });

  it("is told of no arrival that was another's of the same version", async () => {
    const user = await newUser();
    // No alarm fires by itself.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const held = holdMessages();
    const restore = await snapshotOfGuard(user);
    await fail(user);
    await vi.waitFor(() => expect(held).toHaveLength(1), wait);
    await restore();
    await fail(user);
    await vi.waitFor(() => expect(held).toHaveLength(2), wait);
    const [forgotten, present] = held;
    expect(await deliverMessages([forgotten])).toBe(0);
    expect(await countOutboxRows(user)).toBe(1);
    expect(await deliverMessages([present])).toBe(0);
    expect(await countOutboxRows(user)).toBe(0);
    expect(await failuresTold(user)).toBe(2);
  });

  it.each([0, 1] as const)("erases for good, from database %i too", async (shard) => {
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

  it("erases again who was erased since, and whoever comes then is somebody new", async () => {
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

  it("has its record in D1 with the next rare change, and is made harmless by a new enrolment", async () => {
    const user = await newUser();
    const [spent = ""] = await user.backupCodes();
    const old = user.secret;
    const restore = await snapshotOfGuard(user);
    expect((await user.verify(spent)).status).toBe(200);
    await fail(user, 5);
    await drainOutbox(user);
    await restore();
    // What the guard has forgotten; docs/operations.md says what to do, and this is that.
    expect(await user.profile()).toMatchObject({ failed_attempts: 0, is_locked: false });
    await user.configure();
    const [renewed = ""] = await user.backupCodes();
    expect(user.secret).not.toBe(old);
    expect((await user.verify(spent)).status).toBe(422);
    // D1 has that too: a guard that then loses its storage takes it over.
    await loseStorage(user);
    expect((await user.verify(spent)).status).toBe(422);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect((await user.verify(renewed)).status).toBe(200);
    const { users } = (await user.tenant.send("GET", "/v1/idp/users?status=locked")).body;
    expect(users).toEqual([]);
  });

  it("loses no assessment to the newer record that D1 has, whoever brings it", async () => {
    const user = await newUser();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const held = holdMessages();
    const restore = await snapshotOfGuard(user);
    await fail(user, 3);
    await drainOutbox(user);
    await restore();
    held.splice(0);
    const { assessment_id } = await user.assess({ ip: "9.9.9.9" });
    await vi.waitFor(() => expect(held).toHaveLength(1), wait);
    expect(await deliverMessages(held)).toBe(0);
    expect(await countOutboxRows(user)).toBe(1);
    await drainOutbox(user);
    expect(await rowsIn(0, "assessments", user.tenant.id)).toMatchObject([{ id: assessment_id }]);
  });

  it("is not put aside by what the queue brings late of the life that is forgotten", async () => {
    const user = await newUser();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60 * 60 * 1000 });
    const held = holdMessages();
    const restore = await snapshotOfGuard(user);
    await fail(user, 2);
    await drainOutbox(user);
    held.splice(0);
    await fail(user);
    await vi.waitFor(() => expect(held).toHaveLength(1), wait);
    await drainOutbox(user);
    await restore();
    await user.configure();
    expect(await deliverMessages(held)).toBe(0);
    await loseStorage(user);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect(await failuresTold(user)).toBe(3);
  });
});
