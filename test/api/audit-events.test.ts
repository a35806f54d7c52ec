import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { evict, inspectGuard } from "../support/guard.ts";

describe("The audit trail", () => {
  it("shows time, actor, action, target, outcome, reason and request of an event", async () => {
    const user = await User.withTotp(await Tenant.create(), "ORG_USR_1");
    const answer = await user.verify(user.wrongCode(Date.now()));
    const [event] = await user.events();
    expect(event).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      actor: { type: "api_token", id: expect.stringMatching(/^[0-9a-f]{24}$/) },
      action: "otp.verified",
      target: { type: "identity", id: user.id, external_id: "ORG_USR_1" },
      outcome: "failure",
      reason: "invalid_code",
      request_id: answer.body.request_id,
      details: { method: "totp", failed_attempts: 1 },
      leaf_index: 4,
      personal: { external_id: "ORG_USR_1", nonce: expect.stringMatching(/^[0-9a-f]{32}$/) },
      personal_digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      erased: false,
    });
  });

  it("has an event for every administrative operation", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await user.backupCodes();
    await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    await tenant.send("PATCH", user.path(), { user: { status: "active" } });
    await tenant.send("POST", user.path("/unlock"));
    await tenant.send("DELETE", user.path("/otp"));
    await tenant.send("DELETE", user.path());
    const { body } = await tenant.send("POST", "/v1/tokens", {
      token: { name: "n", permissions: ["idp:read"] },
    });
    await tenant.send("POST", `/v1/tokens/${body.token.id}/rotate`, { token: {} });
    await tenant.send("DELETE", `/v1/tokens/${body.token.id}`);
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    const { events } = (await tenant.send("GET", "/v1/audit/events?limit=100")).body;
    expect(events.map(({ action }: { action: string }) => action).toReversed()).toEqual([
      "tenant.created",
      "token.created",
      "user.provisioned",
      "otp.configured",
      "backup_codes.generated",
      "user.suspended",
      "user.reactivated",
      "user.unlocked",
      "otp.removed",
      "user.erased",
      "token.created",
      "token.rotated",
      "token.revoked",
      "settings.changed",
    ]);
  });

  it("keeps events of the same instant in order", async () => {
    const tenant = await Tenant.create("test");
    tenant.clock = "2026-03-01T12:00:00Z";
    const user = await User.withTotp(tenant);
    const wrong = user.wrongCode(Date.parse(tenant.clock));
    for (let n = 0; n < 5; n += 1) await user.verify(wrong);
    expect((await user.events()).map(({ action }) => action).toReversed()).toEqual([
      "user.provisioned",
      "otp.configured",
      ...Array.from({ length: 5 }, () => "otp.verified"),
      "user.locked",
    ]);
  });

  it("counts attempts that are refused during a lockout instead of listing each", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 5; n += 1) await user.verify(wrong);
    const refused = 40;
    for (let n = 0; n < refused; n += 1) expect((await user.verify(wrong)).status).toBe(423);
    await user.tenant.send("POST", user.path("/unlock"));
    const events = (await user.events()).filter(({ outcome }) => outcome === "refused");
    expect(events.length).toBeLessThanOrEqual(6);
    expect(events.every(({ reason }) => reason === "user_locked")).toBe(true);
    const counted = events.reduce((sum, { details }) => sum + details.count, 0);
    expect(counted).toBe(refused);
  });

  it("of one user contains every refusal, under the token that caused it", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const other = await tenant.tokenWith(["idp:write"]);
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 5; n += 1) await user.verify(wrong);
    for (let n = 0; n < 30; n += 1) await user.verify(wrong, n % 3 === 0 ? other : undefined);
    const counts = new Map<string, number>();
    for (const { actor, outcome, details } of await user.events()) {
      if (outcome !== "refused") continue;
      counts.set(actor.id, (counts.get(actor.id) ?? 0) + details.count);
    }
    expect([...counts.values()].toSorted()).toEqual([10, 20]);
  });

  it("does not postpone a report of refusals when the guard is evicted repeatedly", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 8; n += 1) await user.verify(wrong);
    await vi.waitFor(async () => expect((await inspectGuard(user)).alarm).toBeNull(), 10_000);
    await user.verify(wrong);
    const due = (await inspectGuard(user)).alarm;
    expect(due).toBeGreaterThan(Date.now() + 2_000);
    for (let n = 0; n < 2; n += 1) {
      await scheduler.wait(20);
      await evict(user);
      await user.verify(wrong);
      expect((await inspectGuard(user)).alarm).toBe(due);
    }
  });

  it("loses no event when an identity is provisioned twice at the same instant", async () => {
    const tenant = await Tenant.create("test");
    tenant.clock = "2020-01-01T00:00:00Z";
    const user = await User.provision(tenant, "same");
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    await env.DB.prepare("DELETE FROM identities WHERE tenant_id = ?").bind(tenant.id).run();
    await User.provision(tenant, "same");
    const { events } = (await tenant.send("GET", "/v1/audit/events?action=user.provisioned")).body;
    expect(events).toHaveLength(2);
  });

  it("reports refused attempts without a further request", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 8; n += 1) await user.verify(wrong);
    await vi.waitFor(async () => {
      const row = await env.DB.prepare(
        "SELECT sum(json_extract(details, '$.count')) AS n FROM audit_events WHERE outcome = 'refused' AND target_id = ?",
      )
        .bind(user.id)
        .first<{ n: number }>();
      expect(row?.n).toBe(3);
    }, 20_000);
  });

  it("filters by user, action, outcome and time, in stable pages", async () => {
    const tenant = await Tenant.create("test");
    const hours = [0, 1, 2, 3, 4];
    const base = Date.parse("2026-03-01T00:00:00Z");
    const timeAt = (hour: number) => new Date(base + hour * 3_600_000).toISOString();
    const users = [];
    for (const hour of hours) {
      tenant.clock = timeAt(hour);
      users.push(await User.provision(tenant));
    }
    tenant.clock = undefined;
    const ask = async (query: string) =>
      (await tenant.send("GET", `/v1/audit/events?${query}`)).body;
    const targetsOf = (body: { events: { target: { id: string } }[] }) =>
      body.events.map(({ target }) => target.id);
    const newestFirst = users.map(({ id }) => id).toReversed();

    expect(targetsOf(await ask("action=user.provisioned&limit=100"))).toEqual(newestFirst);
    expect(
      targetsOf(await ask(`action=user.provisioned&from=${timeAt(1)}&to=${timeAt(3)}`)),
    ).toEqual(newestFirst.slice(2, 4));
    expect((await ask("outcome=failure")).events).toEqual([]);

    const seen: string[] = [];
    let after = "";
    do {
      const page = await ask(`action=user.provisioned&limit=2${after}`);
      seen.push(...targetsOf(page));
      // A new event while paging must not shift the pages.
      await User.provision(tenant);
      after = page.has_more ? `&after=${page.next_after}` : "";
    } while (after !== "");
    expect(seen).toEqual(newestFirst);

    for (const query of ["action=x", "outcome=x", "from=x", "to=1", "after=x", "limit=x"]) {
      expect((await tenant.send("GET", `/v1/audit/events?${query}`)).status).toBe(400);
    }
  });

  it("contains no events of other tenants", async () => {
    const one = await Tenant.create();
    const user = await User.provision(one, "shared");
    const two = await Tenant.create();
    const { body } = await two.send("GET", "/v1/audit/events?limit=100");
    expect(JSON.stringify(body)).not.toContain(user.id);
    const about = await two.send("GET", "/v1/audit/events?externalUserId=shared");
    expect(about.body.events).toEqual([]);
  });
});
