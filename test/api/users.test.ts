import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { fireAlarm, inspectGuard, loseStorage } from "../support/guard.ts";

describe("Provisioning", () => {
  it("answers as the source document says, also when it is repeated", async () => {
    const tenant = await Tenant.create();
    const request = { user: { external_id: "ORG_USR_9921_AFG" } };
    const { status, body } = await tenant.send("POST", "/v1/idp/users", request);
    expect(status).toBe(201);
    expect(body).toEqual({
      user: {
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        external_id: "ORG_USR_9921_AFG",
        status: "active",
      },
    });
    const again = await tenant.send("POST", "/v1/idp/users", request);
    expect(again.status).toBe(409);
    expect(again.body).toMatchObject({
      error: "User with this external_id already exists for this company",
      code: "user_exists",
    });
  });

  it("stores unusual external_ids unchanged and finds them again", async () => {
    const tenant = await Tenant.create();
    const unusual = [
      "' OR 1=1--",
      "😀".repeat(255),
      "a b+c%20&d=e#f",
      "é",
      "e\u0301",
      "É",
      "../../etc",
      "%00",
      "\u202e\ufeffx",
      "__proto__",
    ];
    for (const externalId of unusual) {
      const user = await User.provision(tenant, externalId);
      expect((await user.profile()).external_id).toBe(externalId);
    }
    const { body } = await tenant.send("GET", "/v1/idp/users?limit=100");
    const listed = body.users.map(({ external_id }: { external_id: string }) => external_id);
    expect(listed.toSorted()).toEqual(unusual.toSorted());
  });

  it("rejects an invalid external_id", async () => {
    const tenant = await Tenant.create();
    for (const externalId of [
      "",
      "a".repeat(256),
      "😀".repeat(256),
      "nul\u0000",
      "tab\t",
      "\u0085",
      "\ud800",
      "x\udc00y",
      1,
      null,
      ["a"],
      {},
      true,
    ]) {
      const { status, body } = await tenant.send("POST", "/v1/idp/users", {
        user: { external_id: externalId },
      });
      expect(status).toBe(400);
      expect(body.issues[0].path).toBe("user.external_id");
    }
  });
});

describe("The profile", () => {
  it("is flat, and has the fields of the source document and the additional ones", async () => {
    const user = await User.provision(await Tenant.create());
    expect(await user.profile()).toEqual({
      id: user.id,
      external_id: user.externalId,
      status: "active",
      has_otp: false,
      has_passkeys: false,
      is_locked: false,
      failed_attempts: 0,
      saas_client_id: user.tenant.id,
      locked_until: null,
      backup_codes_remaining: 0,
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      updated_at: expect.stringMatching(/^\d{4}-.*Z$/),
      last_verified_at: null,
      otp_status: "none",
      otp_pending: false,
    });
  });

  it("shows whether TOTP is pending, active or disabled, as the answer to an unlock does", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({
      otp: { enrolment: "confirm" },
      lockout: { max_failed_attempts: 2, disable_after: 2 },
    });
    const user = await User.provision(tenant);
    const shown: unknown[] = [];
    const show = async ({ otp_status: status, otp_pending: pending }: Answer["body"]) => {
      const listed = (await tenant.send("GET", "/v1/idp/users")).body.users[0];
      shown.push([status, pending, listed.otp_status, listed.has_otp]);
    };
    await user.configure();
    await show(await user.profile());
    await user.confirm(user.code(Date.now()));
    await drainOutbox(user);
    await show(await user.profile());
    await user.configure();
    await show(await user.profile());
    for (let n = 0; n < 2; n += 1) await user.verify(user.wrongCode(Date.now()));
    await show((await tenant.send("POST", user.path("/unlock"))).body);
    await user.configure();
    await show(await user.profile());
    expect(shown).toEqual([
      ["pending", false, "pending", false],
      ["active", false, "active", true],
      ["active", true, "active", true],
      ["disabled", false, "disabled", true],
      ["disabled", true, "disabled", true],
    ]);
    const refused = (await user.verify((await user.backupCodes())[0])).body;
    expect(refused).toMatchObject({ code: "otp_disabled", locked_until: null });
    expect(refused.error).toContain("neither an unlock nor a backup code");
  });

  it("never shows the secret or the codes again", async () => {
    const user = await User.withTotp(await Tenant.create());
    const codes = await user.backupCodes();
    const text = JSON.stringify([await user.profile(), await user.events()]);
    for (const secret of [user.secret, ...codes]) expect(text).not.toContain(secret);
  });
});

