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
      actor: {
        type: "api_token",
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        name: "initial",
        acting_for: null,
      },
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
      expired: false,
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
    const longAgo = "0711-07-22T14:05:18Z";
    expect(targetsOf(await ask(`action=user.provisioned&limit=100&from=${longAgo}`))).toEqual(
      newestFirst,
    );
    expect((await ask(`to=${longAgo}`)).events).toEqual([]);

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

  it("names the token of each event, also of a revoked one, in the list and in the export", async () => {
    const tenant = await Tenant.create();
    const token = { name: "support desk", permissions: ["idp:write"] };
    const { body } = await tenant.send("POST", "/v1/tokens", { token });
    const { id, secret } = body.token;
    await tenant.send("POST", "/v1/idp/users", { user: { external_id: "u" } }, secret);
    await tenant.send("DELETE", `/v1/tokens/${id}`);
    const namesOf = (events: { action: string; actor: object }[]) =>
      events.map(({ action, actor }) => [action, Reflect.get(actor, "name")]);
    const list = "/v1/audit/events?externalUserId=u";
    const { events } = (await tenant.send("GET", list)).body;
    expect(namesOf(events)).toEqual([["user.provisioned", "support desk"]]);
    const exported: string = (await tenant.send("GET", "/v1/audit/export")).body;
    const lines = exported.trim().split("\n");
    expect(namesOf(lines.map((line) => JSON.parse(line)))).toEqual([
      ["tenant.created", null],
      ["token.created", null],
      ["token.created", "initial"],
      ...namesOf(events),
      ["token.revoked", "initial"],
    ]);
    // A row that ended 400 days ago is deleted.
    await env.DB.prepare("DELETE FROM api_tokens WHERE id = ?").bind(id).run();
    expect((await tenant.send("GET", list)).body.events[0].actor).toMatchObject({ id, name: null });
  });

  it("filters by actor, reason and address, alone and together", async () => {
    const tenant = await Tenant.create("live");
    const token = { name: "other", permissions: ["idp:write", "sentinel:write"] };
    const other = (await tenant.send("POST", "/v1/tokens", { token })).body.token;
    const users = [await User.withTotp(tenant, "a"), await User.withTotp(tenant, "b")];
    const discover = async (n: number, ip: string, secret?: string) => {
      const sentinel = { id: users[n]?.id, context: { ip, ua: "EnterpriseAgent/1.0" } };
      await tenant.send("POST", "/v1/sentinel/discover", { sentinel }, secret);
    };
    await discover(0, "203.0.113.9");
    await discover(1, "2001:db8::1", other.secret);
    await discover(1, "203.0.113.9", other.secret);
    for (const user of users) await user.verify(user.wrongCode(Date.now()));
    for (const user of users) await user.events();

    const count = async (query: string) => {
      const { body } = await tenant.send("GET", `/v1/audit/events?limit=100&${query}`);
      expect(body.has_more).toBe(false);
      return body.events.length;
    };
    expect(await count(`actor=${other.id}`)).toBe(2);
    expect(await count("actor=operator")).toBe(2);
    expect(await count("actor=system")).toBe(0);
    expect(await count("reason=invalid_code")).toBe(2);
    expect(await count("reason=no_such_reason")).toBe(0);
    expect(await count("reason=invalid_code&externalUserId=a")).toBe(1);
    for (const spelling of ["203.0.113.9", "::ffff:203.0.113.9", "203.0.113.9:443"]) {
      expect(await count(`address=${spelling}`)).toBe(2);
    }
    expect(await count("address=2001:DB8:0::1")).toBe(1);
    expect(await count("address=203.0.113.10")).toBe(0);
    expect(await count(`address=203.0.113.9&actor=${other.id}`)).toBe(1);
    expect(await count("address=203.0.113.9&externalUserId=a&action=session.assessed")).toBe(1);
    expect(await count("address=203.0.113.9&action=otp.verified")).toBe(0);

    const first = await tenant.send("GET", "/v1/audit/events?address=203.0.113.9&limit=1");
    expect(first.body).toMatchObject({ has_more: true, next_after: first.body.events[0].id });
    expect(await count(`address=203.0.113.9&after=${first.body.next_after}`)).toBe(1);

    await tenant.send("DELETE", users[1]?.path() ?? "");
    expect(await count("address=203.0.113.9")).toBe(1);
    for (const query of ["actor=x", "actor=OPERATOR", "reason=A b", "reason=", "address=x"]) {
      expect((await tenant.send("GET", `/v1/audit/events?${query}`)).status).toBe(400);
    }
  });

  it("opens a bounded number of events for a page that filters by address", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant, "u");
    const sentinel = { id: user.id, context: { ip: "203.0.113.9", ua: "EnterpriseAgent/1.0" } };
    await tenant.send("POST", "/v1/sentinel/discover", { sentinel });
    await user.events();
    // Younger events with personal parts that do not open.
    await env.DB.prepare(
      `INSERT INTO audit_events SELECT tenant_id, leaf_index + n.value + 1,
         printf('ffffffffff%014x', n.value), at, actor_type, actor_id, action, target_type, target_id,
         personal_key, personal, personal_digest, outcome, reason, request_id, details, stamp, arrived_at,
         NULL, NULL
       FROM audit_events, json_each((SELECT '[' || group_concat(value) || ']' FROM (
         WITH RECURSIVE m(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM m WHERE value < 1500)
         SELECT value FROM m))) AS n
       WHERE tenant_id = ? AND action = 'user.provisioned'`,
    )
      .bind(tenant.id)
      .run();
    const ask = async (query: string) =>
      (await tenant.send("GET", `/v1/audit/events?address=203.0.113.9${query}`)).body;
    const page = await ask("");
    expect(page).toMatchObject({ events: [], has_more: true });
    const next = await ask(`&after=${page.next_after}`);
    expect(next.events).toHaveLength(1);
    expect(next.has_more).toBe(false);
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
