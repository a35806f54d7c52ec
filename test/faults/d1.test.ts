import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { deleteExpired } from "../../src/housekeeping.ts";
import { Tenant, User } from "../support/client.ts";
import { type D1Fault, withD1Fault } from "../support/d1-faults.ts";
import { hangForever, withQuickDeadlines } from "../support/deadlines.ts";
import {
  countUndelivered,
  evict,
  fireAlarm,
  inspectGuard,
  loseStorage,
  readAlarm,
  replaceState,
} from "../support/guard.ts";
import { replaceNextBatchOf } from "../support/next-batch.ts";

const faults: readonly D1Fault[] = ["throws", "hangs", "fails on write", "loses the reply"];

async function listActions(user: User): Promise<string[]> {
  return (await user.events()).map(({ action, outcome }) => `${action} ${outcome}`);
}

describe.each(faults)("D1 that %s", (fault) => {
  it("does not change the result of a verification, and gets each event once, later", async () => {
    const user = await User.withTotp(await Tenant.create());
    const code = user.code(Date.now());
    const wrong = user.wrongCode(Date.now());
    await withD1Fault(fault, async () => {
      expect((await user.verify(wrong)).status).toBe(422);
      expect((await user.verify(code)).status).toBe(200);
      expect((await user.verify(code)).status).toBe(422);
      await fireAlarm(user);
      // It tries again.
      expect(await readAlarm(user)).not.toBeNull();
    });
    await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), 20_000);
    expect(await listActions(user)).toEqual([
      "otp.verified refused",
      "otp.verified success",
      "otp.verified failure",
      "otp.configured success",
      "user.provisioned success",
    ]);
  });

  it("does not lose an attempt when the guard is evicted meanwhile", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    await withD1Fault(fault, async () => {
      for (let attempt = 0; attempt < 3; attempt += 1) await user.verify(wrong);
      await evict(user);
      expect((await user.verify(wrong)).body.attempts_remaining).toBe(1);
      expect((await user.verify(wrong)).body.attempts_remaining).toBe(0);
      expect((await user.verify(wrong)).status).toBe(423);
    });
  });

  it("does not make a new secret unusable", async () => {
    const user = await User.provision(await Tenant.create());
    await withD1Fault(fault, async () => {
      expect((await user.configure()).status).toBe(200);
      expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    });
  });

  it("leaves a complete identity or a 503 after provisioning, never a partial identity", async () => {
    const tenant = await Tenant.create();
    const request = { user: { external_id: "new" } };
    const during = await withD1Fault(
      fault,
      async () => await tenant.send("POST", "/v1/idp/users", request),
    );
    const after = await tenant.send("POST", "/v1/idp/users", request);
    expect([`${during.status} ${after.status}`]).toEqual(
      fault === "fails on write" ? ["201 409"] : ["503 201"],
    );
    expect((await tenant.send("GET", "/v1/idp/user?externalUserId=new")).status).toBe(200);
  });

  it("causes a 503 for an erasure until D1 has deleted the user as well", async () => {
    const user = await User.withTotp(await Tenant.create());
    await withD1Fault(fault, async () => {
      const refused = await user.tenant.send("DELETE", user.path());
      expect(refused.status).toBe(503);
      expect((await user.verify(user.code(Date.now()))).body.code).toBe("user_not_found");
    });
    expect((await user.tenant.send("DELETE", user.path())).status).toBeOneOf([204, 404]);
    await vi.waitFor(async () => expect((await inspectGuard(user)).tables).toEqual([]), 20_000);
    expect((await user.tenant.send("GET", user.path())).status).toBe(404);
    expect((await user.tenant.send("GET", "/v1/idp/users")).body.users).toEqual([]);
  });
});

describe("An evicted guard", () => {
  it("is started by its alarm and delivers its outbox", async () => {
    const user = await User.withTotp(await Tenant.create());
    const { body } = await user.verify(user.wrongCode(Date.now()));
    await evict(user);
    await vi.waitFor(async () => {
      const row = await env.DB.prepare("SELECT outcome FROM audit_events WHERE request_id = ?")
        .bind(body.request_id)
        .first();
      expect(row).toEqual({ outcome: "failure" });
    }, 20_000);
  });
});

