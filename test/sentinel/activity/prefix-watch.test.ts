/** The prefix watch counts the identities tried from one address block, in a real Durable Object. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { noLocation } from "../../../src/location.ts";
import { countAttempt } from "../../../src/sentinel/activity/client.ts";
import { PrefixWatch } from "../../../src/sentinel/activity/prefix-watch.ts";
import type { Crowd } from "../../../src/sentinel/evidence.ts";
import { parseAddress } from "../../../src/sentinel/network/address.ts";
import { hashSession, hashSessionPart } from "../../../src/sentinel/session-hashes.ts";
import { Tenant, User } from "../../support/client.ts";
import { countCalls } from "../../support/count-calls.ts";

const minute = 60_000;
const hashKey = new Uint8Array(32).fill(9);
const now = 1_700_000_000_000;
let watches = 0;

function createWatch() {
  watches += 1;
  return env.PREFIXES.get(env.PREFIXES.idFromName(`test:${watches}`));
}

type Watch = ReturnType<typeof createWatch>;

/** An attempt as the edge reports it: with hashes. */
async function attemptOf(name: string, address = "a", at = now) {
  const identityId = await hashSessionPart(hashKey, "test", "identity", name);
  return { address, identityId, now: at };
}

/** Counts an attempt of an identity that exists. */
async function count(
  watch: Watch,
  name: string,
  address = "a",
  at = now,
): Promise<Crowd | undefined> {
  const call = await attemptOf(name, address, at);
  const counted = await watch.count(call);
  if (counted?.mustStore) await watch.store(call);
  return counted?.crowd;
}

/** The attempts in the row, and the alarm. */
async function inspect(watch: Watch) {
  const alarm = await runInDurableObject(watch, (_object, { storage }) => storage.getAlarm());
  return { stored: await countStored(watch), alarm };
}

/** The attempts in the row. The first one is in the time of the alarm. */
async function countStored(watch: Watch): Promise<number> {
  return await runInDurableObject(watch, (_object, { storage }) => {
    const { attempts = [] } = storage.kv.get<{ attempts?: unknown[] }>("attempts") ?? {};
    return attempts.length;
  });
}

