/** Another isolate remembers for 25 s where a tenant lived: what it does with that. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cacheShard } from "../../src/db/shards.ts";
import { send, Tenant, User } from "../support/client.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { guardOf, loseStorage } from "../support/guard.ts";
import { fireLogAlarm } from "../support/refusal-log.ts";
import {
  readTenantData,
  relocate,
  relocateFully,
  relocateUpTo,
  tenantTables,
} from "../support/relocation.ts";
import { problemsOf, saveTrail } from "../support/saved-trail.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

let tenant: Tenant;
let user: User;
let told: string[];

/** As an isolate that asked a moment before the switch. */
function staleMemory(): void {
  cacheShard(env, tenant.id, 0, Date.now());
}

/** Moved, with the rows of before still in the old database. */
beforeEach(async () => {
  tenant = await Tenant.create();
  user = await User.withTotp(tenant);
  await drainOutbox(user);
  const { phase } = (await relocate(tenant, 1)).body.relocation;
  expect(phase).toBe("cleaning");
  told = await readTrail(tenant);
});

async function expectToldOnce(...events: readonly string[]): Promise<void> {
  expect(await readTrail(tenant)).toEqual([...told, ...events]);
}

describe("Who takes a tenant to be where it was", () => {
  it("delivers a guard's events to where it is", async () => {
    const old = await readTenantData(0, tenant);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    staleMemory();
    await guardOf(user).deliver();
    await expectToldOnce("otp.verified success");
    expect(await readTenantData(0, tenant)).toEqual(old);
  });

  it("delivers refused requests to where it is", async () => {
    const token = await tenant.tokenWith(["idp:read"]);
    await tenant.send("POST", "/v1/idp/users", { user: { external_id: "x" } }, token);
    staleMemory();
    await fireLogAlarm(tenant.id);
    await vi.waitFor(() =>
      expectToldOnce("token.created success", "request.refused refused insufficient_scope"),
    );
  });

  it("files what the control plane has to tell where it is", async () => {
    staleMemory();
    await tenant.setSettings({ lockout: { lock_seconds: 61 } });
    staleMemory();
    await tenant.tokenWith(["idp:read"]);
    await expectToldOnce("settings.changed success", "token.created success");
    expect(await rowsIn(0, "control_outbox", tenant.id)).toEqual([]);
  });

  it("rehydrates an empty guard from where it is", async () => {
    const code = user.code(Date.now());
    await user.verify(code);
    await drainOutbox(user);
    await loseStorage(user);
    staleMemory();
    expect((await user.verify(code)).body.code).toBe("invalid_code");
  });

  it("knows a session by what it became where it is", async () => {
    const { assessment_id } = await user.assess();
    await user.sendFeedback(assessment_id, "fraud");
    await drainOutbox(user);
    await loseStorage(user);
    staleMemory();
    expect((await user.sendFeedback(assessment_id, "legitimate")).status).toBe(204);
  });

  it("seals and proves what is there", async () => {
    await user.verify(user.code(Date.now()));
    await drainOutbox(user);
    staleMemory();
    const saved = await saveTrail(tenant);
    expect(await problemsOf(saved)).toEqual([]);
  });

  it("sees lists as they were at most, until it asks anew", async () => {
    await user.verify(user.code(Date.now()));
    await drainOutbox(user);
    staleMemory();
    const { body } = await tenant.send("GET", "/v1/audit/events?limit=100");
    expect(body.events.length).toBeLessThanOrEqual(told.length);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 26_000 });
    await expectToldOnce("otp.verified success");
    vi.useRealTimers();
  });

  it("asks elsewhere while the tenant is on its way back, and not all here", async () => {
    await relocateFully(tenant, 1);
    await relocateUpTo(tenant, 0, "copying");
    await loseStorage(user);
    staleMemory();
    expect((await user.profile()).has_otp).toBe(true);
  });
});

describe("A database that a tenant has left", () => {
  it.each(tenantTables)("takes no row of it into %s, and changes none", async (table) => {
    const [old] = databases();
    const columns = await old.prepare(`SELECT name FROM pragma_table_info('${table}')`).all<{
      name: string;
    }>();
    const names = columns.results.map(({ name }) => name);
    const values = names.map((name) => (name === "tenant_id" ? `'${tenant.id}'` : "7"));
    const write = `INSERT INTO ${table} ("${names.join('", "')}") VALUES (${values.join(", ")})`;
    await expect(old.prepare(write).run()).rejects.toThrow("tenant_fenced");
    await old
      .prepare("UPDATE tenant_fences SET state = 'here' WHERE tenant_id = ?")
      .bind(tenant.id)
      .run();
    await old.prepare(write).run();
    await old
      .prepare("UPDATE tenant_fences SET state = 'left' WHERE tenant_id = ?")
      .bind(tenant.id)
      .run();
    const change = `UPDATE ${table} SET "${names.at(-1)}" = 8 WHERE tenant_id = ?`;
    await expect(old.prepare(change).bind(tenant.id).run()).rejects.toThrow("tenant_fenced");
  });

  it("goes on serving others", async () => {
    const other = await Tenant.create();
    expect((await User.withTotp(other)).secret).not.toBe("");
    expect(Object.keys(await readTenantData(0, other))).toContain("identities");
    const list = await send("GET", "/v1/idp/users", { token: other.token });
    expect(list.body.users).toHaveLength(1);
  });
});
