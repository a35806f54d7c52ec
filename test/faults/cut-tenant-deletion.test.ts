/**
 * The deletion of a tenant ends anywhere: the Worker is killed between any two statements, and a later request
 * continues. Nothing of the tenant is left but the sealed trail, and another tenant is untouched.
 */
import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, inject, it, vi } from "vitest";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { tileWidth } from "../../src/audit/tree/tiles.ts";
import { identityIdOf } from "../../src/crypto/id.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { strideOf } from "../support/campaign.ts";
import { Tenant, User } from "../support/client.ts";
import { databases } from "../support/databases.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { guardOf, inspectGuard } from "../support/guard.ts";
import { killWorkerAfter } from "../support/killed-worker.ts";
import { fireLogAlarm } from "../support/refusal-log.ts";
import { problemsOf, saveTrail } from "../support/saved-trail.ts";
import {
  deleteFully,
  listRowsWith,
  listTablesWith,
  passWaiting,
  requestDeletion,
  suspendSince,
} from "../support/tenant-deletion.ts";

const timeoutMs = 900_000;
const minuteMs = 60_000;
/** More statements than the deletion of so few identities has. */
const maxStatements = 200;
const manyIdentities = inject("isFull") ? 10_000 : 60;
/** Of those, with a guard that has data. The others have a record in D1, from which an empty guard rehydrates. */
const manyGuards = inject("isFull") ? 100 : 5;
/**
 * Objects for the guards of the others: more than one page calls. The local runtime takes longer for each start of an
 * object the more it has started, and a guard that has erased an identity is as empty as a new one.
 */
const sharedObjects = 60;
const maxRounds = 1_000;
const rowsPerStatement = 500;
/** Guards that are inspected at once: each that runs holds file descriptors. */
const guardsPerWave = 50;