describe("The prefix watch", () => {
  it("counts distinct identities per address and per block", async () => {
    const watch = createWatch();
    expect(await count(watch, "alice")).toEqual({ fromAddress: 1, fromPrefix: 1 });
    expect(await count(watch, "alice")).toEqual({ fromAddress: 1, fromPrefix: 1 });
    expect(await count(watch, "bob", "b")).toEqual({ fromAddress: 1, fromPrefix: 2 });
    expect(await count(watch, "carol")).toEqual({ fromAddress: 2, fromPrefix: 3 });
    expect(await count(watch, "bob")).toEqual({ fromAddress: 3, fromPrefix: 3 });
  });

  it("counts the last ten minutes, and restarts them when an identity is tried again", async () => {
    const watch = createWatch();
    await count(watch, "alice");
    await count(watch, "bob", "a", now + 5 * minute);
    expect((await count(watch, "carol", "a", now + 10 * minute - 1))?.fromAddress).toBe(3);
    expect((await count(watch, "carol", "a", now + 10 * minute))?.fromAddress).toBe(2);
    await count(watch, "bob", "a", now + 14 * minute);
    expect((await count(watch, "carol", "a", now + 19 * minute))?.fromAddress).toBe(2);
  });

  it("counts every one of many concurrent attempts", async () => {
    const watch = createWatch();
    const counts = await Promise.all(
      Array.from({ length: 50 }, (_, n) => count(watch, `user-${n}`)),
    );
    const seen = counts.map((crowd) => crowd?.fromAddress ?? 0).toSorted((a, b) => a - b);
    expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
  });

  it("continues to count after an eviction", async () => {
    const watch = createWatch();
    await count(watch, "alice");
    await evictDurableObject(watch);
    expect((await count(watch, "bob"))?.fromAddress).toBe(2);
  });

  it("stops counting at a thousand identities, and continues when the window has passed", async () => {
    const watch = createWatch();
    for (let n = 0; n < 500; n += 1) {
      await watch.count(await attemptOf(`unknown-${n}`));
    }
    for (let n = 0; n < 510; n += 1) await count(watch, `user-${n}`);
    const stored = await countStored(watch);
    expect(stored).toBeGreaterThan(400);
    expect(stored).toBeLessThanOrEqual(500);
    expect((await count(watch, "late"))?.fromPrefix).toBe(1_001);
    expect((await count(watch, "later", "a", now + 10 * minute))?.fromPrefix).toBe(1);
    expect(await countStored(watch)).toBe(1);
  });

  it("still counts others after one identity was tried from a thousand addresses", async () => {
    const watch = createWatch();
    for (let n = 0; n < 1_000; n += 1) await count(watch, "decoy", `address-${n}`);
    expect(await countStored(watch)).toBe(4);
    let crowd: Crowd | undefined;
    for (let n = 0; n < 20; n += 1) crowd = await count(watch, `victim-${n}`, "attacker");
    expect(crowd).toEqual({ fromAddress: 20, fromPrefix: 21 });
  });

  it("does not grow when clocks go backwards", async () => {
    const watch = createWatch();
    for (let n = 0; n < 1_200; n += 1) await count(watch, `user-${n}`, "a", now - n);
    expect(await countStored(watch)).toBeLessThanOrEqual(1_000);
    await count(watch, "early", "a", now - 60 * minute);
    expect(await countStored(watch)).toBe(1);
  });

  it("counts an attempt in memory only, until it is stored", async () => {
    const watch = createWatch();
    const attempt = await attemptOf("unknown");
    for (let n = 0; n < 2; n += 1) {
      expect(await watch.count(attempt)).toEqual({
        crowd: { fromAddress: 1, fromPrefix: 1 },
        mustStore: true,
      });
    }
    expect(await inspect(watch)).toEqual({ stored: 0, alarm: null });
    expect((await count(watch, "alice"))?.fromAddress).toBe(2);
    expect((await inspect(watch)).alarm).not.toBeNull();
    expect(await watch.count(await attemptOf("alice"))).toMatchObject({ mustStore: false });
    await evictDurableObject(watch);
    expect((await watch.count(attempt))?.crowd.fromAddress).toBe(2);
  });

  it("stores an attempt that it counted before an eviction", async () => {
    const watch = createWatch();
    const attempt = await attemptOf("alice");
    await watch.count(attempt);
    await evictDurableObject(watch);
    await watch.store(attempt);
    expect((await inspect(watch)).alarm).not.toBeNull();
    expect((await count(watch, "bob"))?.fromAddress).toBe(2);
  });

  it("keeps stored attempts when one at another time is counted only in memory", async () => {
    const watch = createWatch();
    await count(watch, "alice");
    const later = await attemptOf("unknown", "a", now + 60 * minute);
    expect((await watch.count(later))?.crowd.fromAddress).toBe(1);
    expect((await count(watch, "bob"))?.fromAddress).toBe(2);
    expect(await countStored(watch)).toBe(2);
  });

  it("writes the alarm for the first identity, and the row when a quarter is new", async () => {
    const watch = createWatch();
    const countRows = async (names: readonly string[]) => {
      const work = async () => {
        // Taken anew, so that its calls are counted.
        const counted = env.PREFIXES.get(watch.id);
        for (const name of names) await count(counted, name);
      };
      return (await countCalls(work)).counts.objectRowsWritten;
    };
    expect(await countRows(["user-0"])).toBe(1);
    expect(await countRows(["user-0", "user-0"])).toBe(0);
    for (const next of [1, 2, 3, 4]) expect(await countRows([`user-${next}`])).toBe(1);
    expect(await countRows(["user-5"])).toBe(0);
    expect(await countRows(["user-6"])).toBe(1);
    const many = Array.from({ length: 100 }, (_, n) => `another-${n}`);
    expect(await countRows(many)).toBeLessThan(15);
  });

  it("loses at most a fifth of the identities by an eviction, whatever came before", async () => {
    const watch = createWatch();
    for (let n = 0; n < 200; n += 1) {
      await count(watch, `user-${n}`);
      if (n % 3 !== 0 && n < 180) continue;
      const before = (await count(watch, "last"))?.fromPrefix ?? 0;
      await evictDurableObject(watch);
      const after = (await count(watch, "last"))?.fromPrefix ?? 0;
      expect(after).toBeGreaterThanOrEqual(before * 0.8);
      expect(after).toBeLessThanOrEqual(before);
    }
  });

  it("recognises the first identity after an eviction, at any address", async () => {
    const watch = createWatch();
    await count(watch, "alice", "a");
    await evictDurableObject(watch);
    expect(await count(watch, "alice", "a")).toEqual({ fromAddress: 1, fromPrefix: 1 });
    const other = createWatch();
    await count(other, "alice", "a");
    await evictDurableObject(other);
    // Only the identity was stored, so it counts at every address of the block.
    expect(await count(other, "bob", "b")).toEqual({ fromAddress: 2, fromPrefix: 2 });
    await evictDurableObject(other);
    expect(await count(other, "alice", "a")).toEqual({ fromAddress: 1, fromPrefix: 2 });
  });

  it("forgets a first identity of which only the alarm is left after its ten minutes", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const watch = createWatch();
    await count(watch, "alice", "a", Date.now());
    vi.setSystemTime(Date.now() + 9 * minute);
    await evictDurableObject(watch);
    const call = async () => await watch.count(await attemptOf("bob", "a", Date.now()));
    expect((await call())?.crowd.fromPrefix).toBe(2);
    // The time of the alarm is rounded up.
    vi.setSystemTime(Date.now() + minute + 5_000);
    expect((await call())?.crowd.fromPrefix).toBe(1);
  });

  it("deletes everything ten minutes after the last attempt", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const watch = createWatch();
    await count(watch, "alice");
    const { alarm } = await inspect(watch);
    expect(alarm).toBeGreaterThanOrEqual(Date.now() + 10 * minute);
    expect(alarm).toBeLessThan(Date.now() + 10.1 * minute);
    vi.setSystemTime(Date.now() + 5 * minute);
    await count(watch, "bob");
    await evictDurableObject(watch);
    vi.setSystemTime(alarm ?? 0);
    expect(await runDurableObjectAlarm(watch)).toBe(true);
    expect(await countStored(watch)).toBe(2);
    const later = (await inspect(watch)).alarm ?? 0;
    expect(later - (alarm ?? 0)).toBeGreaterThan(4.9 * minute);
    vi.setSystemTime(later);
    expect(await runDurableObjectAlarm(watch)).toBe(true);
    expect(await inspect(watch)).toEqual({ stored: 0, alarm: null });
    expect((await count(watch, "bob"))?.fromPrefix).toBe(1);
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("The count of attempts", () => {
  const key = new Uint8Array(32).fill(7);
  const attempt = async (tenantId: string, text: string, identityId: string) => {
    const address = parseAddress(text);
    if (address === undefined) throw new Error(`Not an address: ${text}`);
    const caller = { tenantId, location: noLocation };
    const hashes = await hashSession(key, tenantId, { address, agent: "", identityId });
    const counted = await countAttempt(env, caller, hashes, now, "request");
    await counted?.store();
    return counted?.crowd;
  };

  it("counts each block and each tenant separately", async () => {
    await attempt("one", "203.0.113.7", "alice");
    expect(await attempt("one", "203.0.113.8", "bob")).toEqual({ fromAddress: 1, fromPrefix: 2 });
    expect(await attempt("one", "203.0.114.8", "bob")).toEqual({ fromAddress: 1, fromPrefix: 1 });
    expect(await attempt("two", "203.0.113.7", "carol")).toEqual({ fromAddress: 1, fromPrefix: 1 });
    await attempt("one", "2001:db8:1:2::1", "alice");
    expect(await attempt("one", "2001:db8:1:3::1", "bob")).toEqual({
      fromAddress: 1,
      fromPrefix: 2,
    });
    expect(await attempt("one", "2001:db8:2:3::1", "bob")).toEqual({
      fromAddress: 1,
      fromPrefix: 1,
    });
  });

  it("passes only hashes of address, block and identity id", async () => {
    const calls = vi.spyOn(PrefixWatch.prototype, "count");
    const names = vi.spyOn(Object.getPrototypeOf(env.PREFIXES), "idFromName");
    await attempt("hashed", "198.51.100.77", "alice");
    expect(calls).toHaveBeenCalledWith({
      address: expect.stringMatching(/^[0-9a-f]{16}$/),
      identityId: expect.stringMatching(/^[0-9a-f]{16}$/),
      now,
    });
    expect(names).toHaveBeenCalledWith(expect.stringMatching(/^hashed:[0-9a-f]{16}$/));
  });

  it.each([
    ["hangs", "count", () => new Promise<never>(() => {})],
    ["has no count", "count", () => Promise.resolve(null)],
    [
      "cannot be reached",
      "idFromName",
      () => {
        throw new Error("injected");
      },
    ],
  ] as const)("returns no count and does not throw when the watch %s", async (_, method, fault) => {
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
    const broken = method === "count" ? PrefixWatch.prototype : Object.getPrototypeOf(env.PREFIXES);
    vi.spyOn(broken, method).mockImplementation(fault);
    expect(await attempt("broken", "198.51.100.77", "alice")).toBeUndefined();
    expect(lines.join()).not.toContain("198.51.100");
  });

  it("raises the score for credential stuffing, but not for an office that a user has confirmed", async () => {
    const tenant = await Tenant.create();
    const context = { ip: "45.80.0.1", ua: "EnterpriseAgent/1.0" };
    const scores: number[] = [];
    for (let n = 0; n < 12; n += 1) {
      const user = await User.provision(tenant);
      const { body } = await user.discover(context);
      scores.push(body.risk_score);
      await user.sendFeedback(body.assessment_id, "legitimate");
    }
    expect(scores.slice(0, 4)).toEqual([0.05, 0.05, 0.05, 0.05]);
    expect(scores.at(-1)).toBeGreaterThan(0.15);
    const colleague = await User.provision(tenant);
    const { assessment_id: known } = (await colleague.discover(context)).body;
    await colleague.sendFeedback(known, "legitimate");
    expect((await colleague.discover(context)).body.risk_score).toBeLessThan(0.05);
  });
});
