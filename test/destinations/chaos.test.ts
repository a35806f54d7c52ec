/**
 * Receivers that fail in every way, followers that are lost between any two steps, and a D1 that fails: every event
 * arrives at least once, and one that arrives again has the same id.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { cacheShard, invalidateShard } from "../../src/db/shards.ts";
import { FollowerStorage } from "../../src/destinations/follower-storage.ts";
import { selectByKind } from "../support/campaign.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { hangForever, withQuickDeadlines } from "../support/deadlines.ts";
import {
  connect,
  createReceiver,
  createWebhook,
  disconnect,
  evictFollower,
  followerOf,
  listAttempts,
  passTime,
  type Received,
  type Receiver,
  readFollowerAlarm,
  readJson,
  runFollower,
  stopClock,
} from "../support/receiver.ts";
import { cutOff, cutPointOf, listCuts } from "../support/steps.ts";
import { copyStores } from "../support/stores.ts";
import { eventOf, fileEvents, sql } from "../support/trail.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
/** More runs than any test needs. */
const maxRuns = 2_000;

beforeEach(stopClock);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  disconnect();
});

interface Hooked {
  readonly tenant: Tenant;
  readonly receiver: Receiver;
  readonly id: string;
}

/** A tenant with a webhook for the events that tests file. */
async function createHooked(): Promise<Hooked> {
  const tenant = await Tenant.create();
  const receiver = createReceiver();
  connect(receiver);
  const { id } = await createWebhook(tenant, receiver, ["settings.changed"]);
  return { tenant, receiver, id };
}

/** Files events, and wakes the follower. @returns their ids */
async function file({ tenant, id }: Hooked, count: number): Promise<string[]> {
  const now = Date.now();
  const events = Array.from({ length: count }, (_, n) => eventOf(tenant.id, now + n));
  await fileEvents(tenant.id, events);
  await followerOf(tenant, id).wake({ tenantId: tenant.id, id });
  return events.map((event) => event.id);
}

async function readWebhook({ tenant, id }: Hooked): Promise<Answer["body"]> {
  return (await tenant.send("GET", `/v1/webhooks/${id}`)).body.webhook;
}

/** Lets time pass from alarm to alarm until nothing is left to send. */
async function runUntilDone(hooked: Hooked): Promise<void> {
  const { tenant, id } = hooked;
  for (let runs = 0; runs < maxRuns; runs += 1) {
    const alarm = await readFollowerAlarm(tenant, id);
    if (alarm !== null) passTime(Math.max(0, alarm - Date.now()));
    await runFollower(tenant, id);
    const { behind, waiting, status } = await readWebhook(hooked);
    if (status === "disabled" || (behind.events === 0 && waiting === 0)) return;
  }
  throw new Error("The follower does not finish");
}

/** Waits until the request is given up. */
function hang(_received: Received, { signal }: RequestInit): Promise<never> {
  hangForever();
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new Error("aborted")));
  });
}

const failures: readonly (readonly [string, Receiver["answer"], number | null, string])[] = [
  ["is down", () => Promise.reject(new TypeError("Network connection lost.")), null, "connection"],
  ["answers 500", () => new Response("no", { status: 500 }), 500, "status"],
  ["answers 404", () => new Response(null, { status: 404 }), 404, "status"],
  ["redirects", () => Response.redirect("https://other.example.com/", 302), 302, "redirect"],
  ["never answers", hang, null, "timeout"],
  [
    "cuts the connection in the middle of its answer",
    () => {
      const body = new ReadableStream({
        pull(controller) {
          controller.error(new TypeError("Network connection lost."));
        },
      });
      return new Response(body);
    },
    200,
    "connection",
  ],
];

