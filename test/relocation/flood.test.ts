/**
 * A tenant moves to another database and back while users are provisioned, enrol and log in, and while
 * its settings change. No data is lost, no event appears twice, and the trail verifies.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { passMinuteAfterSwitch, readTenantData, relocate } from "../support/relocation.ts";
import { problemsOf, saveCheckpoint, saveTrail } from "../support/saved-trail.ts";

const clientCount = 4;

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The events that the trail must contain, the users that must exist, and the codes that are spent. */
class Record {
  readonly #events = new Map<string, number>();
  readonly users: User[] = [];
  readonly accepted: { readonly user: User; readonly code: string }[] = [];

  addEvent(event: string): void {
    this.#events.set(event, (this.#events.get(event) ?? 0) + 1);
  }

  get events() {
    return Object.fromEntries(this.#events);
  }
}

/** Runs one client until the move ends, and records the results that the trail must contain. */
async function runClient(
  tenant: Tenant,
  record: Record,
  isOver: () => boolean,
  clientIndex: number,
) {
  for (let n = 0; !isOver(); n += 1) {
    const user = await User.provision(tenant, `client-${clientIndex}-${n}`);
    record.users.push(user);
    record.addEvent("user.provisioned success");
    const at = Date.now();
    expect((await user.configure()).status).toBe(200);
    record.addEvent("otp.configured success");
    const code = user.code(at);
    expect((await user.verify(code)).status).toBe(200);
    record.accepted.push({ user, code });
    record.addEvent("otp.verified success");
    expect((await user.verify(code)).status).toBe(422);
    record.addEvent("otp.verified refused code_already_used");
    await tenant.setSettings({ lockout: { lock_seconds: 60 + n } });
    record.addEvent("settings.changed success");
    await tenant.tokenWith(["idp:read"]);
    record.addEvent("token.created success");
  }
}

/** Relocates in slices of two pages, between which the clients send requests. */
async function relocateInSlices(tenant: Tenant, shard: number): Promise<void> {
  for (;;) {
    const { status, body } = await relocate(tenant, shard, 2);
    expect(status).toBe(200);
    if (body.relocation.done) return;
    if (body.relocation.phase === "cleaning") await passMinuteAfterSwitch(tenant);
    await scheduler.wait(20);
  }
}

async function readWholeTrail(tenant: Tenant): Promise<Answer["body"][]> {
  const events: Answer["body"][] = [];
  for (let after = ""; ; ) {
    const { body } = await tenant.send("GET", `/v1/audit/events?limit=100${after}`);
    events.push(...body.events);
    if (!body.has_more) return events.toReversed();
    after = `&after=${body.next_after}`;
  }
}

it("A tenant that moves to another database and back under load loses no data and has no event twice", {
  timeout: 120_000,
}, async () => {
  const tenant = await Tenant.create();
  const record = new Record();
  record.addEvent("tenant.created success");
  record.addEvent("token.created success");
  const older = await saveCheckpoint(tenant);
  for (const shard of [1, 0]) {
    let isOver = false;
    const all = Array.from({ length: clientCount }, (_, clientIndex) =>
      runClient(tenant, record, () => isOver, clientIndex + shard * clientCount),
    );
    await relocateInSlices(tenant, shard).finally(() => {
      isOver = true;
    });
    await Promise.all(all);
    record.addEvent("tenant.relocated success");
  }
  for (const user of record.users) await drainOutbox(user);
  const events = await readWholeTrail(tenant);
  const counts: { [event: string]: number } = {};
  for (const { action, outcome, reason } of events) {
    const event = [action, outcome, reason ?? ""].join(" ").trim();
    counts[event] = (counts[event] ?? 0) + 1;
  }
  expect(counts).toEqual(record.events);
  expect(record.users.length).toBeGreaterThan(2 * clientCount);
  const leaves = events.map(({ leaf_index }) => leaf_index).toSorted((a, b) => a - b);
  expect(leaves).toEqual(leaves.map((_, index) => index));
  const { identities = [] } = await readTenantData(0, tenant);
  expect(identities.map((row) => Reflect.get(row, "id")).toSorted()).toEqual(
    record.users.map(({ id }) => id).toSorted(),
  );
  expect(await readTenantData(1, tenant)).toEqual({});
  expect(await problemsOf(await saveTrail(tenant, { older }))).toEqual([]);
  for (const { user, code } of record.accepted.slice(0, 10)) {
    expect((await user.verify(code)).body.code).toBe("code_already_used");
  }
});
