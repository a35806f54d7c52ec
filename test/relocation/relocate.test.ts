import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { controlDbOf, databaseOf } from "../../src/db/shards.ts";
import { finishRelocations } from "../../src/relocation/relocate.ts";
import { deleteRows, writeRows } from "../../src/relocation/row-store.ts";
import { findRelocation, setFence } from "../../src/relocation/store.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { guardOf, loseStorage } from "../support/guard.ts";
import { killWorkerAfter } from "../support/killed-worker.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import {
  finishRegistration,
  page,
  registerPasskey,
  setUpPasskeys,
  startRegistration,
} from "../support/passkeys.ts";
import {
  deleteBehindFence,
  passMinuteAfterSwitch,
  readFences,
  readTenantData,
  relocate,
  relocateFully,
  relocateUpTo,
  tenantTables,
} from "../support/relocation.ts";
import { problemsOf, saveCheckpoint, saveTrail } from "../support/saved-trail.ts";
import { sql } from "../support/trail.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Creates a tenant with rows in every table and an empty outbox. */
async function createBusyTenant() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  const [backup = ""] = await user.backupCodes();
  const { assessment_id } = await user.assess();
  await user.sendFeedback(assessment_id, "legitimate");
  const code = user.code(Date.now());
  await user.verify(code);
  await user.verify(backup);
  const erased = await User.withTotp(tenant);
  await tenant.send("DELETE", erased.path());
  await drainOutbox(user);
  await env.DB.prepare("INSERT INTO populations (tenant_id, built_at, logins) VALUES (?, 5, 1)")
    .bind(tenant.id)
    .run();
  // A longer log has full tiles, and an older one has finished hours.
  await sql("INSERT INTO audit_tiles VALUES (?, 3, 0, 'AAAA')", tenant.id);
  await sql("INSERT INTO tenant_statistics VALUES (?, 7, '{}')", tenant.id);
  await sql("INSERT INTO passkey_claims VALUES (?, 'passkey', 'identity', 'claim')", tenant.id);
  await sql(
    "INSERT INTO personal_expiries VALUES (?, 20000, 'done', 4, 5, 0, 0, 0, NULL, 0, 0)",
    tenant.id,
  );
  const older = await saveCheckpoint(tenant);
  return { tenant, user, code, backup, older };
}

function expectRefused({ status, body }: Answer, message: string): void {
  expect([status, body.code]).toEqual([400, "invalid_request"]);
  expect(body.issues).toEqual([{ path: "relocation.shard", message }]);
}

/** All tables with tenants' data but `archived_successes`, which has rows only during a rebuild from the archive. */
const fullTables = tenantTables.length - 1;

