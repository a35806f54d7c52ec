/**
 * A tenant is moved there and back while its users log in, enrol and come, and its settings change: nothing
 * is lost, nothing is told twice, and the trail proves itself.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Answer, Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { passMinuteAfterSwitch, readTenantData, relocate } from "../support/relocation.ts";
import { problemsOf, saveCheckpoint, saveTrail } from "../support/saved-trail.ts";

const clients = 4;

beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** What was answered with success, as the trail has to tell it; and who there is to be listed. */
class Record {
  readonly #told = new Map<string, number>();
  readonly users: User[] = [];
  readonly accepted: { readonly user: User; readonly code: string }[] = [];

  tell(event: string): void {
    this.#told.set(event, (this.#told.get(event) ?? 0) + 1);
  }

  get told() {
    return Object.fromEntries(this.#told);
  }
}

/** One client: goes on until the move is over, and remembers what it was told. */
async function client(tenant: Tenant, record: Record, isOver: () => boolean, seat: number) {
  for (let n = 0; !isOver(); n += 1) {
    const user = await User.provision(tenant, `seat-${seat}-${n}`);
    record.users.push(user);
    record.tell("user.provisioned success");
    const at = Date.now();
    expect((await user.configure()).status).toBe(200);
    record.tell("otp.configured success");
    const code = user.code(at);
    expect((await user.verify(code)).status).toBe(200);
    record.accepted.push({ user, code });
    record.tell("otp.verified success");
    expect((await user.verify(code)).status).toBe(422);
    record.tell("otp.verified failure replayed_code");
    await tenant.setSettings({ lockout: { lock_seconds: 60 + n } });
    record.tell("settings.changed success");
    await tenant.tokenWith(["idp:read"]);
    record.tell("token.created success");
  }
}

/** Slices of two pages, with whatever the clients ask in between. */
async function move(tenant: Tenant, shard: number): Promise<void> {
  for (;;) {
    const { status, body } = await relocate(tenant, shard, 2);
    expect(status).toBe(200);
    if (body.relocation.done) return;
    if (body.relocation.phase === "cleaning") await passMinuteAfterSwitch(tenant);
    await scheduler.wait(20);
  }
}

async function wholeTrail(tenant: Tenant): Promise<Answer["body"][]> {
  const events: Answer["body"][] = [];
  for (let after = ""; ; ) {
    const { body } = await tenant.send("GET", `/v1/audit/events?limit=100${after}`);
    events.push(...body.events);
    if (!body.has_more) return events.toReversed();
    after = `&after=${body.next_after}`;
  }
}

it("A tenant moved there and back under load loses nothing and tells nothing twice", {
  timeout: 120_000,
}, async () => {
  const tenant = await Tenant.create();
  const record = new Record();
  record.tell("tenant.created success");
  record.tell("token.created success");
  const older = await saveCheckpoint(tenant);
  for (const shard of [1, 0]) {
    let isOver = false;
    const all = Array.from({ length: clients }, (_, seat) =>
      client(tenant, record, () => isOver, seat + shard * clients),
    );
    await move(tenant, shard).finally(() => {
      isOver = true;
    });
    await Promise.all(all);
    record.tell("tenant.relocated success");
  }
  for (const user of record.users) await drainOutbox(user);
  const events = await wholeTrail(tenant);
  const told: { [event: string]: number } = {};
  for (const { action, outcome, reason } of events) {
    const event = [action, outcome, reason ?? ""].join(" ").trim();
    told[event] = (told[event] ?? 0) + 1;
  }
  expect(told).toEqual(record.told);
  expect(record.users.length).toBeGreaterThan(2 * clients);
  const leaves = events.map(({ leaf_index }) => leaf_index).toSorted((a, b) => a - b);
  expect(leaves).toEqual(leaves.map((_, index) => index));
  const { identities = [] } = await readTenantData(0, tenant);
  expect(identities.map((row) => Reflect.get(row, "id")).toSorted()).toEqual(
    record.users.map(({ id }) => id).toSorted(),
  );
  expect(await readTenantData(1, tenant)).toEqual({});
  expect(await problemsOf(await saveTrail(tenant, { older }))).toEqual([]);
  for (const { user, code } of record.accepted.slice(0, 10)) {
    expect((await user.verify(code)).body.code).toBe("invalid_code");
  }
});
