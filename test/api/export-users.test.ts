/** `GET /v1/idp/users/export`: a tenant leaves with its users and their secrets. */
import { describe, expect, it } from "vitest";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import {
  createSecret,
  drainAll,
  idOf,
  importRows,
  otpauthCode,
  outcomesOf,
  profileOf,
  verifyFor,
} from "../support/imports.ts";

async function exportPage(token: string, query = ""): Promise<Answer> {
  return await send("GET", `/v1/idp/users/export${query}`, { token });
}

async function exportAll(token: string, limit = 100): Promise<Answer["body"][]> {
  const users = [];
  for (let after = ""; ; ) {
    const { status, body } = await exportPage(token, `?limit=${limit}${after}`);
    if (status !== 200) throw new Error(`Not exported: ${JSON.stringify(body)}`);
    users.push(...body.users);
    if (!body.has_more) return users;
    after = `&after=${body.next_after}`;
  }
}

async function exportEvents(tenant: Tenant): Promise<Answer["body"][]> {
  const { body } = await tenant.send("GET", "/v1/audit/events?action=secrets.exported&limit=100");
  return body.events;
}

describe("The export", () => {
  it("has the live secrets of every user, as they were imported, with key URIs that apps read", async () => {
    const tenant = await Tenant.create();
    const [first, second] = [createSecret(), createSecret(64)];
    await importRows(tenant, [
      {
        external_id: "auth0|alice",
        authenticators: [
          { secret: first, name: "Phone" },
          { secret: second, algorithm: "SHA512", digits: 8, period: 60, name: "Key: blue" },
        ],
        backup_codes: ["7KQ2-XM4P-0RTZ"],
      },
    ]);
    await drainAll(tenant, ["auth0|alice"]);
    const [alice] = await exportAll(await tenant.allowExport());
    expect(alice).toEqual({
      external_id: "auth0|alice",
      status: "active",
      authenticators: [
        {
          ...{ secret: first, algorithm: "SHA1", digits: 6, period: 30, name: "Phone" },
          uri: `otpauth://totp/Phone:auth0%7Calice?secret=${first}&issuer=Phone`,
        },
        {
          ...{ secret: second, algorithm: "SHA512", digits: 8, period: 60, name: "Key: blue" },
          uri: `otpauth://totp/Key%20%20blue:auth0%7Calice?secret=${second}&issuer=Key%20%20blue&algorithm=SHA512&digits=8&period=60`,
        },
      ],
      backup_codes_remaining: 1,
    });
  });

  it("is an import of another tenant, row by row, and its users log in there", async () => {
    const tenant = await Tenant.create();
    const users = ["a", "b", "c"];
    const secrets = users.map((name) => ({ name, secret: createSecret() }));
    const rows = secrets.map(({ name, secret }) => ({
      external_id: name,
      status: name === "c" ? "suspended" : "active",
      authenticators: [{ secret, digits: name === "b" ? 8 : 6 }],
    }));
    await importRows(tenant, rows);
    await drainAll(tenant, users);
    const exported = await exportAll(await tenant.allowExport(), 2);
    const other = await Tenant.create();
    expect(await outcomesOf(other, exported)).toEqual(["created", "created", "created"]);
    const now = Date.now();
    for (const { name, secret } of secrets) {
      const code = otpauthCode(secret, now, { digits: name === "b" ? 8 : 6 });
      const { status } = await verifyFor(other, name, code);
      expect(status).toBe(name === "c" ? 403 : 200);
    }
    expect((await profileOf(other, "c")).status).toBe("suspended");
    expect(await outcomesOf(tenant, exported, { on_existing: "add" })).toEqual(
      exported.map(() => "skipped already_imported"),
    );
  });

  it("leaves out secrets that wait for their first code, and users who were erased", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    const waiting = await User.withTotp(tenant, "waiting");
    const erased = await User.provision(tenant, "erased");
    await tenant.send("DELETE", erased.path());
    const exported = await exportAll(await tenant.allowExport());
    expect(exported).toMatchObject([{ external_id: waiting.externalId, authenticators: [] }]);
    expect(await exportEvents(tenant)).toEqual([]);
  });

  it("is never cached", async () => {
    const { headers } = await exportPage(await (await Tenant.create()).allowExport());
    expect(headers.get("Cache-Control")).toBe("no-store");
  });
});

