/**
 * D1 has reached its limit and refuses writes. What makes room or removes personal data must still be possible,
 * and what is not essential must not use up the reserve for it.
 */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { awaitStore, FullDatabaseError } from "../../src/db/client.ts";
import { operatorChunks } from "../../src/db/space-reserve.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { selectByKind } from "../support/campaign.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { countReserve, freeSpace, withFullDatabase } from "../support/full-database.ts";
import { fireAlarm, inspectGuard } from "../support/guard.ts";
import { readTenantData, relocate, relocateFully, relocateUpTo } from "../support/relocation.ts";
import { fetchCheckpoint } from "../support/trail.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** `DB` and another database. */
const shards = [0, 2] as const;

beforeEach(() => {
  for (const level of ["info", "error"] as const) {
    vi.spyOn(console, level).mockImplementation(() => {});
  }
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** A tenant with users whose outboxes are empty. */
async function createTenantWithUsers<const Names extends readonly string[]>(
  shard: number,
  names: Names,
): Promise<{ tenant: Tenant; users: Record<Names[number], User> }> {
  const tenant = await Tenant.create("test", { shard });
  const users: Record<string, User> = {};
  for (const name of names) {
    const user = await User.withTotp(tenant, name);
    await user.assess();
    await drainOutbox(user);
    users[name] = user;
  }
  return { tenant, users };
}

function erase(user: User): Promise<Answer> {
  return user.tenant.send("DELETE", user.path());
}

function patch(tenant: Tenant, settings: object): Promise<Answer> {
  return tenant.send("PATCH", "/v1/settings", { settings });
}

function setRetention(tenant: Tenant, days: number): Promise<Answer> {
  return patch(tenant, { retention: { archive_after_days: days } });
}

/** Makes changes whose events wait in the user's outbox. */
async function makeChanges(user: User, count: number): Promise<void> {
  for (let change = 0; change < count; change += 1) {
    const status = change % 2 === 0 ? "suspended" : "active";
    await user.tenant.send("PATCH", user.path(), { user: { status } });
  }
}

/** Expects that neither D1 nor the guard has anything of the user but a tombstone. */
async function expectErased(shard: 0 | 1 | 2, user: User): Promise<void> {
  const { id: tenantId } = user.tenant;
  const records = await rowsIn(shard, "identities", tenantId);
  const record = records.find(({ id }) => id === user.id);
  expect(record).toMatchObject({ status: "erased", external_id: null, state: null });
  const assessments = await rowsIn(shard, "assessments", tenantId);
  expect(assessments.filter(({ identity_id: id }) => id === user.id)).toEqual([]);
  expect((await inspectGuard(user)).tables).toEqual([]);
}

describe.each(shards)("While database %i is full", (shard) => {
  it("users are erased one after another, and codes are verified", async () => {
    const { tenant, users } = await createTenantWithUsers(shard, ["first", "second", "third"]);
    await withFullDatabase(shard, 20, async () => {
      const { first, second, third } = users;
      expect((await erase(first)).status).toBe(204);
      await expectErased(shard, first);
      expect((await erase(second)).status).toBe(204);
      await expectErased(shard, second);
      expect((await third.verify(third.code(Date.now()))).status).toBe(200);
      expect(await countReserve(shard)).toBeGreaterThanOrEqual(operatorChunks + 18);
    });
    await drainOutbox(users.third);
    const events = await readTrail(tenant);
    expect(events.filter((event) => /^(user.erased|otp.verified) /.test(event))).toEqual([
      "user.erased success",
      "user.erased success",
      "otp.verified success",
    ]);
  });

  it("a shorter retention makes room, after which everything can be written again", async () => {
    const { tenant, users } = await createTenantWithUsers(shard, ["user"]);
    await fetchCheckpoint(tenant);
    const before = await rowsIn(shard, "audit_events", tenant.id);
    await withFullDatabase(shard, 5, async () => {
      const { status, body } = await patch(tenant, { retention: { assessment_days: 30 } });
      expect([status, body.settings.retention.assessment_days]).toEqual([200, 30]);
      expect((await patch(tenant, { retention: { personal_days: 90 } })).status).toBe(200);
      expect((await setRetention(tenant, 1)).status).toBe(200);
      await archiveLogs(env, Date.now() + 2 * dayMs, findRetentionDays);
      const left = await rowsIn(shard, "audit_events", tenant.id);
      expect(before.filter(({ id }) => left.some((row) => row.id === id))).toEqual([]);
      expect((await users.user.verify(users.user.code(Date.now()))).status).toBe(200);
      await fireAlarm(users.user);
      const written = await rowsIn(shard, "audit_events", tenant.id);
      expect(written.map(({ action }) => action)).toContain("otp.verified");
      await User.provision(tenant);
      expect((await setRetention(tenant, 400)).status).toBe(200);
    });
  });

  it("a tenant is moved out, although the tenants' part of the reserve is used up", async () => {
    const { tenant, users } = await createTenantWithUsers(shard, ["user"]);
    const data = await readTenantData(shard, tenant);
    await withFullDatabase(shard, 0, async () => {
      await relocateFully(tenant, 1);
      expect(await readTenantData(shard, tenant)).toEqual({});
      expect(await readTenantData(1, tenant)).toMatchObject({ identities: data.identities });
      expect((await erase(users.user)).status).toBe(204);
    });
    expect(await readTrail(tenant)).toContain("tenant.relocated success");
  });
});

describe.each(selectByKind(shards, () => "any"))(
  "While a database, such as %i, is full",
  (shard) => {
    it("a user whose outbox has waited is erased with all of its events", async () => {
      const { tenant, users } = await createTenantWithUsers(shard, ["user"]);
      const { user } = users;
      await withFullDatabase(shard, 40, async () => {
        for (let attempt = 0; attempt < 4; attempt += 1) await user.verify("000000");
        expect((await erase(user)).status).toBe(204);
        await expectErased(shard, user);
      });
      const events = await rowsIn(shard, "audit_events", tenant.id);
      expect(events.filter(({ action }) => action === "otp.verified")).toHaveLength(4);
    });

    it("a relocation into it stops, and can be cancelled", async () => {
      const { tenant, users } = await createTenantWithUsers(1, ["user"]);
      await relocateUpTo(tenant, shard, "copying");
      await withFullDatabase(shard, 0, async () => {
        expect((await relocate(tenant, shard)).status).toBe(503);
        await relocateFully(tenant, 1);
        expect((await erase(users.user)).status).toBe(204);
        await expectErased(1, users.user);
      });
    });

    it("an erasure that finds the reserve used up is 503, and succeeds once there is room", async () => {
      const { tenant, users } = await createTenantWithUsers(shard, ["user"]);
      const { user } = users;
      await withFullDatabase(shard, 0, async () => {
        const { status, body } = await erase(user);
        expect([status, body.code]).toEqual([503, "unavailable"]);
        expect(await countReserve(shard)).toBe(operatorChunks);
        const [record] = await rowsIn(shard, "identities", tenant.id);
        expect(record).toMatchObject({ status: "active" });
        // The person's data is out of the guard already, and the alarm keeps trying.
        await fireAlarm(user);
        await freeSpace(shard, 50);
        await fireAlarm(user);
        await expectErased(shard, user);
      });
      expect(await readTrail(tenant)).toContain("user.erased success");
    });

    it("a reserve whose first chunk is too small gives more", async () => {
      const { tenant, users } = await createTenantWithUsers(shard, ["user"]);
      const { user } = users;
      await withFullDatabase(shard, 9, async () => {
        // The events need more than one chunk.
        await makeChanges(user, 20);
        expect((await erase(user)).status).toBe(204);
        await expectErased(shard, user);
        expect(await countReserve(shard)).toBe(operatorChunks + 1);
      });
      const events = await rowsIn(shard, "audit_events", tenant.id);
      expect(events.filter(({ action }) => action === "user.suspended")).toHaveLength(10);
    });
  },
);

describe("The space reserve", () => {
  it("is not for the erasure of users that the database never had", async () => {
    const { tenant } = await createTenantWithUsers(0, []);
    await withFullDatabase(0, 10, async () => {
      const user = await User.withTotp(tenant, "new");
      expect((await erase(user)).status).toBe(503);
      expect(await countReserve(0)).toBe(operatorChunks + 10);
      await freeSpace(0, 20);
      expect((await erase(user)).status).toBe(204);
      await expectErased(0, user);
    });
  });

  it("is for the suspension of a tenant", async () => {
    const { tenant } = await createTenantWithUsers(0, []);
    await withFullDatabase(0, 1, async () => {
      const { status } = await send("PATCH", `/v1/tenants/${tenant.id}`, {
        token: env.OPERATOR_TOKEN,
        body: { tenant: { status: "suspended" } },
      });
      expect(status).toBe(200);
      expect((await tenant.send("GET", "/v1/settings")).body.code).toBe("tenant_suspended");
    });
  });

  it("is only for essential writes: others are refused and use none of it", async () => {
    const { tenant, users } = await createTenantWithUsers(0, ["user"]);
    await withFullDatabase(0, 10, async () => {
      const attempts = [
        () =>
          tenant.send("POST", "/v1/tokens", { token: { name: "t", permissions: ["idp:read"] } }),
        () => setRetention(tenant, 3_000),
        () => patch(tenant, { lockout: { lock_seconds: 61 } }),
        () => patch(tenant, { audit: { retention_days: 300 }, lockout: { lock_seconds: 61 } }),
        () => patch(tenant, { retention: { archive_after_days: 300, assessment_days: 91 } }),
      ];
      for (const attempt of attempts) expect((await attempt()).status).toBe(503);
      await users.user.verify("000000");
      await fireAlarm(users.user);
      expect(await countReserve(0)).toBe(operatorChunks + 10);
      // After an essential write, other writes find less than one chunk.
      expect((await setRetention(tenant, 300)).status).toBe(200);
      let written = 0;
      while ((await attempts[0]?.())?.status === 201) written += 1;
      expect(written).toBeLessThan(16);
      expect(await countReserve(0)).toBe(operatorChunks + 9);
    });
  });

  it("deletes the data of a user with many waiting events, which follow when there is room", async () => {
    const { tenant, users } = await createTenantWithUsers(0, ["user"]);
    const { user } = users;
    await withFullDatabase(0, 4, async () => {
      await makeChanges(user, 70);
      expect((await erase(user)).status).toBe(503);
      const [record] = await rowsIn(0, "identities", tenant.id);
      expect(record).toMatchObject({ status: "erased", external_id: null, state: null });
      expect(await rowsIn(0, "assessments", tenant.id)).toEqual([]);
      await freeSpace(0, 30);
      await fireAlarm(user);
      await expectErased(0, user);
    });
    expect((await readTrail(tenant)).at(-1)).toBe("user.erased success");
  });

  it("is used after the messages of D1 and of SQLite, and after no other", async () => {
    for (const message of [
      "D1_ERROR: Exceeded maximum DB size",
      "database or disk is full: SQLITE_FULL",
    ]) {
      const failure = awaitStore(Promise.reject(new Error("query", { cause: new Error(message) })));
      await expect(failure).rejects.toThrow(FullDatabaseError);
    }
    const other = awaitStore(Promise.reject(new Error("D1_ERROR: D1 DB is overloaded")));
    await expect(other).rejects.not.toThrow(FullDatabaseError);
  });
});
