/** Deliveries seal personal parts under the key of the day on which they happen. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dayOf } from "../../../src/audit/personal-keys/day.ts";
import { PersonalKeys } from "../../../src/audit/personal-keys/personal-keys.ts";
import { noLocation } from "../../../src/location.ts";
import { findSealingDayKey } from "../../../src/tenancy/sealing-day-key.ts";
import { send, Tenant, User } from "../../support/client.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import { countUndelivered, evict, fireAlarm, guardOf } from "../../support/guard.ts";
import { provideJurisdictions, recordRequestedObjects } from "../../support/jurisdictions.ts";
import {
  killPersonalKeys,
  personalKeysOf,
  readDayKeys,
  readKeyNames,
} from "../../support/personal-keys.ts";
import { deliverMessages, holdMessages, provideQueue } from "../../support/queue.ts";
import { relocateFully } from "../../support/relocation.ts";
import { problemsOf, saveTrail } from "../../support/saved-trail.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
const session = { ip: "192.0.2.7", ua: "EnterpriseAgent/1.0" };
let removeQueue = () => {};

// Alarms that are set by this clock are far ahead, so none fires by itself.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: (dayOf(Date.now()) + 1) * dayMs + 12 * hourMs });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  removeQueue();
  removeQueue = () => {};
});

function today(): number {
  return dayOf(Date.now());
}

/** The parts of the user's events that are sealed in the guard's own storage. */
async function readWaiting(user: User): Promise<{ personalKey: string; personalDigest: string }[]> {
  return await runInDurableObject(guardOf(user), (_guard, { storage: { sql } }) => {
    const { state } = sql.exec<{ state: string }>("SELECT state FROM live").one();
    const entries: { events: { sealed?: { personalKey: string; personalDigest: string } }[] }[] =
      JSON.parse(state).waiting ?? [];
    return entries.flatMap(({ events }) => events.flatMap(({ sealed }) => sealed ?? []));
  });
}

async function daysOf({ id }: Tenant): Promise<(number | null)[]> {
  const names = await readKeyNames(id);
  return names.flatMap((name) => (name === null ? [] : [Number(name.split("@")[1] ?? Number.NaN)]));
}

/** Ends the guard at once, as when its machine is lost. */
async function kill(user: User): Promise<void> {
  await runInDurableObject(guardOf(user), (_guard, ctx) => {
    ctx.abort("killed by a test");
  }).catch(() => {});
}