describe("The list", () => {
  it("pages through every identity once, and filters by status", async () => {
    const tenant = await Tenant.create();
    const users = [];
    for (let index = 0; index < 7; index += 1) users.push(await User.withTotp(tenant));
    const [suspended, locked] = users;
    if (suspended === undefined || locked === undefined) throw new Error("no users");
    await tenant.send("PATCH", suspended.path(), { user: { status: "suspended" } });
    const wrong = locked.wrongCode(Date.now());
    for (let attempt = 0; attempt < 5; attempt += 1) await locked.verify(wrong);

    const seen: string[] = [];
    let after = "";
    do {
      const { body } = await tenant.send("GET", `/v1/idp/users?limit=3${after}`);
      seen.push(...body.users.map(({ id }: { id: string }) => id));
      after = body.has_more ? `&after=${body.next_after}` : "";
    } while (after !== "");
    expect(seen).toEqual(users.map(({ id }) => id).toSorted());

    const listIdsWithStatus = async (status: string) =>
      (await tenant.send("GET", `/v1/idp/users?status=${status}`)).body.users.map(
        ({ id }: { id: string }) => id,
      );
    expect(await listIdsWithStatus("suspended")).toEqual([suspended.id]);
    await vi.waitFor(
      async () => expect(await listIdsWithStatus("locked")).toEqual([locked.id]),
      10_000,
    );
    expect(await listIdsWithStatus("active")).toHaveLength(5);
    expect((await tenant.send("GET", "/v1/idp/users?limit=101")).status).toBe(400);
    expect((await tenant.send("GET", "/v1/idp/users?limit=0")).status).toBe(400);
    expect((await tenant.send("GET", "/v1/idp/users?status=gone")).status).toBe(400);
    expect((await tenant.send("GET", "/v1/idp/users?after=x")).status).toBe(400);
  });
});

describe("The directory", () => {
  it("filters by factors, shows the end of a lock, and reads records of older builds", async () => {
    const tenant = await Tenant.create();
    const [enrolled, bare, older, damaged] = [
      await User.withTotp(tenant, "enrolled"),
      await User.provision(tenant, "bare"),
      await User.withTotp(tenant, "older"),
      await User.withTotp(tenant, "damaged"),
    ];
    for (let n = 0; n < 5; n += 1) await enrolled.verify(enrolled.wrongCode(Date.now()));
    await drainOutbox(enrolled);
    const setState = async ({ id }: User, state: string) =>
      await env.DB.prepare("UPDATE identities SET state = ? WHERE tenant_id = ? AND id = ?")
        .bind(state, tenant.id, id)
        .run();
    const wholeState = { totp: { sealed: "1.a.b" }, pendingTotp: null, otpDisabled: false };
    await setState(older, JSON.stringify(wholeState));
    await setState(damaged, "{");
    const list = async (query: string) => {
      const { body } = await tenant.send("GET", `/v1/idp/users?${query}`);
      expect(body.has_more).toBe(false);
      const users: Answer["body"][] = body.users;
      return new Map(users.map((user) => [user.external_id, user]));
    };
    const namesOf = async (query: string) => [...(await list(query)).keys()].toSorted();
    expect(await namesOf("has_otp=true")).toEqual(["enrolled", "older"]);
    expect(await namesOf("has_otp=false")).toEqual(["bare", "damaged"]);
    expect(await namesOf("has_otp=true&status=locked")).toEqual(["enrolled"]);
    expect(await namesOf("has_passkeys=true")).toEqual([]);
    expect(await namesOf("has_passkeys=false&has_otp=false&status=active")).toHaveLength(2);
    const all = await list("limit=10");
    const { locked_until: lockedUntil } = await enrolled.profile();
    expect(all.get("enrolled")).toMatchObject({
      status: "locked",
      locked_until: lockedUntil,
      has_otp: true,
      has_passkeys: false,
      otp_status: "active",
    });
    expect(all.get("older")).toMatchObject({ otp_status: "active", locked_until: null });
    expect(all.get(bare.externalId)).toMatchObject({ otp_status: "none", has_otp: false });
    tenant.clock = lockedUntil;
    expect((await list("status=active")).get("enrolled")?.locked_until).toBeNull();
    tenant.clock = undefined;
    expect(await namesOf("external_id_contains=LD")).toEqual(["older"]);
    expect(await namesOf("external_id_contains=e&has_otp=true")).toEqual(["enrolled", "older"]);
    expect(await namesOf("external_id_contains=%25")).toEqual([]);
    for (const query of ["external_id_contains=", "has_otp=yes", "has_passkeys=1", "has_otp="]) {
      expect((await tenant.send("GET", `/v1/idp/users?${query}`)).status).toBe(400);
    }
  });

  it("shows a pending secret until it expires", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    const user = await User.provision(tenant);
    await user.configure();
    const list = async () => (await tenant.send("GET", "/v1/idp/users")).body.users[0].otp_status;
    expect(await list()).toBe("pending");
    tenant.clock = new Date(Date.now() + 10 * 60_000).toISOString();
    expect(await list()).toBe("none");
    expect((await user.profile()).otp_status).toBe("none");
  });
});

