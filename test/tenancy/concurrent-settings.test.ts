/** Changes of settings that run at once, and what the trail reports about each. */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { requireConfig } from "../../src/env.ts";
import { AppError } from "../../src/errors.ts";
import { noLocation } from "../../src/location.ts";
import { changeSettings, getSettings } from "../../src/tenancy/change-settings.ts";
import { findContradictions } from "../../src/tenancy/contradictions.ts";
import {
  applyDefaults,
  fieldsOf,
  type Settings,
  type SettingsPatch,
} from "../../src/tenancy/settings.ts";
import { Tenant } from "../support/client.ts";

type Details = Readonly<Record<string, string | number | null>>;

const actor = { type: "system", id: null } as const;
let requests = 0;

afterEach(() => {
  vi.restoreAllMocks();
});

async function change(tenantId: string, patch: SettingsPatch): Promise<Settings> {
  requests += 1;
  const requestId = `request-${requests}`;
  const token = await env.DB.prepare("SELECT id FROM api_tokens WHERE tenant_id = ?")
    .bind(tenantId)
    .first<{ id: string }>();
  const caller = {
    tenantId,
    tokenId: token?.id ?? "",
    mode: "test",
    location: noLocation,
  } as const;
  const call = { env, config: requireConfig(env), caller, actor, now: Date.now(), requestId };
  return await changeSettings(call, patch);
}

/** Details of the tenant's `settings.changed` events, in the order of its log. */
async function readChanges(tenantId: string): Promise<Details[]> {
  const { results } = await env.DB.prepare(
    "SELECT details FROM audit_events WHERE tenant_id = ? AND action = 'settings.changed' ORDER BY leaf_index",
  )
    .bind(tenantId)
    .all<{ details: string }>();
  return results.map(({ details }) => JSON.parse(details));
}

async function storeSettings(tenantId: string, settings: object): Promise<void> {
  await env.DB.prepare("UPDATE tenants SET settings = ? WHERE id = ?")
    .bind(JSON.stringify(settings), tenantId)
    .run();
}

/** Makes every call of D1 wait until the scheduler releases it. */
function scheduleD1(scheduler: fc.Scheduler): void {
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
  const methods = [
    ...["all", "raw", "first", "run"].map((name) => ({ on: statement, name })),
    { on: Object.getPrototypeOf(env.DB), name: "batch" },
  ];
  for (const { on, name } of methods) {
    const real = on[name];
    vi.spyOn(on, name).mockImplementation(async function (this: unknown, ...args: unknown[]) {
      await scheduler.schedule(Promise.resolve(), name);
      return await real.apply(this, args);
    });
  }
}

/** Applies the events to the defaults. Each must begin where the one before ended. */
function replayChanges(changes: readonly Details[]): Map<string, unknown> {
  const fields = new Map(fieldsOf(applyDefaults({})));
  for (const details of changes) {
    const names = String(details.changed)
      .split(" ")
      .filter((name) => name !== "");
    for (const name of names) {
      const present = fields.get(name);
      if (Array.isArray(present)) {
        const [added, removed] = ["added", "removed"].map((side) =>
          String(details[`${name}.${side}`])
            .split(" ")
            .filter((entry) => entry !== ""),
        );
        const kept = present.filter((entry) => !removed?.includes(entry));
        const next = [...kept, ...(added ?? [])].toSorted();
        expect(next).toHaveLength(Number(details[`${name}.count`]));
        fields.set(name, next);
      } else {
        expect(details[`${name}.old`]).toBe(present);
        fields.set(name, details[`${name}.new`]);
      }
    }
  }
  return fields;
}

function sortLists(fields: ReadonlyMap<string, unknown>): Map<string, unknown> {
  return new Map(
    [...fields].map(([name, value]) => [name, Array.isArray(value) ? value.toSorted() : value]),
  );
}

const networks = fc.uniqueArray(fc.constantFrom("192.0.2.0/24", "192.0.2.7/32", "2001:db8::/32"));
const thresholds = fc.constantFrom(0.2, 0.5, 0.7, 0.9);
const patches: fc.Arbitrary<SettingsPatch> = fc.oneof(
  fc.record({ sentinel: fc.record({ challenge_at: thresholds }) }),
  fc.record({ sentinel: fc.record({ deny_at: thresholds }) }),
  fc.record({ sentinel: fc.record({ allow: networks, deny: networks }) }),
  fc.record({ lockout: fc.record({ max_failed_attempts: fc.constantFrom(3, 5, 90) }) }),
  fc.record({ lockout: fc.record({ disable_after: fc.constantFrom(4, 100) }) }),
);

