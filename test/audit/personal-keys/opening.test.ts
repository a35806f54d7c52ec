/** Readers open personal parts while the keys of their days exist, and show them as expired afterwards. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { deriveKey } from "../../../src/audit/derived-key.ts";
import { type OpenAuditKey, openAuditKey } from "../../../src/audit/personal.ts";
import { findOrCreateDayKey } from "../../../src/audit/personal-keys/client.ts";
import { dayOf } from "../../../src/audit/personal-keys/day.ts";
import { PersonalKeys } from "../../../src/audit/personal-keys/personal-keys.ts";
import { stampEvents } from "../../../src/audit/stamp.ts";
import { insertEvents } from "../../../src/audit/store.ts";
import { archiveLogs } from "../../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../../src/audit/tree/integrate.ts";
import { runBatch } from "../../../src/db/client.ts";
import { findTenantDb } from "../../../src/db/shards.ts";
import { requireConfig } from "../../../src/env.ts";
import { noLocation } from "../../../src/location.ts";
import { findRetentionDays } from "../../../src/tenancy/find-retention.ts";
import { type Answer, send, Tenant, User } from "../../support/client.ts";
import { drainOutbox } from "../../support/delivered-trail.ts";
import { fireAlarm } from "../../support/guard.ts";
import { findOcsfProblems } from "../../support/ocsf.ts";
import { expireDays, personalKeysOf } from "../../support/personal-keys.ts";
import {
  connect,
  createReceiver,
  createWebhook,
  disconnect,
  readJson,
  runFollower,
} from "../../support/receiver.ts";
import { problemsOf, saveTrail } from "../../support/saved-trail.ts";
import { createStream, eventsOf } from "../../support/stream-receiver.ts";
import { eventOf, fetchExport, sql } from "../../support/trail.ts";

const dayMs = 24 * 60 * 60 * 1000;
const session = { ip: "192.0.2.7", ua: "EnterpriseAgent/1.0" };

// Alarms that are set by this clock are far ahead, so none fires by itself.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: (dayOf(Date.now()) + 1) * dayMs + dayMs / 2 });
});

afterEach(() => {
  disconnect();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function today(): number {
  return dayOf(Date.now());
}

function passDay(): void {
  vi.setSystemTime(Date.now() + dayMs);
}

/** A user with one session on each of two days. */
async function createUserOfTwoDays() {
  const tenant = await Tenant.create();
  const user = await User.provision(tenant);
  passDay();
  await user.assess(session);
  expect(await fireAlarm(user)).toBe(true);
  return { tenant, user };
}

async function auditKeyOf({ tenant, id }: User): Promise<OpenAuditKey> {
  const stored = await env.DB.prepare(
    "SELECT state ->> '$.auditKey' AS key FROM identities WHERE id = ?",
  )
    .bind(id)
    .first<string>("key");
  const owner = { tenantId: tenant.id, identityId: id };
  return await openAuditKey(requireConfig(env).sealingKeys, owner, JSON.parse(stored ?? ""));
}

/** Files an event about the user, whose parts are sealed under this key. */
async function fileEvent({ tenant, id, externalId }: User, key: OpenAuditKey): Promise<void> {
  const event = {
    ...eventOf(tenant.id, Date.now()),
    target: { type: "identity", id } as const,
    personal: { external_id: externalId },
  };
  const stamped = await stampEvents(requireConfig(env).auditSigningKeys, [event], key);
  await runBatch(await findTenantDb(env, tenant.id), [
    insertEvents(await findTenantDb(env, tenant.id), tenant.id, stamped),
  ]);
}

/** What an event says of its person, and why it says nothing. */
function standingOf({ personal, erased, expired, target }: Answer["body"]) {
  expect(target.external_id).toBe(personal?.external_id ?? null);
  return personal === null ? { erased, expired } : personal.external_id;
}

async function standingsOf(user: User): Promise<unknown[]> {
  return (await user.events()).map(standingOf);
}

const gone = { erased: false, expired: true };
const erased = { erased: true, expired: false };