describe("A tenant after a relocation", () => {
  it("has all its rows unchanged in the new database and none in the old one", async () => {
    const { tenant } = await createBusyTenant();
    const before = await readTenantData(0, tenant);
    expect(Object.keys(before)).toHaveLength(fullTables);
    const { body } = await relocate(tenant, 1);
    expect(body.relocation).toMatchObject({ from: 0, to: 1, phase: "cleaning", done: false });
    const after = await readTenantData(1, tenant);
    expect(after.audit_events).toHaveLength((before.audit_events?.length ?? 0) + 1);
    const { audit_events: _events, ...rest } = after;
    expect({ ...rest, audit_events: after.audit_events?.slice(0, -1) }).toEqual(before);
    expect(await readTenantData(0, tenant)).toEqual(before);
    await relocateFully(tenant, 1);
    expect(await readTenantData(0, tenant)).toEqual({});
    expect(await readFences(tenant)).toEqual(["left", "here", null]);
  });

  it("has its users, codes and proofs unchanged, and can add to them", async () => {
    const { tenant, user, code, backup, older } = await createBusyTenant();
    const profile = await user.profile();
    const eventsBefore = await readTrail(tenant);
    await relocateFully(tenant, 1, 1);
    expect(await user.profile()).toEqual(profile);
    expect(await readTrail(tenant)).toEqual([...eventsBefore, "tenant.relocated success"]);
    expect((await user.verify(code)).body.code).toBe("invalid_code");
    expect((await user.verify(backup)).body.code).toBe("code_already_used");
    await drainOutbox(user);
    await loseStorage(user);
    expect((await user.verify(code)).body.code).toBe("invalid_code");
    expect((await user.verify(user.code(Date.now() + 30_000))).status).toBe(200);
    await guardOf(user).deliver();
    expect(await readTrail(tenant)).toHaveLength(eventsBefore.length + 5);
    expect(await problemsOf(await saveTrail(tenant, { older }))).toEqual([]);
    const { body } = await tenant.send("GET", "/v1/idp/users");
    expect(body.users).toMatchObject([{ external_id: user.externalId }]);
  });

  it("can move to a third database and back to the first", async () => {
    const { tenant, user, older } = await createBusyTenant();
    for (const shard of [1, 2, 0] as const) {
      await relocateFully(tenant, shard);
      for (const other of [0, 1, 2] as const) {
        expect(Object.keys(await readTenantData(other, tenant))).toHaveLength(
          other === shard ? fullTables : 0,
        );
      }
      expect((await user.configure()).status).toBe(200);
    }
    expect(await readFences(tenant)).toEqual(["here", "left", "left"]);
    expect(await problemsOf(await saveTrail(tenant, { older }))).toEqual([]);
  });

  it("does not have the rows that an earlier relocation left in the new database", async () => {
    const { tenant, user } = await createBusyTenant();
    await databases()[1]
      .prepare(
        "INSERT INTO identities VALUES (?, ?, 'ghost', 'active', NULL, 1, 1, 1000, NULL), (?, 'x', 'ghost', 'active', NULL, 1, 1, 1, NULL)",
      )
      .bind(tenant.id, user.id, tenant.id)
      .run();
    const before = await rowsIn(0, "identities", tenant.id);
    await relocateFully(tenant, 1);
    expect(await rowsIn(1, "identities", tenant.id)).toEqual(before);
  });

  it("has only its own rows although an older build began to clear the new database", async () => {
    const { tenant, user } = await createBusyTenant();
    const before = await rowsIn(0, "identities", tenant.id);
    const newest = before.find(({ id }) => id === user.id);
    // A leftover whose fields are as long as the newest ones, so that the comparison does not find it.
    const leftover = { ...newest, created_at: 1_000_000_000_000, updated_at: 1_000_000_000_000 };
    const names = Object.keys(leftover);
    await databases()[1]
      .prepare(`INSERT INTO identities (${names.join()}) VALUES (${names.map(() => "?").join()})`)
      .bind(...Object.values(leftover))
      .run();
    await relocateUpTo(tenant, 1, "clearing");
    // That build used one state of the fence for clearing and copying.
    await databases()[1]
      .prepare("UPDATE tenant_fences SET state = 'arriving' WHERE tenant_id = ?")
      .bind(tenant.id)
      .run();
    const queries = env.TEST_MIGRATIONS.flatMap((migration) => migration.queries);
    const updates = queries.filter((query) => query.startsWith("UPDATE `relocations`"));
    await env.DB.batch(updates.map((query) => env.DB.prepare(query)));
    await relocateFully(tenant, 1);
    expect(await rowsIn(1, "identities", tenant.id)).toEqual(before);
  });

  it("is copied again if the comparison finds a missing row", async () => {
    const { tenant } = await createBusyTenant();
    await relocateUpTo(tenant, 1, "comparing");
    await deleteBehindFence(tenant, "audit_events", "leaf_index = 1");
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    await relocateFully(tenant, 1);
    expect(logged.mock.calls.join()).toContain("relocation_differs");
    const leaves = (await rowsIn(1, "audit_events", tenant.id)).map((row) => row.leaf_index);
    expect(leaves).toEqual(leaves.map((_, index) => index));
  });

  it("has its old rows deleted by the scheduled job, but not within a minute of the switch", async () => {
    const { tenant } = await createBusyTenant();
    await relocate(tenant, 1);
    await finishRelocations(env, Date.now());
    expect(Object.keys(await readTenantData(0, tenant))).toHaveLength(fullTables);
    await passMinuteAfterSwitch(tenant);
    await finishRelocations(env, Date.now());
    expect(await readTenantData(0, tenant)).toEqual({});
    const { body } = await relocate(tenant, 1);
    expect(body.relocation).toMatchObject({ phase: "done", done: true });
  });
});