describe("An export is allowed", () => {
  it("only while the setting is on", async () => {
    const tenant = await Tenant.create();
    const token = await tenant.allowExport();
    expect((await exportPage(token)).status).toBe(200);
    await tenant.setSettings({ export: { secrets: false } });
    const { status, body } = await exportPage(token);
    expect([status, body.code]).toEqual([403, "export_not_allowed"]);
  });

  it("to no token without the permission, such as the first one of a tenant", async () => {
    const tenant = await Tenant.create();
    await tenant.allowExport();
    const { status, body } = await exportPage(tenant.token);
    expect([status, body.code]).toEqual([403, "insufficient_scope"]);
  });

  it("to whoever has tokens:write, after two acts that the trail has before the first secret leaves", async () => {
    const tenant = await Tenant.create();
    await User.withTotp(tenant, "a");
    const administrator = await tenant.tokenWith(["tokens:write"]);
    expect((await exportPage(administrator)).body.code).toBe("insufficient_scope");
    const { body } = await send("POST", "/v1/tokens", {
      token: administrator,
      body: { token: { name: "leave", permissions: ["settings:write", "idp:export"] } },
    });
    const token = body.token.secret;
    expect((await exportPage(token)).body.code).toBe("export_not_allowed");
    const settings = { export: { secrets: true } };
    await send("PATCH", "/v1/settings", { token, body: { settings } });
    expect(await exportAll(token)).toHaveLength(1);
    const events = (await tenant.send("GET", "/v1/audit/events?limit=3")).body.events;
    expect(events.map(({ action }: { action: string }) => action)).toEqual([
      ...["secrets.exported", "settings.changed", "token.created"],
    ]);
  });

  it("for the tenant's own users alone", async () => {
    const tenant = await Tenant.create();
    await User.withTotp(tenant, "a");
    const other = await Tenant.create();
    expect(await exportAll(await other.allowExport())).toEqual([]);
  });
});

describe("Each page with secrets", () => {
  it("has an event that says who took how many, and of which users", async () => {
    const tenant = await Tenant.create();
    const names = ["a", "b", "c"];
    for (const name of names) await User.withTotp(tenant, name);
    await User.provision(tenant, "bare");
    const token = await tenant.allowExport();
    await exportAll(token, 2);
    const ids = (await Promise.all(names.map((name) => idOf(tenant, name)))).toSorted();
    const events = (await exportEvents(tenant)).toReversed();
    const sum = (name: string) => events.reduce((total, { details }) => total + details[name], 0);
    expect([sum("users"), sum("authenticators")]).toEqual([3, 3]);
    expect(events[0].details.from_id).toBe(ids[0]);
    expect(events.at(-1).details.to_id).toBe(ids[2]);
    for (const event of events) {
      expect(event).toMatchObject({
        actor: { type: "api_token", name: "narrow" },
        target: { type: "tenant", id: tenant.id },
        outcome: "success",
      });
      // A name would outlive the erasure of the user.
      expect(JSON.stringify(event.details)).not.toMatch(/"[abc]"/);
    }
  });

  it("gives nothing if the event cannot be filed", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "a");
    const token = await tenant.allowExport();
    const { status, body } = await withD1Fault("fails on write", () => exportPage(token));
    expect([status, body.code]).toEqual([503, "unavailable"]);
    expect(JSON.stringify(body)).not.toContain(user.secret);
    expect(await exportEvents(tenant)).toEqual([]);
  });
});
