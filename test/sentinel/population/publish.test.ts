/** The population of a tenant: published to KV from confirmed sessions in D1, and read from there. */
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { populationSchema } from "../../../src/sentinel/population/population.ts";
import { publishPopulations } from "../../../src/sentinel/population/publish.ts";
import {
  findCachedPopulation,
  populationKeyOf,
  readPopulation,
} from "../../../src/sentinel/population/read.ts";
import { Tenant, User } from "../../support/client.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import { hangForever, withQuickDeadlines } from "../../support/deadlines.ts";
import { unsealAssessments } from "../../support/stored-evidence.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const windows =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36";

/** A tenant with this many users, each with one confirmed session. */
async function createTenantWithLogins(count: number): Promise<Tenant> {
  const tenant = await Tenant.create("live");
  for (let n = 0; n < count; n += 1) await login(await provisionEarlier(tenant));
  return tenant;
}

/** A user whose account is old enough to count. */
async function provisionEarlier(tenant: Tenant): Promise<User> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 8 * day });
  const user = await User.provision(tenant);
  vi.useRealTimers();
  return user;
}

async function login(user: User): Promise<void> {
  const { assessment_id: id } = await user.assess({ ua: windows });
  await user.sendFeedback(id, "legitimate");
}

async function readPublished(tenant: Tenant) {
  const text = await env.IP_REPUTATION.get(populationKeyOf(tenant.id));
  return text === null ? null : populationSchema.parse(JSON.parse(text));
}