describe("Suspension", () => {
  it("refuses codes and new credentials until the user is reactivated, and loses nothing", async () => {
    const user = await User.withTotp(await Tenant.create());
    const suspended = await user.tenant.send("PATCH", user.path(), {
      user: { status: "suspended" },
    });
    expect(suspended.body).toMatchObject({ status: "suspended", has_otp: true });
    for (const answer of [
      await user.verify(user.code(Date.now())),
      await user.configure(),
      await user.tenant.send("POST", user.path("/backup-codes")),
      await user.tenant.send("POST", "/v1/sentinel/discover", {
        sentinel: { id: user.id, context: { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" } },
      }),
    ]) {
      expect(answer.status).toBe(403);
      expect(answer.body.code).toBe("user_suspended");
    }
    await user.tenant.send("PATCH", user.path(), { user: { status: "active" } });
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    for (const status of ["locked", "erased", "", null]) {
      const answer = await user.tenant.send("PATCH", user.path(), { user: { status } });
      expect(answer.status).toBe(400);
    }
  });
});

describe("A guard that has lost its storage", () => {
  const changes: readonly (readonly [string, (user: User) => Promise<Answer>, object])[] = [
    ["a new secret", (user) => user.configure(), { has_otp: true }],
    [
      "the removal of the secret",
      (user) => user.tenant.send("DELETE", user.path("/otp")),
      { has_otp: false },
    ],
    [
      "new backup codes",
      (user) => user.tenant.send("POST", user.path("/backup-codes")),
      { backup_codes_remaining: 10 },
    ],
    [
      "a suspension",
      (user) => user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } }),
      { status: "suspended" },
    ],
    [
      "an unlock",
      (user) => user.tenant.send("POST", user.path("/unlock")),
      { failed_attempts: 0, status: "active" },
    ],
  ];

  it.each(changes)("loads the identity from D1 for %s", async (_name, change, expected) => {
    const user = await User.withTotp(await Tenant.create());
    await user.verify(user.wrongCode(Date.now()));
    await fireAlarm(user);
    await loseStorage(user);
    expect([200, 204]).toContain((await change(user)).status);
    expect(await user.profile()).toMatchObject(expected);
  });
});

describe("Erasure", () => {
  it("deletes the identity from D1 even if the guard has lost its storage", async () => {
    const user = await User.withTotp(await Tenant.create());
    await loseStorage(user);
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    expect((await user.tenant.send("GET", user.path())).status).toBe(404);
    expect((await user.tenant.send("GET", "/v1/idp/users")).body.users).toEqual([]);
  });

  it("leaves no trace of the person in any store, and the identity can be provisioned again", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "someone@example.com");
    await user.backupCodes();
    await user.verify(user.wrongCode(Date.now()));
    await tenant.send("POST", "/v1/sentinel/discover", {
      sentinel: { id: user.id, context: { ip: "203.0.113.7", ua: "Peculiar Agent/9" } },
    });
    expect((await user.events())[0].personal).toEqual({
      external_id: "someone@example.com",
      address: "203.0.113.7",
      agent: "Peculiar Agent/9",
      nonce: expect.any(String),
    });
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
    const trail = (await tenant.send("GET", "/v1/audit/events?limit=100")).body.events;
    for (const personal of ["someone@example.com", "203.0.113.7", "Peculiar"]) {
      expect(JSON.stringify(trail)).not.toContain(personal);
    }
    for (const table of ["identities", "audit_events", "assessments"]) {
      const { results } = await env.DB.prepare(`SELECT * FROM ${table}`).all();
      const text = JSON.stringify(results);
      for (const personal of ["someone@example.com", "203.0.113.7", "Peculiar"]) {
        expect(text).not.toContain(personal);
      }
    }
    expect((await tenant.send("GET", user.path())).body.code).toBe("user_not_found");
    expect((await tenant.send("DELETE", user.path())).body.code).toBe("user_not_found");
    const again = await User.provision(tenant, "someone@example.com");
    expect(again.id).toBe(user.id);
    expect(await again.profile()).toMatchObject({
      has_otp: false,
      failed_attempts: 0,
      backup_codes_remaining: 0,
    });
    // A search by name finds only the new identity. The tenant's whole trail still reports the erasure.
    expect((await again.events()).map(({ action }) => action)).toEqual(["user.provisioned"]);
    const { events } = (await tenant.send("GET", "/v1/audit/events?action=user.erased")).body;
    expect(events[0].target).toEqual({ type: "identity", id: user.id, external_id: null });
  });
});