describe("A delivery", () => {
  it("seals under the identity's key and today's, and the trail shows and proves what it sealed", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await user.assess(session);
    expect(await fireAlarm(user)).toBe(true);
    const names = (await readKeyNames(tenant.id)).filter((name) => name !== null);
    expect(names).toHaveLength(2);
    for (const name of names) expect(name).toMatch(new RegExp(`^[0-9a-f]{16}@${today()}$`));
    const [assessed] = await user.events();
    expect(assessed.personal).toMatchObject({ external_id: user.externalId, address: session.ip });
    expect(assessed).toMatchObject({ erased: false, expired: false });
    expect([...(await readDayKeys(tenant.id)).keys()]).toEqual([today()]);
    expect(await problemsOf(await saveTrail(tenant))).toEqual([]);
  });

  it("adds the day to what has waited over midnight, and keeps its nonce and digest", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const before = today();
    await user.assess(session);
    const [waiting, ...others] = await readWaiting(user);
    expect(others).toEqual([]);
    // What waits is sealed under the identity's key alone, so that no request waits for the day key.
    expect(waiting?.personalKey).toMatch(/^[0-9a-f]{16}$/);
    vi.setSystemTime((before + 1) * dayMs + 1);
    expect(await fireAlarm(user)).toBe(true);
    expect(await daysOf(tenant)).toEqual([before, before + 1]);
    const [assessed] = await user.events();
    expect(assessed.personal).toMatchObject({ address: session.ip });
    expect(assessed.personal_digest).toBe(waiting?.personalDigest);
  });

  it("goes by the real clock, whatever the test clock of a request says", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    tenant.clock = new Date(Date.now() + 100 * dayMs).toISOString();
    await user.assess(session);
    expect(await fireAlarm(user)).toBe(true);
    const settings = { settings: { otp: { enrolment: "confirm" } } };
    const headers = { "Acting-For": "someone", "Test-Clock": tenant.clock };
    await send("PATCH", "/v1/settings", { token: tenant.token, body: settings, headers });
    tenant.clock = undefined;
    expect(await daysOf(tenant)).toEqual([today(), today(), today()]);
  });

  it("calls the object once a day in an isolate, and again after midnight", async () => {
    const asked = vi.spyOn(PersonalKeys.prototype, "keyOf");
    const tenant = await Tenant.create();
    const first = await User.provision(tenant);
    const second = await User.provision(tenant);
    await evict(first);
    for (const user of [first, second]) {
      await user.assess(session);
      expect(await fireAlarm(user)).toBe(true);
    }
    expect(asked.mock.calls).toEqual([[today()]]);
    vi.setSystemTime(Date.now() + dayMs);
    await User.provision(tenant);
    expect(asked.mock.calls).toEqual([[today() - 1], [today()]]);
  });

  it("with the queue carries boxes that are sealed under both keys", async () => {
    removeQueue = await provideQueue();
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const held = holdMessages();
    await user.assess(session);
    expect(await fireAlarm(user)).toBe(true);
    expect(held).toHaveLength(1);
    expect(JSON.stringify(held)).toMatch(new RegExp(`"personalKey":"[0-9a-f]{16}@${today()}"`));
    vi.setSystemTime(Date.now() + dayMs);
    expect(await deliverMessages(held)).toBe(0);
    expect((await user.events())[0].personal).toMatchObject({ address: session.ip });
  });

  it("finds the object where the tenant's objects are, also from a guard that knows nothing of the tenant", async () => {
    provideJurisdictions();
    const tenant = await Tenant.create("test", { jurisdiction: "eu" });
    const requested = recordRequestedObjects();
    const user = await User.provision(tenant);
    await user.assess(session);
    await evict(user);
    vi.setSystemTime(Date.now() + dayMs);
    expect(await fireAlarm(user)).toBe(true);
    const names = requested.filter(({ namespace }) => namespace === "PERSONAL_KEYS");
    expect(names.map(({ name }) => name)).toEqual([`eu ${tenant.id}`, `eu ${tenant.id}`]);
    expect(await daysOf(tenant)).toEqual([today() - 1, today()]);
    expect((await user.events())[0].personal).toMatchObject({ address: session.ip });
  });

  it("of a tenant that moves to another database uses the same keys", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const before = await readDayKeys(tenant.id);
    await relocateFully(tenant, 1);
    await user.assess(session);
    await fireAlarm(user);
    expect(await readDayKeys(tenant.id)).toEqual(before);
    const events = await user.events();
    expect(events.map(({ personal }) => personal.external_id)).toEqual([
      user.externalId,
      user.externalId,
    ]);
  });
});