describe("A tenant during a relocation", () => {
  it("still verifies codes; the events of its guards wait and are filed once", async () => {
    const { tenant, user } = await createBusyTenant();
    const eventsBefore = await readTrail(tenant);
    await relocateUpTo(tenant, 1, "copying");
    expect((await user.verify(user.code(Date.now() + 30_000))).status).toBe(200);
    await guardOf(user).deliver();
    expect(await readTrail(tenant)).toEqual(eventsBefore);
    await relocateFully(tenant, 1);
    await drainOutbox(user);
    expect((await readTrail(tenant)).slice(eventsBefore.length).toSorted()).toEqual([
      "otp.verified success",
      "tenant.relocated success",
    ]);
  });

  it("can provision users and rehydrate its guards", async () => {
    const { tenant, user } = await createBusyTenant();
    await relocateUpTo(tenant, 1, "copying");
    const newcomer = await User.withTotp(tenant);
    await loseStorage(user);
    expect((await user.profile()).has_otp).toBe(true);
    await relocateFully(tenant, 1);
    await drainOutbox(newcomer);
    const { body } = await tenant.send("GET", "/v1/idp/users");
    expect(body.users).toHaveLength(2);
  });

  it("changes tokens and settings at once; the events are filed afterwards", async () => {
    const { tenant } = await createBusyTenant();
    const eventsBefore = await readTrail(tenant);
    await relocateUpTo(tenant, 1, "copying");
    await tenant.setSettings({ lockout: { lock_seconds: 61 } });
    expect((await tenant.send("GET", "/v1/settings")).body.settings.lockout.lock_seconds).toBe(61);
    const token = await tenant.tokenWith(["idp:read"]);
    expect((await tenant.send("GET", "/v1/idp/users", undefined, token)).status).toBe(200);
    expect(await readTrail(tenant)).toEqual(eventsBefore);
    await relocateFully(tenant, 1);
    expect((await readTrail(tenant)).slice(eventsBefore.length)).toEqual([
      "settings.changed success",
      "token.created success",
      "tenant.relocated success",
    ]);
    expect(await rowsIn(0, "control_outbox", tenant.id)).toEqual([]);
  });

  it("answers the registration of a passkey with 503 until it has arrived, with its claims", async () => {
    const { tenant } = await createBusyTenant();
    await setUpPasskeys(tenant);
    const [owner, newcomer] = [await User.provision(tenant), await User.provision(tenant)];
    const { credential_id: credentialId } = await registerPasskey(
      owner,
      new PasskeyAuthenticator(),
    );
    const options = await startRegistration(newcomer);
    const create = (deviations = {}) =>
      new PasskeyAuthenticator().create(options, page, deviations);
    const [created, copied] = [await create(), await create({ credentialId })];
    await relocateUpTo(tenant, 1, "copying");
    const during = await finishRegistration(newcomer, options.challenge, created);
    expect([during.status, during.body.code]).toEqual([503, "unavailable"]);
    await relocateFully(tenant, 1);
    const taken = await finishRegistration(newcomer, options.challenge, copied);
    expect([taken.status, taken.body.code]).toEqual([409, "passkey_exists"]);
    expect((await finishRegistration(newcomer, options.challenge, created)).status).toBe(201);
    const claims = await rowsIn(1, "passkey_claims", tenant.id);
    const owners = new Set(claims.map(({ identity_id }) => identity_id));
    expect(owners).toEqual(new Set(["identity", owner.id, newcomer.id]));
    expect(await rowsIn(0, "passkey_claims", tenant.id)).toEqual([]);
  });

  it("answers an erasure with 503 until it has arrived", async () => {
    const { tenant, user } = await createBusyTenant();
    await relocateUpTo(tenant, 1, "copying");
    const during = await tenant.send("DELETE", user.path());
    expect([during.status, during.body.code]).toEqual([503, "unavailable"]);
    await relocateFully(tenant, 1);
    expect((await tenant.send("DELETE", user.path())).status).toBeOneOf([204, 404]);
    await drainOutbox(user);
    expect(await rowsIn(1, "assessments", tenant.id)).toEqual([]);
    const rows = await rowsIn(1, "identities", tenant.id);
    expect(rows.filter(({ status }) => status !== "erased")).toEqual([]);
  });

  it.each(["clearing", "copying", "comparing", "switching"])(
    "can return to its old database from the phase %s, with all its data",
    async (phase) => {
      const { tenant, user } = await createBusyTenant();
      const before = await readTenantData(0, tenant);
      await relocateUpTo(tenant, 1, phase);
      const { body } = await relocateFully(tenant, 0);
      expect(body.relocation).toMatchObject({ from: 1, to: 0, done: true });
      expect(await readTenantData(0, tenant)).toEqual(before);
      expect(await readTenantData(1, tenant)).toEqual({});
      expect((await user.configure()).status).toBe(200);
      expect((await rowsIn(0, "audit_events", tenant.id)).length).toBe(
        (before.audit_events?.length ?? 0) + 1,
      );
    },
  );

  it("can return although the old database was already closed when the relocation stopped", async () => {
    const { tenant, user } = await createBusyTenant();
    const before = await readTenantData(0, tenant);
    await relocateUpTo(tenant, 1, "switching");
    await databases()[0]
      .prepare("UPDATE tenant_fences SET state = 'left' WHERE tenant_id = ?")
      .bind(tenant.id)
      .run();
    await relocateFully(tenant, 0);
    expect(await readTenantData(0, tenant)).toEqual(before);
    expect((await user.configure()).status).toBe(200);
  });

  it("cannot be reversed twice, because the copy may be incomplete", async () => {
    const { tenant } = await createBusyTenant();
    const before = await readTenantData(0, tenant);
    await relocateUpTo(tenant, 1, "copying");
    // The Worker ends just after it has recorded the reversal.
    const { result } = await killWorkerAfter(3, false, () => relocate(tenant, 0));
    expect(result.status).toBe(503);
    const again = await relocate(tenant, 1);
    expectRefused(again, "conflicts with the relocation in progress, which goes to 0");
    await relocateFully(tenant, 0);
    expect(await readTenantData(0, tenant)).toEqual(before);
  });

  it("moves once although three requests run in parallel", async () => {
    const { tenant } = await createBusyTenant();
    const eventsBefore = await readTrail(tenant);
    const before = await readTenantData(0, tenant);
    for (let n = 0; n < 12; n += 1) {
      const all = await Promise.all([2, 3, 5].map((limit) => relocate(tenant, 1, limit)));
      expect(all.map(({ status }) => status)).toEqual([200, 200, 200]);
    }
    await relocateFully(tenant, 1);
    const after = await readTenantData(1, tenant);
    expect(after.identities).toEqual(before.identities);
    expect(after.assessments).toEqual(before.assessments);
    expect(await readTrail(tenant)).toEqual([...eventsBefore, "tenant.relocated success"]);
  });
});