describe("A page of the trail", () => {
  it("opens the events of two days with one call of the object, and asks again for each request", async () => {
    const { tenant, user } = await createUserOfTwoDays();
    const find = vi.spyOn(PersonalKeys.prototype, "findKeys");
    expect(await standingsOf(user)).toEqual([user.externalId, user.externalId]);
    expect(find.mock.calls.map(([days]) => [...days].toSorted())).toEqual([[today() - 1, today()]]);
    await tenant.send("GET", "/v1/audit/events");
    expect(find).toHaveBeenCalledTimes(2);
  });

  it("of a hundred days and more takes one call, in the list and in the export", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const auditKey = await auditKeyOf(user);
    const owner = { tenantId: tenant.id, location: noLocation };
    for (let n = 1; n <= 120; n += 1) {
      const day = today() - n;
      const key = await findOrCreateDayKey(env, owner, day);
      if (key === undefined) throw new Error("The day has no key");
      await fileEvent(user, await deriveKey(auditKey, { day, key }));
    }
    const find = vi.spyOn(PersonalKeys.prototype, "findKeys");
    const { body } = await tenant.send("GET", "/v1/audit/events?limit=100");
    expect(find).toHaveBeenCalledOnce();
    expect(find.mock.calls[0]?.[0]).toHaveLength(100);
    expect(body.events.map(standingOf)).toEqual(Array(100).fill(user.externalId));
    find.mockClear();
    await integrateLogs(env, Date.now());
    const exported = await fetchExport(tenant);
    expect(find).toHaveBeenCalledOnce();
    expect(find.mock.calls[0]?.[0]).toHaveLength(121);
    const ofUser = exported.filter(({ target }) => target.type === "identity");
    expect(ofUser.map(standingOf)).toEqual(Array(121).fill(user.externalId));
  });

  it("without personal parts calls nothing", async () => {
    const tenant = await Tenant.create();
    const find = vi.spyOn(PersonalKeys.prototype, "findKeys");
    const { body } = await tenant.send("GET", "/v1/audit/events");
    expect(body.events).toHaveLength(2);
    expect(body.events.map(({ expired }: Answer["body"]) => expired)).toEqual([false, false]);
    expect(find).not.toHaveBeenCalled();
  });

  it("gets 503 while the keys cannot be reached, and is never taken for expired", async () => {
    const { tenant, user } = await createUserOfTwoDays();
    await integrateLogs(env, Date.now());
    const failing = vi.spyOn(PersonalKeys.prototype, "findKeys").mockResolvedValue(undefined);
    expect((await tenant.send("GET", "/v1/audit/events")).status).toBe(503);
    const { body } = await tenant
      .send("GET", "/v1/audit/export")
      .catch((error: unknown) => ({ body: String(error) }));
    expect(String(body)).not.toContain("leaf_index");
    failing.mockRestore();
    expect(await standingsOf(user)).toEqual([user.externalId, user.externalId]);
  });
});

describe("After a day has expired", () => {
  it("its events are shown as expired in the list and in the export, and the trail verifies", async () => {
    const { tenant, user } = await createUserOfTwoDays();
    const older = (await saveTrail(tenant)).checkpoint;
    await expireDays(tenant.id, today());
    expect(await standingsOf(user)).toEqual([user.externalId, gone]);
    const [assessed, provisioned] = await user.events();
    expect(provisioned).toMatchObject({ personal: null, actor: { acting_for: null } });
    expect(provisioned.personal_digest).toMatch(/^[0-9a-f]{64}$/);
    expect(assessed.expired).toBe(false);
    const saved = await saveTrail(tenant);
    expect(await problemsOf({ ...saved, older })).toEqual([]);
    const shown = (await fetchExport(tenant)).find(({ id }) => id === provisioned.id);
    expect(standingOf(shown)).toEqual(gone);
  });

  it("an export in the schema of OCSF says so, and names nobody", async () => {
    const { tenant, user } = await createUserOfTwoDays();
    await integrateLogs(env, Date.now());
    await expireDays(tenant.id, today() + 1);
    const events = await fetchExport(tenant, "?format=ocsf");
    expect(events.flatMap(findOcsfProblems)).toEqual([]);
    const ofUser = events.filter(({ unmapped }) => unmapped.target.id === user.id);
    expect(ofUser.map(({ unmapped }) => [unmapped.erased, unmapped.expired])).toEqual([
      [false, true],
      [false, true],
    ]);
    expect(JSON.stringify(events)).not.toContain(user.externalId);
    expect(JSON.stringify(events)).not.toContain(session.ip);
  });

  it("webhooks and streams send it as it is now", async () => {
    const tenant = await Tenant.create();
    const [hook, sink] = [createReceiver(), createReceiver()];
    connect(hook, sink);
    const webhook = await createWebhook(tenant, hook, ["user.*"]);
    const stream = await createStream(tenant, sink, { from: 0 });
    const user = await User.provision(tenant);
    await runFollower(tenant, webhook.id);
    await runFollower(tenant, stream.id);
    await expireDays(tenant.id, today() + 1);
    await tenant.send("POST", `/v1/webhooks/${webhook.id}/replay`, { from: 0 });
    await tenant.send("POST", `/v1/audit/streams/${stream.id}/replay`, { from: 0 });
    await runFollower(tenant, webhook.id);
    await runFollower(tenant, stream.id);
    const messages = hook.received.map(readJson);
    expect(messages.map(({ data }) => standingOf(data))).toEqual([user.externalId, gone]);
    const batches = await Promise.all(sink.received.map(eventsOf));
    const sent = batches.map((batch) => batch.find(({ target }) => target.id === user.id));
    expect(sent.map(standingOf)).toEqual([user.externalId, gone]);
  });

  it("an event of a user who is erased as well is shown as erased", async () => {
    const { tenant, user } = await createUserOfTwoDays();
    await expireDays(tenant.id, today() + 1);
    await sql(
      "UPDATE audit_events SET personal = NULL WHERE tenant_id = ? AND leaf_index = 2",
      tenant.id,
    );
    expect(await standingsOf(user)).toEqual([gone, gone]);
    await tenant.send("DELETE", user.path());
    await drainOutbox(user);
    const { body } = await tenant.send("GET", "/v1/audit/events");
    const ofUser = body.events.filter(({ target }: Answer["body"]) => target.id === user.id);
    expect(ofUser.map(standingOf)).toEqual([erased, erased, erased]);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });

  it("an event about the tenant no longer names the person on whose behalf it was done", async () => {
    const tenant = await Tenant.create();
    const body = { settings: { otp: { enrolment: "confirm" } } };
    const headers = { "Acting-For": "someone" };
    await send("PATCH", "/v1/settings", { token: tenant.token, body, headers });
    const read = async () =>
      (await tenant.send("GET", "/v1/audit/events?action=settings.changed")).body.events[0];
    expect((await read()).actor.acting_for).toBe("someone");
    await expireDays(tenant.id, today() + 1);
    expect(await read()).toMatchObject({ ...gone, personal: null, actor: { acting_for: null } });
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });

  it("the filter by address finds its sessions no more, and the others still", async () => {
    const { tenant, user } = await createUserOfTwoDays();
    passDay();
    await user.assess(session);
    await fireAlarm(user);
    const find = async () =>
      (await tenant.send("GET", `/v1/audit/events?address=${session.ip}`)).body.events.length;
    expect(await find()).toBe(2);
    await expireDays(tenant.id, today());
    expect(await find()).toBe(1);
  });

  it("archived events are expired too, with their boxes and without", async () => {
    const { tenant, user } = await createUserOfTwoDays();
    await integrateLogs(env, Date.now());
    await sql(
      "UPDATE audit_events SET personal = NULL WHERE tenant_id = ? AND leaf_index = 2",
      tenant.id,
    );
    await archiveLogs(env, Date.now() + 401 * dayMs, findRetentionDays);
    await expireDays(tenant.id, today() + 1);
    const exported = await fetchExport(tenant);
    const ofUser = exported.filter(({ target }) => target.id === user.id);
    expect(ofUser.map(standingOf)).toEqual([gone, gone]);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });
});