describe("The job that publishes populations", () => {
  it("counts only confirmed sessions, for each tenant separately", async () => {
    const tenant = await createTenantWithLogins(3);
    const other = await createTenantWithLogins(1);
    const user = await User.provision(tenant);
    await user.sendFeedback((await user.assess()).assessment_id, "fraud");
    await user.assess();
    await user.events();
    await publishPopulations(env, Date.now());
    const population = await readPublished(tenant);
    expect(population?.logins).toBe(3);
    expect(population?.shares.agent).toEqual({ desktop: 3 });
    expect(population?.shares["agent/desktop/Windows/Chrome"]).toEqual({ "Chrome 138": 3 });
    expect(population?.hours.reduce((sum, hours) => sum + hours)).toBe(3);
    // A first login has no history to compare with.
    const compared = population?.novelty.agent?.reduce((sum, [, all]) => sum + all, 0);
    expect(compared).toBe(0);
    expect((await readPublished(other))?.logins).toBe(1);
  });

  it("counts no account of less than a week, however many there are and whatever they confirm", async () => {
    const tenant = await createTenantWithLogins(3);
    const own = await User.provision(tenant);
    const { body } = await own.discover({ ip: "177.38.4.9", ua: "Attack/1.0" });
    await own.sendFeedback(body.assessment_id, "legitimate");
    await own.events();
    await unsealAssessments(tenant.id, own.id);
    await env.DB.batch([
      env.DB.prepare(
        `INSERT INTO identities (tenant_id, id, external_id, status, created_at, updated_at, version)
        WITH RECURSIVE own(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM own WHERE n < 1000)
        SELECT ?, printf('f%023x', n), 'own' || n, 'active', ?, 0, 1 FROM own`,
      ).bind(tenant.id, Date.now()),
      env.DB.prepare(
        `INSERT INTO assessments (tenant_id, id, identity_id, at, model, risk_score, recommendation,
          reasons, degraded, evidence, context_digest, verdict)
        WITH RECURSIVE again(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM again WHERE k < 3)
        SELECT tenant_id, printf('f%023x', k) || identities.id, identities.id, at, model, risk_score,
          recommendation, reasons, degraded, evidence, context_digest, verdict
        FROM (SELECT * FROM assessments WHERE tenant_id = ?1 AND identity_id = ?2) AS one
          JOIN identities USING (tenant_id) JOIN again
          WHERE identities.id BETWEEN printf('f%023x', 1) AND printf('f%023x', 1000)`,
      ).bind(tenant.id, own.id),
    ]);
    await publishPopulations(env, Date.now());
    const population = await readPublished(tenant);
    expect(population?.logins).toBe(3);
    expect(JSON.stringify(population?.shares)).not.toContain("Attack");
    // A week later they count.
    await env.DB.prepare("UPDATE populations SET built_at = 0 WHERE tenant_id = ?")
      .bind(tenant.id)
      .run();
    await publishPopulations(env, Date.now() + 8 * day);
    expect((await readPublished(tenant))?.logins).toBe(3_004);
  });

  it("publishes again after a new assessment, but at most once an hour", async () => {
    const tenant = await createTenantWithLogins(1);
    await publishPopulations(env, Date.now());
    const user = await provisionEarlier(tenant);
    await user.sendFeedback((await user.assess()).assessment_id, "legitimate");
    await publishPopulations(env, Date.now() + 59 * minute);
    expect((await readPublished(tenant))?.logins).toBe(1);
    await publishPopulations(env, Date.now() + 61 * minute);
    expect((await readPublished(tenant))?.logins).toBe(2);
    const { builtAt } = (await readPublished(tenant)) ?? { builtAt: 0 };
    await publishPopulations(env, Date.now() + 3 * day);
    expect((await readPublished(tenant))?.builtAt).toBe(builtAt);
  });

  it("skips damaged assessments and counts the others", async () => {
    const damaged = await createTenantWithLogins(2);
    await env.DB.prepare(
      `UPDATE assessments SET evidence = '{"context":1}' WHERE tenant_id = ? AND id =
        (SELECT max(id) FROM assessments WHERE tenant_id = ?1)`,
    )
      .bind(damaged.id)
      .run();
    const createSoundText = await createTenantWithLogins(1);
    await publishPopulations(env, Date.now());
    expect((await readPublished(damaged))?.logins).toBe(1);
    expect((await readPublished(createSoundText))?.logins).toBe(1);
  });

  it("counts confirmed sessions despite a flood of unconfirmed ones", async () => {
    const tenant = await createTenantWithLogins(2);
    await env.DB.prepare(
      `INSERT INTO assessments (tenant_id, id, identity_id, at, model, risk_score, recommendation,
        reasons, degraded, evidence, context_digest)
      WITH RECURSIVE flood(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM flood WHERE n < 30000)
      SELECT ?, printf('f%047x', n), 'unknown', 0, 'm', 0, 'allow', '[]', '[]', '{}', '' FROM flood`,
    )
      .bind(tenant.id)
      .run();
    await publishPopulations(env, Date.now());
    expect((await readPublished(tenant))?.logins).toBe(2);
  });

  it("recounts a tenant after an erasure, and deletes the population of its last user", async () => {
    const tenant = await Tenant.create("live");
    const users = [await provisionEarlier(tenant), await provisionEarlier(tenant)];
    for (const user of users) await login(user);
    await publishPopulations(env, Date.now());
    for (const [index, user] of users.entries()) {
      await tenant.send("DELETE", user.path());
      await publishPopulations(env, Date.now());
      const remaining = users.length - 1 - index;
      expect((await readPublished(tenant))?.logins).toBe(remaining === 0 ? undefined : remaining);
    }
  });

  it.each([
    ["an earlier count", 3],
    ["the first count", 2],
  ])("counts again after an erasure during %s", async (_what, users) => {
    const tenant = await createTenantWithLogins(2);
    const leaver = await provisionEarlier(tenant);
    await login(leaver);
    if (users === 3) await publishPopulations(env, Date.now() - 2 * hour);
    await login(leaver);
    const { put } = env.IP_REPUTATION;
    let erased: number | undefined;
    vi.spyOn(Object.getPrototypeOf(env.IP_REPUTATION), "put").mockImplementation(async function (
      this: KVNamespace,
      ...args
    ) {
      if (args[0] === populationKeyOf(tenant.id)) {
        erased ??= (await tenant.send("DELETE", leaver.path())).status;
      }
      Reflect.apply(put, this, args);
    });
    const now = Date.now();
    await publishPopulations(env, now);
    vi.restoreAllMocks();
    expect(erased).toBe(204);
    expect((await readPublished(tenant))?.logins).toBe(4);
    await publishPopulations(env, now + hour + 1);
    expect((await readPublished(tenant))?.logins).toBe(2);
  });

  it("does not throw when D1 or KV fails, and publishes on the next run", async () => {
    const tenant = await createTenantWithLogins(1);
    await withD1Fault("throws", () => publishPopulations(env, Date.now()));
    const broken = vi
      .spyOn(Object.getPrototypeOf(env.IP_REPUTATION), "put")
      .mockRejectedValue(new Error("KV injected"));
    await publishPopulations(env, Date.now());
    broken.mockRestore();
    expect(await readPublished(tenant)).toBeNull();
    await publishPopulations(env, Date.now());
    expect((await readPublished(tenant))?.logins).toBe(1);
  });
});

