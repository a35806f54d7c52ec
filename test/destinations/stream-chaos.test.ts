/**
 * Streams under faults: whatever their receivers do, every event arrives, in order and without a gap, and twice only
 * where it was not known whether it had arrived.
 */
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { Tenant } from "../support/client.ts";
import {
  connect,
  createReceiver,
  evictFollower,
  passTime,
  type Received,
  type Receiver,
  runFollower,
  stopClock,
} from "../support/receiver.ts";
import { createStream, eventsOf } from "../support/stream-receiver.ts";
import { eventOf, fileEvents } from "../support/trail.ts";

const hourMs = 60 * 60 * 1000;
const eventCount = inject("isFull") ? 3_300 : 300;
const maxRuns = 400;

beforeEach(stopClock);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The minimal standard generator of Park and Miller. @returns numbers from 0 to 1 */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** What the receiver has, as it sees it: each request that it has taken, with its leaves. */
interface Taken {
  readonly leaves: readonly { readonly leafIndex: number; readonly id: string }[];
  /** Whether the sender was told. */
  readonly isKnown: boolean;
}

/** Makes the receiver fail in every way, at random. @returns what it has taken, in order */
function misbehave(receiver: Receiver, random: () => number): Taken[] {
  const taken: Taken[] = [];
  const take = async (received: Received, isKnown: boolean) => {
    const events = await eventsOf(received);
    const leaves = events.map(({ leaf_index, id }) => ({ leafIndex: leaf_index, id }));
    taken.push({ leaves, isKnown });
  };
  receiver.answer = async (received) => {
    const dice = random();
    if (dice < 0.1) return new Response("busy", { status: 503 });
    if (dice < 0.15)
      return new Response("slow down", { status: 429, headers: { "Retry-After": "1" } });
    if (dice < 0.2) return Response.redirect("https://elsewhere.example.com/", 307);
    if (dice < 0.25) throw new TypeError("Network connection lost.");
    if (dice < 0.3) throw new DOMException("The operation was aborted", "AbortError");
    if (dice < 0.4) {
      // Taken, but the answer does not arrive.
      await take(received, false);
      throw new TypeError("Network connection lost.");
    }
    if (dice < 0.45) {
      await take(received, false);
      return new Response("late", { status: 504 });
    }
    if (dice < 0.6 && (await eventsOf(received)).length > 40) {
      return new Response(null, { status: 413 });
    }
    await take(received, true);
    return new Response(null, { status: 200 });
  };
  return taken;
}

/** Runs the follower until it has sent all, and evicts it at random. */
async function runToEnd(tenant: Tenant, id: string, random: () => number): Promise<number> {
  for (let run = 0; run < maxRuns; run += 1) {
    if (random() < 0.3) await evictFollower(tenant, id);
    await runFollower(tenant, id);
    passTime(hourMs);
    const { body } = await tenant.send("GET", `/v1/audit/streams/${id}`);
    if (body.stream.behind.events === 0) return body.stream.cursor;
  }
  throw new Error("The stream has not sent all events");
}

describe("A stream to a receiver that fails in every way", () => {
  it("has no gap, keeps the order, and doubles only what may not have arrived", async () => {
    const random = createRandom(7);
    const tenants = await Promise.all([Tenant.create(), Tenant.create(), Tenant.create()]);
    const receivers = tenants.map(() => createReceiver());
    connect(...receivers);
    await Promise.all(
      tenants.map(async (tenant, n) => {
        const receiver = receivers[n] ?? expect.fail();
        const taken = misbehave(receiver, random);
        const { id } = await createStream(tenant, receiver, { from: 0 });
        for (let filed = 0; filed < eventCount; filed += 100) {
          const events = Array.from({ length: 100 }, () => eventOf(tenant.id, Date.now()));
          await fileEvents(tenant.id, events);
          await runFollower(tenant, id);
        }
        const end = await runToEnd(tenant, id, random);
        expect(end).toBeGreaterThan(eventCount);

        const ids = new Map<number, string>();
        let next = 0;
        let unclearFrom = Number.POSITIVE_INFINITY;
        for (const { leaves, isKnown } of taken) {
          const first = leaves[0]?.leafIndex ?? -1;
          // In order, without a gap; back only to where an outcome was not known.
          expect(first === next || first === unclearFrom).toBe(true);
          for (const [offset, { leafIndex, id: eventId }] of leaves.entries()) {
            expect(leafIndex).toBe(first + offset);
            expect(ids.get(leafIndex) ?? eventId).toBe(eventId);
            ids.set(leafIndex, eventId);
          }
          const below = first + leaves.length;
          unclearFrom = isKnown ? Number.POSITIVE_INFINITY : first;
          next = isKnown ? below : Math.max(next, below);
        }
        expect([...ids.keys()].toSorted((a, b) => a - b)).toEqual([...Array(end).keys()]);
      }),
    );
  });
});