describe("An event of an older build", () => {
  /** Files an event that is sealed under the user's key alone. @returns its place in the list is the first */
  async function createUserOfOlderBuild() {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const key = await auditKeyOf(user);
    expect(key.id).toMatch(/^[0-9a-f]{16}$/);
    vi.setSystemTime(Date.now() + 1_000);
    await fileEvent(user, key);
    return { tenant, user };
  }

  it("stays readable, whatever days have expired", async () => {
    const { tenant, user } = await createUserOfOlderBuild();
    expect(await standingsOf(user)).toEqual([user.externalId, user.externalId]);
    await expireDays(tenant.id, today() + 1);
    expect(await standingsOf(user)).toEqual([user.externalId, gone]);
    await tenant.send("DELETE", user.path());
    const { body } = await tenant.send("GET", "/v1/audit/events?action=settings.changed");
    expect(body.events.map(standingOf)).toEqual([erased]);
  });

  it("is shown as expired once its box was removed", async () => {
    const { tenant, user } = await createUserOfOlderBuild();
    await expireDays(tenant.id, today() + 1);
    await sql("UPDATE audit_events SET personal = NULL WHERE tenant_id = ?", tenant.id);
    expect(await standingsOf(user)).toEqual([gone, gone]);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });
});

describe("Personal parts that somebody has removed from the database", () => {
  const alterations = {
    "the box": "UPDATE audit_events SET personal = NULL WHERE tenant_id = ? AND leaf_index = 2",
    "the box and the day":
      "UPDATE audit_events SET personal = NULL, personal_key = substr(personal_key, 1, 16) WHERE tenant_id = ? AND leaf_index = 2",
    "the box, with a day that never had a key":
      "UPDATE audit_events SET personal = NULL, personal_key = substr(personal_key, 1, 16) || '@99999' WHERE tenant_id = ? AND leaf_index = 2",
    "the box, its key and what names them":
      "UPDATE audit_events SET personal = NULL, personal_key = NULL WHERE tenant_id = ? AND leaf_index = 2",
  };

  it.each(Object.entries(alterations))(
    "(%s) are no expired ones, and the verifier says so",
    async (_name, alter) => {
      const { tenant } = await createUserOfTwoDays();
      expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
      await sql(alter, tenant.id);
      const problems = await problemsOf(await saveTrail(tenant));
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(/^personal 2: /);
    },
  );
});

describe("A copy of the database", () => {
  it("opens no personal part without the day keys, even with all secrets of the service", async () => {
    const { user, tenant } = await createUserOfTwoDays();
    // The object of another service, into which a backup was loaded, has no key.
    await personalKeysOf(tenant.id).deleteAll();
    expect(await standingsOf(user)).toEqual([gone, gone]);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
    // It goes on with keys of its own.
    passDay();
    await user.assess(session);
    await fireAlarm(user);
    expect(await standingsOf(user)).toEqual([user.externalId, gone, gone]);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });
});