describe("A receiver that", () => {
  it.each(failures)(
    "%s gets the event again, with the same id",
    async (_name, answer, status, error) => {
      const hooked = await createHooked();
      const { tenant, receiver, id } = hooked;
      receiver.answer = answer;
      const [eventId] = await file(hooked, 1);
      await withQuickDeadlines(() => runFollower(tenant, id));
      const [attempt] = await listAttempts(tenant, id);
      expect(attempt).toMatchObject({ event_id: eventId, status, error });
      const waitMs = Date.parse(attempt.next_at) - Date.parse(attempt.at) - attempt.milliseconds;
      expect(waitMs).toBeGreaterThanOrEqual(4_500);
      expect(waitMs).toBeLessThanOrEqual(5_500);
      expect(await readWebhook(hooked)).toMatchObject({ status: "failing", waiting: 1, failed: 1 });
      receiver.answer = () => new Response(null, { status: 200 });
      await runUntilDone(hooked);
      expect(receiver.ids).toEqual([eventId, eventId]);
      const done = { status: "enabled", waiting: 0, delivered: 1, failed: 1, given_up: 0 };
      expect(await readWebhook(hooked)).toMatchObject(done);
    },
  );

  it("answers with a long body is not read to its end", async () => {
    const hooked = await createHooked();
    let pulls = 0;
    hooked.receiver.answer = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            pulls += 1;
            controller.enqueue(new Uint8Array(600));
          },
        }),
      );
    await file(hooked, 1);
    await runUntilDone(hooked);
    expect(hooked.receiver.ids).toHaveLength(1);
    expect(pulls).toBeLessThan(5);
  });

  it("is down for days gets ten attempts of an event in three days, and the rest after its return", async () => {
    const hooked = await createHooked();
    const { receiver, tenant, id } = hooked;
    receiver.answer = () => new Response(null, { status: 503 });
    const [first] = await file(hooked, 1);
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const start = Date.now();
    for (let due: number | null = start; due !== null; ) {
      passTime(due - Date.now());
      await runFollower(tenant, id);
      const [{ next_at: next }] = await listAttempts(tenant, id);
      due = next === null ? null : Date.parse(next);
    }
    expect(receiver.ids).toEqual(Array.from({ length: 10 }, () => first));
    const starts = receiver.received.map(({ at }) => at);
    const waits = starts.slice(1).map((at, index) => at - (starts[index] ?? 0));
    expect(waits).toEqual([
      ...[5 * secondMs, 5 * minuteMs, 30 * minuteMs, 2 * hourMs, 5 * hourMs],
      ...[10 * hourMs, 14 * hourMs, 20 * hourMs, 24 * hourMs],
    ]);
    expect(await readWebhook(hooked)).toMatchObject({ status: "failing", given_up: 1, failed: 10 });
    receiver.answer = () => new Response();
    const [second] = await file(hooked, 1);
    await runUntilDone(hooked);
    expect(receiver.ids.at(-1)).toBe(second);
    // What was given up is sent by a replay of that event alone, from the list of attempts.
    const path = `/v1/webhooks/${id}/attempts/${first}/replay`;
    expect((await tenant.send("POST", path)).status).toBe(204);
    await runUntilDone(hooked);
    expect(receiver.ids.at(-1)).toBe(first);
    expect(await readWebhook(hooked)).toMatchObject({ status: "enabled", delivered: 2 });
  });

  it("is down makes a thousand deliveries wait at most, and then the cursor stands still", async () => {
    const hooked = await createHooked();
    const { receiver, tenant, id } = hooked;
    receiver.answer = () => new Response(null, { status: 500 });
    const ids = await file(hooked, 1_020);
    vi.spyOn(Math, "random").mockReturnValue(1);
    // A run sends 200.
    for (let run = 0; run < 6; run += 1) await runFollower(tenant, id);
    const { status, waiting, behind } = await readWebhook(hooked);
    expect({ status, waiting, left: behind.events }).toEqual({
      status: "failing",
      waiting: 1_000,
      left: 20,
    });
    receiver.answer = () => new Response();
    await runUntilDone(hooked);
    expect(new Set(receiver.ids)).toEqual(new Set(ids));
    expect(await readWebhook(hooked)).toMatchObject({ delivered: 1_020, given_up: 0 });
  });

  it("answers 410 is disabled at once, with an event, and continues where it was once enabled", async () => {
    const hooked = await createHooked();
    const { receiver, tenant, id } = hooked;
    receiver.answer = () => new Response(null, { status: 410 });
    const [first] = await file(hooked, 1);
    const warnings = vi.spyOn(console, "warn");
    await runFollower(tenant, id);
    const line = { level: "warn", event: "webhook_disabled", tenant_id: tenant.id, code: "gone" };
    expect(warnings.mock.calls.map(([text]) => JSON.parse(text))).toEqual([line]);
    expect(await readWebhook(hooked)).toMatchObject({
      status: "disabled",
      disabled_reason: "gone",
      waiting: 1,
    });
    expect(await readFollowerAlarm(tenant, id)).toBeNull();
    const [event] = (await tenant.send("GET", "/v1/audit/events?action=webhook.disabled")).body
      .events;
    expect(event).toMatchObject({
      actor: { type: "system", id: null },
      reason: "gone",
      outcome: "success",
      target: { type: "webhook", id },
    });
    const later = await file(hooked, 2);
    expect(await runFollower(tenant, id)).toBe(true);
    expect(receiver.ids).toEqual([first]);
    receiver.answer = () => new Response();
    const enabled = { webhook: { status: "enabled" } };
    const { body } = await tenant.send("PATCH", `/v1/webhooks/${id}`, enabled);
    expect(body.webhook).toMatchObject({ status: "enabled", disabled_reason: null });
    await runUntilDone(hooked);
    expect(new Set(receiver.ids)).toEqual(new Set([first, ...later]));
  });

  it("fails for five days is disabled, with an event", async () => {
    const hooked = await createHooked();
    const { receiver, tenant } = hooked;
    receiver.answer = () => new Response(null, { status: 500 });
    for (let day = 0; day < 6; day += 1) {
      await file(hooked, 1);
      await runFollower(tenant, hooked.id);
      passTime(24 * hourMs);
    }
    expect(await readWebhook(hooked)).toMatchObject({
      status: "disabled",
      disabled_reason: "failing",
    });
    const { events } = (await tenant.send("GET", "/v1/audit/events?action=webhook.disabled")).body;
    expect(events).toHaveLength(1);
  });

  it("hangs holds up neither another webhook of the tenant nor another tenant", async () => {
    const slow = await createHooked();
    const fast = createReceiver();
    const { id: fastId } = await createWebhook(slow.tenant, fast, ["settings.changed"]);
    const other = await createHooked();
    connect(slow.receiver, fast, other.receiver);
    let isReleased = false;
    slow.receiver.answer = async () => {
      // This polls, because one object cannot wake another.
      while (!isReleased) await scheduler.wait(5);
      return new Response();
    };
    const ids = await file(slow, 3);
    await file(other, 2);
    const running = runFollower(slow.tenant, slow.id);
    await vi.waitFor(() => expect(slow.receiver.ids).toHaveLength(3), 20_000);
    await runUntilDone({ ...slow, receiver: fast, id: fastId });
    await runUntilDone(other);
    expect(fast.ids.toSorted()).toEqual(ids.toSorted());
    expect(other.receiver.ids).toHaveLength(2);
    isReleased = true;
    await running;
  });
});