beforeEach(() => {
  for (const level of ["error", "warn"] as const) vi.spyOn(console, level).mockReturnValue();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Everything of the other tenant in D1. */
async function readOther(other: Tenant): Promise<readonly string[]> {
  return await listRowsWith(other.id);
}

/** The refusal log of the tenant still has something to deliver. */
async function createPopulated() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await user.backupCodes();
  const { assessment_id } = await user.assess();
  await user.sendFeedback(assessment_id, "legitimate");
  const narrow = await tenant.tokenWith(["idp:read"]);
  await tenant.send("GET", "/v1/settings", undefined, narrow);
  await drainOutbox(user);
  return { tenant, user };
}

/** Restores what a token needs, so that the trail can be exported, and verifies it offline. */
async function verifyTrail(tenant: Tenant, rows: Awaited<ReturnType<typeof readControlRows>>) {
  const insert = (table: string, row: Record<string, unknown>) =>
    env.DB.prepare(
      `INSERT INTO ${table} (${Object.keys(row).join()}) VALUES (${Object.keys(row).map(() => "?")})`,
    ).bind(...Object.values(row));
  await env.DB.batch([
    ...rows.tenants.map((row) => insert("tenants", { ...row, status: "active" })),
    ...rows.tokens.map((row) => insert("api_tokens", row)),
  ]);
  invalidateTenant(tenant.id);
  expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
}

async function readControlRows(tenant: Tenant) {
  const read = async (table: string, column: string) => {
    const statement = env.DB.prepare(`SELECT * FROM ${table} WHERE ${column} = ?`).bind(tenant.id);
    return (await statement.all<Record<string, unknown>>()).results;
  };
  return { tenants: await read("tenants", "id"), tokens: await read("api_tokens", "tenant_id") };
}

/** The tables of the trail, which a deletion keeps. A tile is a row once it is full. */
async function listTrailTables(tenant: Tenant): Promise<string[]> {
  const statement = env.DB.prepare("SELECT size FROM audit_trees WHERE tenant_id = ?");
  const size = (await statement.bind(tenant.id).first<number>("size")) ?? 0;
  return ["audit_events", ...(size < tileWidth ? [] : ["audit_tiles"]), "audit_trees"];
}

async function expectGone(tenant: Tenant): Promise<void> {
  const trail = await listTrailTables(tenant);
  expect(await listTablesWith(tenant.id)).toEqual(
    [...trail, "tenant_deletions", "tenant_fences"].map((table) => `0 ${table}`),
  );
  for (const namespace of [env.REFUSALS, env.REGISTER, env.EXPORTS, env.TENANT_WATCHES]) {
    const object = namespace.get(namespace.idFromName(tenant.id));
    const left = await runInDurableObject(object, async (_, { storage }) => [
      storage.sql
        .exec("SELECT 1 FROM sqlite_master WHERE name IN ('live', 'outbox', 'ends', 'leases')")
        .toArray(),
      await storage.getAlarm(),
    ]);
    expect(left).toEqual([[], null]);
  }
  for (const namespace of [env.IP_REPUTATION]) {
    expect((await namespace.list({ prefix: `pop/v1/${tenant.id}` })).keys).toEqual([]);
  }
}

it.each([
  ["before a statement", false],
  ["after a statement", true],
])(
  "A deletion that stops %s continues, and leaves the trail alone",
  { timeout: timeoutMs },
  async (_when, isDone) => {
    const other = await createPopulated();
    await fireLogAlarm(other.tenant.id);
    await integrateLogs(env, Date.now());
    const otherRows = await readOther(other.tenant);
    let statements = 0;
    for (; statements < maxStatements; statements += strideOf(6)) {
      const { tenant, user } = await createPopulated();
      await suspendSince(tenant, minuteMs);
      const rows = await readControlRows(tenant);
      const { reached } = await killWorkerAfter(statements, isDone, async () => {
        await requestDeletion(tenant);
        return await requestDeletion(tenant);
      }).catch(() => ({ reached: true }));
      try {
        await deleteFully(tenant);
        await expectGone(tenant);
        expect(await inspectGuard(user)).toEqual({ tables: [], alarm: null });
        await verifyTrail(tenant, rows);
      } catch (error) {
        throw new Error(`Killed after ${statements} statements`, { cause: error });
      }
      if (!reached) break;
    }
    expect(statements).toBeGreaterThan(20);
    expect(statements).toBeLessThan(maxStatements);
    expect(await readOther(other.tenant)).toEqual(otherRows);
  },
);

async function readPhase(tenant: Tenant) {
  return await env.DB.prepare("SELECT phase, done FROM tenant_deletions WHERE tenant_id = ?")
    .bind(tenant.id)
    .first();
}

/** Makes the guards of these identities share objects, so that those of one page never do. */
function shareObjects(tenantId: string, ids: readonly string[]): void {
  const shared = new Map(
    ids.toSorted().map((id, n) => [`${tenantId}:${id}`, `shared ${n % sharedObjects}`]),
  );
  const namespaces: DurableObjectNamespace = Object.getPrototypeOf(env.GUARD);
  const real = namespaces.idFromName;
  vi.spyOn(namespaces, "idFromName").mockImplementation(function (this: unknown, name) {
    return real.call(this, shared.get(name) ?? name);
  });
}

/** Inserts records of further identities that are like the user's. @returns their ids */
async function addRecords(user: User, count: number): Promise<string[]> {
  const ids: string[] = [];
  const columns = "tenant_id, status, locked_until, created_at, updated_at, version";
  for (let first = 0; first < count; first += rowsPerStatement) {
    const names = await Promise.all(
      Array.from({ length: Math.min(rowsPerStatement, count - first) }, async (_, n) => {
        const externalId = `person-${first + n}`;
        return { externalId, id: await identityIdOf(user.tenant.id, externalId) };
      }),
    );
    ids.push(...names.map(({ id }) => id));
    await env.DB.prepare(
      `INSERT INTO identities (id, external_id, state, ${columns})
       SELECT item.value ->> 'id', item.value ->> 'externalId',
         json_set(state, '$.id', item.value ->> 'id'), ${columns}
       FROM json_each(?) AS item JOIN identities ON identities.id = ?`,
    )
      .bind(JSON.stringify(names), user.id)
      .run();
  }
  return ids;
}

it(`A deletion of ${manyIdentities} identities that is killed at every step leaves nothing`, {
  timeout: timeoutMs,
}, async () => {
  const earlier = new Set((await listDurableObjectIds(env.GUARD)).map(String));
  const other = await createPopulated();
  await fireLogAlarm(other.tenant.id);
  await integrateLogs(env, Date.now());
  earlier.add(guardOf(other.user).id.toString());
  const { tenant, user } = await createPopulated();
  const guards = [user];
  while (guards.length < manyGuards) guards.push(await User.withTotp(tenant));
  for (const one of guards) await drainOutbox(one);
  shareObjects(tenant.id, await addRecords(user, manyIdentities - manyGuards));
  await suspendSince(tenant, minuteMs);
  const rows = await readControlRows(tenant);
  const otherRows = await readOther(other.tenant);
  const otherGuard = await inspectGuard(other.user);

  let status = 0;
  const failures: unknown[] = [];
  for (let round = 0; status !== 204 && round < maxRounds; round += 1) {
    // Every request is killed at another statement, and the next one continues. A database that is busy may fail it.
    await killWorkerAfter(round % 40, round % 2 === 0, () => requestDeletion(tenant)).catch(
      () => {},
    );
    await passWaiting(tenant);
    const answer = await requestDeletion(tenant);
    ({ status } = answer);
    if (status === 503) failures.push(await readPhase(tenant));
  }
  expect([status, failures.length < 20 ? [] : failures]).toEqual([204, []]);
  await expectGone(tenant);
  const all = await listDurableObjectIds(env.GUARD);
  const ids = all.filter((id) => !earlier.has(id.toString()));
  expect(ids.length).toBeGreaterThanOrEqual(Math.min(manyIdentities, manyGuards + sharedObjects));
  for (let first = 0; first < ids.length; first += guardsPerWave) {
    const wave = ids.slice(first, first + guardsPerWave);
    const left = wave.map((id) =>
      runInDurableObject(env.GUARD.get(id), async (_, { storage }) => [
        storage.sql
          .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
          .toArray(),
        await storage.getAlarm(),
      ]),
    );
    for (const one of await Promise.all(left)) expect(one).toEqual([[], null]);
  }
  expect(await inspectGuard(other.user)).toEqual(otherGuard);
  expect(await readOther(other.tenant)).toEqual(otherRows);
  expect((await other.user.verify(other.user.code(Date.now()))).status).toBe(200);
  await verifyTrail(tenant, rows);
  const erased = await databases()[0]
    .prepare(
      "SELECT count(*) AS n FROM audit_events WHERE tenant_id = ? AND action = 'user.erased'",
    )
    .bind(tenant.id)
    .first("n");
  expect(erased).toBe(manyIdentities);
});