describe("A relocation", () => {
  it("is refused to the tenant's own database, to an unknown database, and for an unknown tenant", async () => {
    const tenant = await Tenant.create();
    expectRefused(await relocate(tenant, 0), "is already the tenant's database");
    expectRefused(await relocate(tenant, 3), "is not a database of the service");
    const unknown = await relocate(Object.assign(Object.create(tenant), { id: "0".repeat(24) }), 1);
    expect([unknown.status, unknown.body.code]).toEqual([404, "not_found"]);
    await relocateFully(tenant, 1);
    expectRefused(await relocate(tenant, 3), "is not a database of the service");
  });

  it("refuses another destination while it runs", async () => {
    const tenant = await Tenant.create();
    await relocateUpTo(tenant, 1, "copying");
    expectRefused(
      await relocate(tenant, 2),
      "conflicts with the relocation in progress, which goes to 1",
    );
    await relocate(tenant, 1);
    expectRefused(
      await relocate(tenant, 0),
      "conflicts with the relocation in progress, which goes to 1",
    );
  });

  it("ignores a step that comes late", async () => {
    const { tenant } = await createBusyTenant();
    const old = await rowsIn(0, "identities", tenant.id);
    await relocateFully(tenant, 1);
    const move = await findRelocation(controlDbOf(env), tenant.id);
    if (move === undefined) throw new Error("The relocation is missing");
    const before = [
      await readTenantData(0, tenant),
      await readTenantData(1, tenant),
      await readFences(tenant),
    ];
    const late = { ...old[0], id: "f".repeat(24) };
    await writeRows(databaseOf(env, 1), 0, move, [late], []);
    await deleteRows(databaseOf(env, 1), move, "clearing", 10);
    await setFence(databaseOf(env, 1), move, "clearing");
    await setFence(databaseOf(env, 1), move, "arriving");
    await setFence(databaseOf(env, 0), move, "leaving");
    expect([
      await readTenantData(0, tenant),
      await readTenantData(1, tenant),
      await readFences(tenant),
    ]).toEqual(before);
    await relocateFully(tenant, 0);
    const back = await readTenantData(0, tenant);
    await deleteRows(databaseOf(env, 0), move, "left", 10);
    await setFence(databaseOf(env, 0), move, "left");
    expect(await readTenantData(0, tenant)).toEqual(back);
    expect(await readFences(tenant)).toEqual(["here", "left", null]);
  });
});
