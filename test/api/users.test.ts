import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
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
    });
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