describe("When the day keys cannot be reached", () => {
  /** Steps of a delivery at which the object may be lost. */
  const faults = {
    "before it makes the key": () =>
      vi.spyOn(PersonalKeys.prototype, "keyOf").mockRejectedValue(new Error("unreachable")),
    "because its storage fails": () =>
      vi.spyOn(PersonalKeys.prototype, "keyOf").mockResolvedValue(undefined),
    "after it has made the key": () => {
      const { keyOf } = PersonalKeys.prototype;
      return vi.spyOn(PersonalKeys.prototype, "keyOf").mockImplementation(async function (
        this: PersonalKeys,
        day,
      ) {
        await keyOf.call(this, day);
        throw new Error("The answer is lost");
      });
    },
    "because it is killed": (tenantId: string) => {
      const { keyOf } = PersonalKeys.prototype;
      return vi.spyOn(PersonalKeys.prototype, "keyOf").mockImplementation(async function (
        this: PersonalKeys,
        day,
      ) {
        const key = await keyOf.call(this, day);
        await killPersonalKeys(tenantId);
        return key;
      });
    },
  };

  it.each(Object.entries(faults))(
    "%s, verifications are answered, and their events wait and are delivered once",
    async (_name, fail) => {
      const tenant = await Tenant.create();
      const user = await User.withTotp(tenant);
      const delivered = await readKeyNames(tenant.id);
      vi.setSystemTime(Date.now() + dayMs);
      const failing = fail(tenant.id);
      await user.assess(session);
      expect((await user.verify(user.wrongCode(Date.now()))).status).toBe(422);
      await fireAlarm(user);
      expect(failing).toHaveBeenCalled();
      expect(await readKeyNames(tenant.id)).toEqual(delivered);
      expect(await countUndelivered(user)).toBe(2);
      failing.mockRestore();
      // A guard that starts anew has everything, too.
      await kill(user);
      for (let n = 0; n < 2; n += 1) await fireAlarm(user);
      expect(await countUndelivered(user)).toBe(0);
      expect((await readKeyNames(tenant.id)).slice(delivered.length)).toHaveLength(2);
      const events = await user.events();
      expect(events.map(({ action }) => action)).toEqual([
        "otp.verified",
        "session.assessed",
        "otp.configured",
        "user.provisioned",
      ]);
      expect(events.map(({ personal }) => personal?.external_id)).toEqual(
        events.map(() => user.externalId),
      );
      expect((await readDayKeys(tenant.id)).size).toBe(2);
    },
  );

  it("nor the database, what waits is sealed anew with each try and filed once", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    await user.assess(session);
    await withD1Fault("throws", async () => {
      await fireAlarm(user);
    });
    await withD1Fault("loses the reply", async () => {
      await fireAlarm(user);
    });
    await evict(user);
    vi.setSystemTime(Date.now() + dayMs);
    await fireAlarm(user);
    const events = await user.events();
    expect(events.map(({ action }) => action)).toEqual(["session.assessed", "user.provisioned"]);
    expect(events[0].personal).toMatchObject({ address: session.ip });
  });

  it("a change that names a person answers 503 and changes nothing, and a revocation goes through without the name", async () => {
    const tenant = await Tenant.create();
    const revoked = await tenant.send("POST", "/v1/tokens", {
      token: { name: "t", permissions: ["idp:read"] },
    });
    const headers = { "Acting-For": "someone" };
    const body = { settings: { otp: { enrolment: "confirm" } } };
    const change = () => send("PATCH", "/v1/settings", { token: tenant.token, body, headers });
    const failing = vi.spyOn(PersonalKeys.prototype, "keyOf").mockResolvedValue(undefined);
    expect((await change()).status).toBe(503);
    const settings = await tenant.send("GET", "/v1/settings");
    expect(settings.body.settings.otp.enrolment).toBe("immediate");
    const path = `/v1/tokens/${revoked.body.token.id}`;
    expect((await send("DELETE", path, { token: tenant.token, headers })).status).toBe(204);
    failing.mockRestore();
    expect((await change()).status).toBe(200);
    const { body: listed } = await tenant.send("GET", "/v1/audit/events");
    const shown: { action: string; actor: { acting_for: string | null } }[] = listed.events;
    const persons = new Map(shown.map(({ action, actor }) => [action, actor.acting_for]));
    expect([persons.get("settings.changed"), persons.get("token.revoked")]).toEqual([
      "someone",
      null,
    ]);
  });

  it("and a key of today was deleted, nothing is sealed", async () => {
    const tenant = await Tenant.create();
    await personalKeysOf(tenant.id).deleteKeysBelow(today() + 1);
    const found = findSealingDayKey(env, { tenantId: tenant.id, location: noLocation }, Date.now());
    await expect(found).rejects.toThrow("The store failed");
  });
});