/** The ids that have arrived more than once. */
function doublesOf(ids: readonly string[]): string[] {
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}

describe("A follower", () => {
  it("that is lost between any two steps loses nothing, and repeats only what was under way", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await runUntilDone(hooked);
    const run = () => runFollower(tenant, id).catch(() => "lost");
    await file(hooked, 3);
    const cuts = selectByKind(await listCuts(run), cutPointOf);
    const reached: string[] = [];
    for (const cut of cuts) {
      receiver.received.length = 0;
      const ids = await file(hooked, 3);
      if ((await cutOff(cut, run)).reached) reached.push(cutPointOf(cut));
      // The platform repeats the alarm of an object that was lost.
      await followerOf(tenant, id).wake({ tenantId: tenant.id, id });
      await runUntilDone(hooked);
      expect(new Set(receiver.ids), cutPointOf(cut)).toEqual(new Set(ids));
      // Three at most were under way.
      expect(doublesOf(receiver.ids).length, cutPointOf(cut)).toBeLessThanOrEqual(3);
      if (!cutPointOf(cut).includes("fetch")) expect(doublesOf(receiver.ids)).toEqual([]);
    }
    expect(reached).toEqual(expect.arrayContaining(["before fetch", "after fetch", "before raw"]));
  });

  it.each(["throws", "hangs", "fails on single reads only"] as const)(
    "waits for a D1 that %s, and then sends everything once",
    async (fault) => {
      const hooked = await createHooked();
      const { tenant, receiver, id } = hooked;
      const ids = await file(hooked, 5);
      await withD1Fault(fault, () => runFollower(tenant, id));
      expect(receiver.ids).toEqual([]);
      expect(await readFollowerAlarm(tenant, id)).toBeLessThanOrEqual(Date.now() + minuteMs);
      await runUntilDone(hooked);
      expect(receiver.ids.toSorted()).toEqual(ids.toSorted());
    },
  );

  it("that nobody wakes finds the events by itself within five minutes", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await runUntilDone(hooked);
    const event = eventOf(tenant.id, Date.now());
    await fileEvents(tenant.id, [event]);
    const alarm = (await readFollowerAlarm(tenant, id)) ?? Number.POSITIVE_INFINITY;
    expect(alarm - Date.now()).toBeLessThanOrEqual(5 * minuteMs);
    await runFollower(tenant, id);
    expect(receiver.ids).toEqual([event.id]);
  });

  it("goes back when D1 is restored, and sends the events that take the places of others", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await file(hooked, 20);
    await runUntilDone(hooked);
    const restore = await snapshotOfD1();
    const lost = await file(hooked, 5);
    await runUntilDone(hooked);
    await restore();
    const fewer = await file(hooked, 3);
    await runFollower(tenant, id);
    expect(receiver.ids).toEqual(expect.arrayContaining([...lost, ...fewer]));
    const more = await file(hooked, 8);
    await runUntilDone(hooked);
    expect(receiver.ids).toEqual(expect.arrayContaining(more));
    expect(await readWebhook(hooked)).toMatchObject({ behind: { events: 0, seconds: 0 } });
  });

  it("of a webhook that was deleted sends nothing more, also after a restore of D1 brings the row back", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await runUntilDone(hooked);
    const restore = await snapshotOfD1();
    expect((await tenant.send("DELETE", `/v1/webhooks/${id}`)).status).toBe(204);
    await restore();
    await file(hooked, 2);
    await runFollower(tenant, id);
    expect(receiver.ids).toEqual([]);
    expect((await tenant.send("GET", `/v1/webhooks/${id}`)).status).toBe(404);
    expect((await tenant.send("GET", "/v1/webhooks")).body.webhooks).toEqual([]);
    expect((await tenant.send("DELETE", `/v1/webhooks/${id}`)).status).toBe(204);
  });

  it("that is reading its row while the webhook is deleted sends nothing", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await file(hooked, 2);
    await runUntilDone(hooked);
    receiver.received.length = 0;
    await file(hooked, 1);
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
    const { raw } = statement;
    vi.spyOn(statement, "raw").mockImplementationOnce(async function (this: unknown) {
      const rows = await raw.call(this);
      await followerOf(tenant, id).end();
      return rows;
    });
    await runFollower(tenant, id);
    expect(receiver.ids).toEqual([]);
    expect(await followerOf(tenant, id).report()).toMatchObject({ state: null, hasEnded: true });
  });

  it("that is lost while it ends has either ended or forgotten nothing", async () => {
    const hooked = await createHooked();
    const { tenant, id } = hooked;
    await file(hooked, 1);
    await runUntilDone(hooked);
    await runInDurableObject(followerOf(tenant, id), async (_follower, { storage }) => {
      const ending = new FollowerStorage(storage).end();
      // What is written without a wait in between is stored together.
      const stored = new FollowerStorage(storage);
      expect(stored.hasEnded()).toBe(true);
      expect(stored.readState()).toBeUndefined();
      expect(stored.listAttempts()).toEqual([]);
      await ending;
    });
  });

  it("reads the database that has the tenant now, whatever its machine remembers", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    const first = await file(hooked, 3);
    await runUntilDone(hooked);
    const second = await file(hooked, 1);
    try {
      cacheShard(env, tenant.id, 1, Date.now());
      await runFollower(tenant, id);
    } finally {
      invalidateShard(tenant.id);
    }
    await runUntilDone(hooked);
    expect(receiver.ids.toSorted()).toEqual([...first, ...second].toSorted());
  });

  it("stops at once when the webhook is deleted, and that is no error", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await file(hooked, 20);
    const errors = vi.spyOn(console, "error");
    let deleting: Promise<unknown> | undefined;
    receiver.answer = async () => {
      deleting ??= tenant.send("DELETE", `/v1/webhooks/${id}`);
      await deleting;
      return new Response();
    };
    await runFollower(tenant, id);
    expect(receiver.ids).toHaveLength(5);
    expect(await followerOf(tenant, id).report()).toMatchObject({ state: null, hasEnded: true });
    expect(await readFollowerAlarm(tenant, id)).toBeNull();
    expect(errors).not.toHaveBeenCalled();
  });

  it("stops at once when the webhook is disabled, and sends the rest once it is enabled", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    const ids = await file(hooked, 20);
    const set = (status: string) =>
      tenant.send("PATCH", `/v1/webhooks/${id}`, { webhook: { status } });
    let disabling: Promise<unknown> | undefined;
    receiver.answer = async () => {
      disabling ??= set("disabled");
      await disabling;
      return new Response(null, { status: 204 });
    };
    await runFollower(tenant, id);
    // Those that were on their way.
    expect(receiver.ids).toHaveLength(5);
    receiver.answer = () => new Response(null, { status: 204 });
    await set("enabled");
    await runUntilDone(hooked);
    expect(receiver.ids.toSorted()).toEqual(ids.toSorted());
  });

  it("sends nothing of a user who was erased after it has read the event, but what was on its way", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await tenant.send("PATCH", `/v1/webhooks/${id}`, { webhook: { events: ["user.provisioned"] } });
    for (let n = 0; n < 5; n += 1) await User.provision(tenant);
    const user = await User.provision(tenant, "leaver@example.com");
    let erasing: Promise<unknown> | undefined;
    receiver.answer = async () => {
      erasing ??= tenant.send("DELETE", user.path()).then(() => passTime(15 * secondMs));
      await erasing;
      return new Response();
    };
    await runUntilDone(hooked);
    expect(receiver.received).toHaveLength(6);
    const texts = receiver.received.map((message) => JSON.stringify(readJson(message)));
    expect(texts.join()).not.toContain("leaver");
  });

  it("leaves a webhook alone that was changed while its receiver answered 410", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await file(hooked, 1);
    let changed: Answer["body"];
    receiver.answer = async () => {
      receiver.answer = () => new Response();
      passTime(secondMs);
      const patch = { webhook: { status: "enabled" } };
      changed = (await tenant.send("PATCH", `/v1/webhooks/${id}`, patch)).body.webhook;
      return new Response(null, { status: 410 });
    };
    await runFollower(tenant, id);
    const { status, updated_at: updatedAt } = await readWebhook(hooked);
    expect({ status, updatedAt }).toEqual({ status: "enabled", updatedAt: changed.updated_at });
  });

  it("that was not told of the deletion ends with its next run", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await sql("DELETE FROM destinations WHERE tenant_id = ?", tenant.id);
    await file(hooked, 2);
    await runFollower(tenant, id);
    expect(receiver.ids).toEqual([]);
    expect(await readFollowerAlarm(tenant, id)).toBeNull();
    expect(await followerOf(tenant, id).report()).toMatchObject({ state: null, hasEnded: true });
  });

  it("stores the ids and leaf indexes of events, and nothing else of them", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    receiver.answer = () => new Response("secret answer", { status: 500 });
    await tenant.send("PATCH", `/v1/webhooks/${id}`, { webhook: { events: ["*"] } });
    const user = await User.provision(tenant, "alexander@example.com");
    await file(hooked, 1);
    await runFollower(tenant, id);
    expect(receiver.ids.length).toBeGreaterThan(1);
    const { followers } = await copyStores();
    expect(followers.length).toBeGreaterThan(0);
    for (const text of [
      user.externalId,
      user.id,
      "user.provisioned",
      "secret answer",
      receiver.url,
    ]) {
      expect(JSON.stringify(followers)).not.toContain(text);
    }
  });

  it("sends an event of an erased user as it is now, waiting or replayed", async () => {
    const hooked = await createHooked();
    const { tenant, receiver, id } = hooked;
    await tenant.send("PATCH", `/v1/webhooks/${id}`, { webhook: { events: ["user.provisioned"] } });
    receiver.answer = () => new Response(null, { status: 500 });
    const user = await User.provision(tenant, "leaver@example.com");
    await runFollower(tenant, id);
    expect(JSON.stringify(readJson(receiver.received[0] ?? expect.fail()))).toContain("leaver");
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
    receiver.answer = () => new Response();
    await runUntilDone(hooked);
    const replayed = await tenant.send("POST", `/v1/webhooks/${id}/replay`, { from: 0 });
    expect(replayed.body.webhook.cursor).toBe(0);
    await runUntilDone(hooked);
    const later = receiver.received.slice(1);
    expect(later).toHaveLength(2);
    for (const message of later) {
      expect(readJson(message).data).toMatchObject({ personal: null, erased: true });
      expect(JSON.stringify(readJson(message))).not.toContain("leaver");
    }
  });
});