describe("Changes at once", () => {
  it("leave valid settings in any order, and their events lead from the first settings to the last", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(patches, { minLength: 2, maxLength: 4 }),
        async (scheduler, wanted) => {
          const { id } = await Tenant.create();
          scheduleD1(scheduler);
          const outcomes = await scheduler.waitFor(
            Promise.allSettled(wanted.map((patch) => change(id, patch))),
          );
          vi.restoreAllMocks();
          for (const outcome of outcomes) {
            if (outcome.status === "fulfilled") continue;
            expect(outcome.reason).toBeInstanceOf(AppError);
            expect(outcome.reason.code).toBe("invalid_request");
          }
          const final = await getSettings(env, id);
          expect(findContradictions(final)).toEqual([]);
          const changes = await readChanges(id);
          expect(changes).toHaveLength(
            outcomes.filter(({ status }) => status === "fulfilled").length,
          );
          expect(replayChanges(changes)).toEqual(sortLists(fieldsOf(final)));
        },
      ),
      { numRuns: 20 },
    );
  });

  it("are refused if others keep coming in between, and nothing is stored of them", async () => {
    const { id } = await Tenant.create();
    const database = Object.getPrototypeOf(env.DB);
    const real = database.batch;
    let others = 0;
    vi.spyOn(database, "batch").mockImplementation(async function (
      this: unknown,
      ...args: unknown[]
    ) {
      others += 1;
      await storeSettings(id, { lockout: { lock_seconds: 100 + others } });
      return await real.apply(this, args);
    });
    const refused = await change(id, { sentinel: { deny_at: 0.9 } }).catch((error) => error.code);
    expect(refused).toBe("unavailable");
    vi.restoreAllMocks();
    expect((await getSettings(env, id)).sentinel.deny_at).toBe(0.8);
    expect(await readChanges(id)).toEqual([]);
  });
});

describe("A contradiction that was stored earlier", () => {
  const contradictory = { sentinel: { challenge_at: 0.9, deny_at: 0.6 } };
  const patch = (tenant: Tenant, settings: object) =>
    tenant.send("PATCH", "/v1/settings", { settings });

  it("prevents neither reads nor other changes", async () => {
    const tenant = await Tenant.create();
    await storeSettings(tenant.id, contradictory);
    expect((await tenant.send("GET", "/v1/settings")).status).toBe(200);
    const { status, body } = await patch(tenant, { lockout: { lock_seconds: 60 } });
    expect([status, body.settings.lockout.lock_seconds]).toEqual([200, 60]);
    expect(body.settings.sentinel).toMatchObject(contradictory.sentinel);
  });

  it.each([{ challenge_at: 0.5 }, { deny_at: 0.95 }])("ends with the change %j", async (repair) => {
    const tenant = await Tenant.create();
    await storeSettings(tenant.id, contradictory);
    const { status, body } = await patch(tenant, { sentinel: repair });
    expect([status, findContradictions(body.settings)]).toEqual([200, []]);
  });

  it("is refused again by a change that keeps it", async () => {
    const tenant = await Tenant.create();
    await storeSettings(tenant.id, contradictory);
    const { status, body } = await patch(tenant, { sentinel: { deny_at: 0.7 } });
    expect([status, body.issues[0].path]).toEqual([400, "settings.sentinel.deny_at"]);
  });
});

describe("The event of a change", () => {
  async function readEvents(tenant: Tenant): Promise<Details[]> {
    const path = "/v1/audit/events?action=settings.changed";
    const { events } = (await tenant.send("GET", path)).body;
    return events.map(({ details }: { details: Details }) => details).toReversed();
  }

  it("has the old and the new value, so a lockout that was off for a moment stays visible", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ lockout: { max_failed_attempts: 100 }, otp: {} });
    await tenant.setSettings({ lockout: { max_failed_attempts: 5, lock_seconds: 900 } });
    expect(await readEvents(tenant)).toEqual([
      {
        changed: "lockout.max_failed_attempts",
        "lockout.max_failed_attempts.old": 5,
        "lockout.max_failed_attempts.new": 100,
      },
      {
        changed: "lockout.max_failed_attempts",
        "lockout.max_failed_attempts.old": 100,
        "lockout.max_failed_attempts.new": 5,
      },
    ]);
  });

  it("names a hundred entries that were added and removed, and counts all", async () => {
    const tenant = await Tenant.create();
    const list = (block: number) =>
      Array.from({ length: 150 }, (_, n) => `198.51.${block}.${n}/32`);
    await tenant.setSettings({ sentinel: { deny: [...list(1), "203.0.113.0/24"] } });
    await tenant.setSettings({ sentinel: { deny: [...list(2), "203.0.113.0/24"] } });
    const [, details] = await readEvents(tenant);
    expect(details).toEqual({
      changed: "sentinel.deny",
      "sentinel.deny.added": list(2).slice(0, 100).join(" "),
      "sentinel.deny.added_count": 150,
      "sentinel.deny.removed": list(1).slice(0, 100).join(" "),
      "sentinel.deny.removed_count": 150,
      "sentinel.deny.count": 151,
    });
  });

  it("names no field if no value changed", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ lockout: { lock_seconds: 900 }, location: { hint: null } });
    expect(await readEvents(tenant)).toEqual([{ changed: "" }]);
  });
});
