/** Lockout: when a user is locked, what a lock refuses, and what resets the failure counter. */
import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { evict, loseStorage } from "../support/guard.ts";
import { relocateFully } from "../support/relocation.ts";
import { expectRequestEvents } from "../support/request-events.ts";
import { sendAtOnce, tally } from "./at-once.ts";

const start = Date.parse("2026-03-01T12:00:00Z");
const wrongBackupCode = "ZZZZ-9999";

function setClock(tenant: Tenant, time: number): void {
  tenant.clock = new Date(time).toISOString();
}

async function failTimes(user: User, n: number, now: number): Promise<void> {
  for (let attempt = 0; attempt < n; attempt += 1) {
    expect((await user.verify(user.wrongCode(now))).status).toBe(422);
  }
}

describe("Lockout", () => {
  it("follows four wrong TOTP codes and one wrong backup code, and reports when it ends", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await user.backupCodes();
    setClock(tenant, start);
    const wrong = user.wrongCode(start);
    for (const [index, code] of [wrong, wrong, wrong, wrong, wrongBackupCode].entries()) {
      const { status, body } = await user.verify(code);
      expect(status).toBe(422);
      expect(body).toMatchObject({ code: "invalid_code", attempts_remaining: 4 - index });
    }
    const { status, body, headers } = await user.verify(user.code(start));
    expect(status).toBe(423);
    expect(body).toMatchObject({
      code: "user_locked",
      locked_until: new Date(start + 900_000).toISOString(),
      retry_after_seconds: 900,
    });
    expect(headers.get("Retry-After")).toBe("900");
  });

  it("refuses right codes too, and attempts during it neither count nor extend it", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const codes = await user.backupCodes();
    setClock(tenant, start);
    await failTimes(user, 5, start);
    const end = start + 900_000;
    setClock(tenant, end - 1);
    const tried = [user.code(end), user.wrongCode(end), codes[0], wrongBackupCode];
    const answers = await sendAtOnce(20, (index) => user.verify(tried[index % tried.length]));
    expect(tally(answers)).toEqual({ "423 user_locked": 20 });
    expect(await user.profile()).toMatchObject({
      failed_attempts: 5,
      is_locked: true,
      locked_until: new Date(end).toISOString(),
      backup_codes_remaining: 10,
    });
    setClock(tenant, end);
    expect((await user.verify(user.wrongCode(end))).body.attempts_remaining).toBe(4);
    expect((await user.verify(user.code(end))).status).toBe(200);
    expect((await user.verify(codes[0])).status).toBe(200);
  });

  it.each([
    ["case", "Alice", ["alice", "ALICE"]],
    ["Unicode form", "caf\u00e9", ["cafe\u0301", "cafe"]],
    ["compatibility form", "user\ufb01", ["userfi", "\uff55serfi"]],
    ["a look-alike or an invisible character", "admin", ["\u0430dmin", "admin\u200b", "admin "]],
    ["letters that case folding changes", "stra\u00dfe", ["strasse", "STRASSE"]],
    ["the dotless i", "I\u0307d", ["\u0130d", "id", "\u0131d"]],
  ])("is not shared by external_ids that differ in %s", async (_, locked, others) => {
    const tenant = await Tenant.create();
    const victim = await User.withTotp(tenant, locked);
    const neighbours = await Promise.all(others.map((name) => User.withTotp(tenant, name)));
    const now = Date.now();
    await failTimes(victim, 5, now);
    for (const neighbour of neighbours) {
      expect(await neighbour.profile()).toMatchObject({ failed_attempts: 0, is_locked: false });
      expect((await neighbour.verify(neighbour.code(now))).status).toBe(200);
    }
    expect((await victim.profile()).is_locked).toBe(true);
  });

  it("is not shared by two tenants with the same external_id", async () => {
    const [one, two] = [await Tenant.create(), await Tenant.create()];
    const [mine, theirs] = [await User.withTotp(one, "same"), await User.withTotp(two, "same")];
    await failTimes(mine, 5, Date.now());
    expect(await theirs.profile()).toMatchObject({ failed_attempts: 0, is_locked: false });
    expect((await theirs.verify(theirs.code(Date.now()))).status).toBe(200);
  });
});

const doesNotReset: Record<string, (user: User) => Promise<void>> = {
  "an eviction": evict,
  "a guard that loses its storage": async (user) => {
    await drainOutbox(user);
    await loseStorage(user);
  },
  "a relocation of the tenant": async ({ tenant }) => void (await relocateFully(tenant, 1)),
  "a guard that loses its storage after a relocation": async (user) => {
    await drainOutbox(user);
    await relocateFully(user.tenant, 1);
    await loseStorage(user);
  },
  "new backup codes": async (user) => void (await user.backupCodes()),
  "a new secret": async (user) => void (await user.configure()),
  "removing and configuring TOTP": async (user) => {
    expect((await user.tenant.send("DELETE", user.path("/otp"))).status).toBe(204);
    await user.configure();
  },
  "suspending and reactivating": async (user) => {
    for (const status of ["suspended", "active"]) {
      const changed = await user.tenant.send("PATCH", user.path(), { user: { status } });
      expect(changed.body.status).toBe(status);
    }
  },
  "provisioning again": async (user) => {
    const body = { user: { external_id: user.externalId } };
    expect((await user.tenant.send("POST", "/v1/idp/users", body)).status).toBe(409);
  },
  "a change of the tenant's policy": async ({ tenant }) =>
    await tenant.setSettings({ lockout: { lock_seconds: 60 } }),
  "a legitimate verdict on a session": async (user) => {
    const { assessment_id } = await user.assess();
    expect((await user.sendFeedback(assessment_id, "legitimate")).status).toBe(204);
  },
  "30 days": async ({ tenant }) => setClock(tenant, Date.now() + 30 * 86_400_000),
};

describe("The failure counter", () => {
  it.each(Object.entries(doesNotReset))("is not reset by %s", async (_, act) => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await failTimes(user, 4, Date.now());
    await act(user);
    expect((await user.profile()).failed_attempts).toBe(4);
    const now = tenant.clock === undefined ? Date.now() : Date.parse(tenant.clock);
    const fifth = await user.verify(user.wrongCode(now));
    expect(fifth.body).toMatchObject({ code: "invalid_code", attempts_remaining: 0 });
    expect((await user.verify(user.code(now))).body.code).toBe("user_locked");
  });

  it.each(["TOTP code", "backup code"])("is reset by a right %s", async (factor) => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const [backup] = await user.backupCodes();
    await failTimes(user, 4, Date.now());
    const right = factor === "TOTP code" ? user.code(Date.now()) : backup;
    expect((await user.verify(right)).status).toBe(200);
    expect((await user.profile()).failed_attempts).toBe(0);
  });

  it("is reset by an unlock, which the trail records", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await failTimes(user, 5, Date.now());
    const unlocked = await tenant.send("POST", user.path("/unlock"));
    expect(unlocked.body).toMatchObject({ failed_attempts: 0, is_locked: false });
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    const requestId = unlocked.headers.get("X-Request-Id");
    await expectRequestEvents({ tenant, user }, requestId, ["user.unlocked success"]);
  });
});