it("Ten thousand events of three tenants arrive although receivers fail at random and followers are lost", {
  timeout: 300_000,
}, async () => {
  const perTenant = inject("isFull") ? 3_334 : 150;
  let seed = 7;
  const draw = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const hooked = [await createHooked(), await createHooked(), await createHooked()];
  connect(...hooked.map(({ receiver }) => receiver));
  const filed = new Map<Hooked, string[]>();
  for (const one of hooked) {
    one.receiver.answer = () => {
      const chance = draw();
      if (chance < 0.1) return new Response(null, { status: 500 });
      if (chance < 0.15) throw new TypeError("Network connection lost.");
      return new Response();
    };
    filed.set(one, await file(one, perTenant));
  }
  for (const [index, one] of hooked.entries()) {
    for (let n = 0; n < 3 + index; n += 1) {
      await runFollower(one.tenant, one.id);
      await evictFollower(one.tenant, one.id);
      await followerOf(one.tenant, one.id).wake({ tenantId: one.tenant.id, id: one.id });
    }
  }
  for (const one of hooked) await runUntilDone(one);
  for (const one of hooked) {
    expect(new Set(one.receiver.ids)).toEqual(new Set(filed.get(one)));
    expect(await readWebhook(one)).toMatchObject({ delivered: perTenant, given_up: 0, waiting: 0 });
  }
});