describe("An empty guard", () => {
  it("rehydrates failures, last time step and spent codes from the record", async () => {
    const user = await User.withTotp(await Tenant.create());
    const [earlier, backupCode] = await user.backupCodes();
    const code = user.code(Date.now());
    for (const accepted of [code, earlier, backupCode]) {
      expect((await user.verify(accepted)).status).toBe(200);
    }
    await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), 20_000);
    await loseStorage(user);
    expect((await user.verify(code)).body.code).toBe("invalid_code");
    expect((await user.verify(earlier)).body.code).toBe("invalid_code");
    expect((await user.verify(backupCode)).body.code).toBe("code_already_used");
    expect(await user.profile()).toMatchObject({ failed_attempts: 2, backup_codes_remaining: 8 });
  });

  it("answers 503 instead of user_not_found when D1 is unreachable", async () => {
    const user = await User.withTotp(await Tenant.create());
    await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), 20_000);
    await loseStorage(user);
    const code = user.code(Date.now());
    await withD1Fault("throws", async () => {
      expect((await user.verify(code)).body.code).toBe("unavailable");
    });
    expect((await user.verify(code)).status).toBe(200);
  });
});

describe("A damaged record", () => {
  it("that belongs to another identity is not loaded", async () => {
    const tenant = await Tenant.create();
    const victim = await User.withTotp(tenant, "victim");
    const attacker = await User.withTotp(tenant, "attacker");
    for (const user of [victim, attacker]) {
      await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), 20_000);
    }
    await env.DB.prepare(
      "UPDATE identities SET state = (SELECT state FROM identities WHERE id = ?1) WHERE id = ?2",
    )
      .bind(attacker.id, victim.id)
      .run();
    await loseStorage(victim);
    expect((await victim.verify(attacker.code(Date.now()))).status).toBe(503);
    expect((await tenant.send("GET", victim.path())).status).toBe(503);
  });

  it("in the guard causes a 503, and the alarm keeps retrying", async () => {
    const user = await User.withTotp(await Tenant.create());
    await withD1Fault("throws", async () => {
      await user.verify(user.wrongCode(Date.now()));
      await replaceState(user, "json_set(state, '$.status', 'unheard of')");
      await evict(user);
      await fireAlarm(user);
    });
    expect((await user.verify(user.code(Date.now()))).status).toBe(503);
    expect((await readAlarm(user)) ?? 0).toBeGreaterThan(0);
    await replaceState(user, "json_set(state, '$.status', 'active')");
    await evict(user);
    await vi.waitFor(async () => {
      expect((await user.events())[0]).toMatchObject({ outcome: "failure" });
    }, 20_000);
  });
});

describe("A delivery that lands after the erasure", () => {
  it("does not restore the identity, and its leftover rows are deleted", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    let land: () => Promise<unknown> = async () => undefined;
    const restore = replaceNextBatchOf(tenant.id, (real) => {
      land = real;
      return hangForever();
    });
    await tenant.send("POST", "/v1/sentinel/discover", {
      sentinel: { id: user.id, context: { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" } },
    });
    await withQuickDeadlines(() => fireAlarm(user));
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    restore();
    await land();
    const count = async (query: string) =>
      (await env.DB.prepare(query).bind(tenant.id).first<{ n: number }>())?.n;
    const { events } = (await tenant.send("GET", "/v1/audit/events?action=session.assessed")).body;
    expect(events).toMatchObject([{ erased: true, personal: null, target: { id: user.id } }]);
    expect((await tenant.send("GET", user.path())).status).toBe(404);
    await deleteExpired(env, Date.now());
    expect(await count("SELECT count(*) AS n FROM assessments WHERE tenant_id = ?")).toBe(0);
  });
});

describe("An unknown identity", () => {
  it("leaves no storage behind after a request to assess it", async () => {
    const tenant = await Tenant.create();
    const known = await User.provision(tenant, "known");
    const unknown = { tenant, id: known.id.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) };
    const discovered = await tenant.send("POST", "/v1/sentinel/discover", {
      sentinel: { id: unknown.id, context: { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" } },
    });
    expect(discovered.status).toBe(404);
    expect(await inspectGuard(unknown)).toEqual({ tables: [], alarm: null });
  });
});

describe("Tokens while D1 fails", () => {
  it("get 503, never 401, if they are not cached yet", async () => {
    const tenant = await Tenant.create();
    const token = await tenant.tokenWith(["idp:read"]);
    await withD1Fault("throws", async () => {
      const answer = await tenant.send("GET", "/v1/idp/users", undefined, token);
      expect(answer.status).toBe(503);
      expect(answer.body.code).toBe("unavailable");
    });
    expect((await tenant.send("GET", "/v1/idp/users", undefined, token)).status).toBe(200);
  });
});