describe("The reader of a population", () => {
  const now = Date.now();
  let tenants = 0;
  const nextTenantId = () => `population-test-${++tenants}`;

  async function storeText(tenantId: string, text: string): Promise<void> {
    await env.IP_REPUTATION.put(populationKeyOf(tenantId), text);
  }

  async function sound(builtAt = now): Promise<string> {
    const tenant = await createTenantWithLogins(1);
    await publishPopulations(env, Date.now());
    return JSON.stringify({ ...(await readPublished(tenant)), builtAt });
  }

  it("finds no population for a new tenant, and does not report it as degraded", async () => {
    expect(await readPopulation(env.IP_REPUTATION, nextTenantId(), now)).toMatchObject({
      population: null,
      degraded: false,
    });
  });

  it("caches the population for ten minutes", async () => {
    const tenant = nextTenantId();
    await storeText(tenant, await sound());
    const recalled = (at: number) => findCachedPopulation(env.IP_REPUTATION, tenant, at);
    expect(recalled(now)).toBeUndefined();
    expect((await readPopulation(env.IP_REPUTATION, tenant, now)).population?.logins).toBe(1);
    expect(recalled(now + 9 * minute)?.population?.logins).toBe(1);
    expect(recalled(now + 10 * minute)).toBeUndefined();
    expect(recalled(now - 1)).toBeUndefined();
  });

  it.each([
    ["not JSON", "{"],
    ["of another shape", '{"builtAt":1}'],
    ["an empty text", ""],
  ])("reports a value that is %s as degraded", async (_title, text) => {
    const tenant = nextTenantId();
    await storeText(tenant, text);
    expect(await readPopulation(env.IP_REPUTATION, tenant, now)).toMatchObject({
      population: null,
      degraded: true,
    });
  });

  it("reports a population older than two months as degraded", async () => {
    const tenant = nextTenantId();
    await storeText(tenant, await sound(now - 61 * day));
    const { population, degraded } = await readPopulation(env.IP_REPUTATION, tenant, now);
    expect([population, degraded]).toEqual([null, true]);
  });

  it("reports a KV that fails or hangs as degraded, and reads again a minute later", async () => {
    const tenant = nextTenantId();
    await storeText(tenant, await sound());
    const get = vi.spyOn(Object.getPrototypeOf(env.IP_REPUTATION), "get");
    const read = async (at: number) => await readPopulation(env.IP_REPUTATION, tenant, at);
    get.mockImplementationOnce(() => new Promise(() => {}));
    expect((await read(now)).degraded).toBe(true);
    get.mockRejectedValueOnce(new Error("KV injected"));
    expect((await read(now + minute)).degraded).toBe(true);
    get.mockRestore();
    expect((await read(now + 2 * minute)).population?.logins).toBe(1);
  });
});

describe("A tenant whose population always fails", () => {
  it("does not keep those of others from being counted, even if there are many", async () => {
    const tenant = await createTenantWithLogins(1);
    const failing = Array.from({ length: 310 }, (_, n) => n.toString(16).padStart(24, "0"));
    await env.DB.prepare(
      "INSERT INTO populations (tenant_id, built_at, logins) SELECT value, 0, 0 FROM json_each(?)",
    )
      .bind(JSON.stringify(failing))
      .run();
    const remove = vi
      .spyOn(Object.getPrototypeOf(env.IP_REPUTATION), "delete")
      .mockRejectedValue(new Error("KV failed"));
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    // A run counts 100 tenants of a database that comes first in this hour, and more of a later one.
    for (let run = 0; run < 4; run += 1) await publishPopulations(env, Date.now());
    remove.mockRestore();
    error.mockRestore();
    await env.DB.prepare("DELETE FROM populations WHERE tenant_id < '01'").run();
    expect((await readPublished(tenant))?.logins).toBe(1);
  });

  it("does not keep those of others from being counted if KV hangs", async () => {
    const tenant = await createTenantWithLogins(1);
    const insert = "INSERT INTO populations (tenant_id, built_at, logins) VALUES ('00', 0, 0)";
    await env.DB.prepare(insert).run();
    const remove = vi
      .spyOn(Object.getPrototypeOf(env.IP_REPUTATION), "delete")
      .mockImplementation(hangForever);
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    await withQuickDeadlines(() => publishPopulations(env, Date.now()));
    expect(remove).toHaveBeenCalled();
    remove.mockRestore();
    error.mockRestore();
    await env.DB.prepare("DELETE FROM populations WHERE tenant_id = '00'").run();
    expect((await readPublished(tenant))?.logins).toBe(1);
  });
});
