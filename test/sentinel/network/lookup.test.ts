import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import { manifestKey } from "../../../src/sentinel/network/manifest.ts";
import { address, feed, imported, NOW, WatchedStore } from "./support.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const SHARD_KEY = "net/v1/4/0b0";
const FEEDS = [feed("vpn", "11.0.0.0/24"), feed("tor", "2a00:1::/32")];
const LISTED = address("11.0.0.7");
const UNLISTED = address("11.0.1.7");
const ELSEWHERE = address("99.0.0.1");
const VPN = {
  facts: { kinds: ["vpn"], threatGrade: 0, asn: undefined, country: undefined },
  degraded: false,
};
const NOTHING = { facts: undefined, degraded: false };

function degraded(reason: string) {
  return { facts: undefined, degraded: true, reason };
}

function never(): Promise<ArrayBuffer | null> {
  return new Promise(() => {});
}

describe("a lookup in the real KV", () => {
  // An isolate remembers a manifest for a minute; each test lives in an hour of its own.
  let hour = 0;

  async function empty(): Promise<number> {
    const { keys } = await env.IP_REPUTATION.list();
    for (const { name } of keys) await env.IP_REPUTATION.delete(name);
    hour += 1;
    return NOW + hour * 60 * 60 * 1_000;
  }

  async function importAll(): Promise<number> {
    const now = await empty();
    for (const [key, value] of imported(FEEDS, now)) await env.IP_REPUTATION.put(key, value);
    return now;
  }

  it("is degraded while nothing was ever imported", async () => {
    const now = await empty();
    expect(await lookupNetwork(env.IP_REPUTATION, LISTED, now)).toEqual(degraded("missing"));
  });

  it("gives the facts of a listed address", async () => {
    const now = await importAll();
    expect(await lookupNetwork(env.IP_REPUTATION, LISTED, now)).toEqual(VPN);
    const relay = await lookupNetwork(env.IP_REPUTATION, address("2a00:1:2:3::4"), now);
    expect(relay.facts?.kinds).toEqual(["tor"]);
  });

  it("knows nothing of an address that no list names, and is not degraded", async () => {
    const now = await importAll();
    expect(await lookupNetwork(env.IP_REPUTATION, UNLISTED, now)).toEqual(NOTHING);
    expect(await lookupNetwork(env.IP_REPUTATION, ELSEWHERE, now)).toEqual(NOTHING);
  });

  it("is degraded when a shard that the manifest names is gone", async () => {
    const now = await importAll();
    await env.IP_REPUTATION.delete(SHARD_KEY);
    expect(await lookupNetwork(env.IP_REPUTATION, LISTED, now)).toEqual(degraded("missing"));
    expect(await lookupNetwork(env.IP_REPUTATION, ELSEWHERE, now)).toEqual(NOTHING);
  });

  it("is degraded when the shard is damaged", async () => {
    const now = await importAll();
    const value = await env.IP_REPUTATION.get(SHARD_KEY, "arrayBuffer");
    await env.IP_REPUTATION.put(SHARD_KEY, new Uint8Array(value ?? []).subarray(0, 30));
    expect(await lookupNetwork(env.IP_REPUTATION, LISTED, now)).toEqual(degraded("corrupt"));
  });

  it("is degraded when the manifest is damaged", async () => {
    const now = await importAll();
    await env.IP_REPUTATION.put(manifestKey, "{");
    expect(await lookupNetwork(env.IP_REPUTATION, LISTED, now)).toEqual(degraded("corrupt"));
  });
});

describe("the age of the data", () => {
  it("makes a lookup degraded after 30 days, and not before", async () => {
    const values = imported(FEEDS, NOW);
    const fresh = await lookupNetwork(new WatchedStore(values), LISTED, NOW + 30 * DAY_MS);
    const stale = await lookupNetwork(new WatchedStore(values), LISTED, NOW + 30 * DAY_MS + 1);
    expect(fresh).toEqual(VPN);
    expect(stale).toEqual(degraded("stale"));
  });

  it("also counts for addresses that no shard covers", async () => {
    const store = new WatchedStore(imported(FEEDS, NOW));
    const stale = await lookupNetwork(store, ELSEWHERE, NOW + 31 * DAY_MS);
    expect(stale).toEqual(degraded("stale"));
  });
});

describe("the reads of a lookup", () => {
  it("are two at first and one while the manifest is remembered", async () => {
    const store = new WatchedStore(imported(FEEDS, NOW));
    await lookupNetwork(store, LISTED, NOW);
    expect(store.reads.toSorted()).toEqual([SHARD_KEY, manifestKey].toSorted());
    await lookupNetwork(store, LISTED, NOW + 59_999);
    expect(store.reads.slice(2)).toEqual([SHARD_KEY]);
    await lookupNetwork(store, LISTED, NOW + 60_000);
    expect(store.reads.length).toBe(5);
  });

  it("are none where the remembered manifest names no shard", async () => {
    const store = new WatchedStore(imported(FEEDS, NOW));
    await lookupNetwork(store, LISTED, NOW);
    expect(await lookupNetwork(store, ELSEWHERE, NOW)).toEqual(NOTHING);
    expect(store.reads.length).toBe(2);
  });

  it("are none for a reserved address", async () => {
    const store = new WatchedStore(new Map());
    expect(await lookupNetwork(store, address("10.0.0.1"), NOW)).toEqual(NOTHING);
    expect(store.reads).toEqual([]);
  });

  it("happen at the same time", async () => {
    const values = imported(FEEDS, NOW);
    // Nobody is answered until both have asked: one after the other would end in a timeout.
    const gate = Promise.withResolvers<void>();
    const store: WatchedStore = new WatchedStore(values, async (key) => {
      if (store.reads.length === 2) gate.resolve();
      await gate.promise;
      return new Uint8Array(values.get(key) ?? []).buffer;
    });
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(VPN);
  });

  it("ask KV to keep values for at least the 30 seconds it allows", async () => {
    const store = new WatchedStore(imported(FEEDS, NOW));
    await lookupNetwork(store, LISTED, NOW);
    expect(Math.min(...store.cacheTtls)).toBeGreaterThanOrEqual(30);
  });

  it("do not trust a manifest remembered from the future", async () => {
    const store = new WatchedStore(imported(FEEDS, NOW));
    await lookupNetwork(store, LISTED, NOW + 1_000);
    await lookupNetwork(store, LISTED, NOW);
    expect(store.reads.length).toBe(4);
  });

  it("never mix up two namespaces", async () => {
    const full = new WatchedStore(imported(FEEDS, NOW));
    const empty = new WatchedStore(new Map());
    expect(await lookupNetwork(full, LISTED, NOW)).toEqual(VPN);
    expect(await lookupNetwork(empty, LISTED, NOW)).toEqual(degraded("missing"));
    expect(await lookupNetwork(full, LISTED, NOW)).toEqual(VPN);
  });

  it("ask for the manifest again after a shard was gone", async () => {
    const values = imported(FEEDS, NOW);
    const store = new WatchedStore(values);
    await lookupNetwork(store, LISTED, NOW);
    values.clear();
    for (const [key, value] of imported([feed("vpn", "12.0.0.0/24")], NOW)) values.set(key, value);
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(degraded("missing"));
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(NOTHING);
  });
});

describe("a KV that fails", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ["rejects", () => Promise.reject(new Error("KV is down"))],
    [
      "throws",
      () => {
        throw new Error("KV is down");
      },
    ],
  ])("makes the lookup degraded when it %s", async (_, fault) => {
    const values = imported(FEEDS, NOW);
    for (const broken of [SHARD_KEY, manifestKey]) {
      const store = new WatchedStore(values, (key) => (key === broken ? fault() : undefined));
      expect(await lookupNetwork(store, LISTED, NOW)).toEqual(degraded("failed"));
    }
  });

  it.each([SHARD_KEY, manifestKey])("makes the lookup degraded when %s hangs", async (hanging) => {
    vi.useFakeTimers();
    const store = new WatchedStore(imported(FEEDS, NOW), (key) =>
      key === hanging ? never() : undefined,
    );
    const pending = lookupNetwork(store, LISTED, NOW);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await pending).toEqual(degraded("timeout"));
  });

  it("leaves no timer behind when it does not hang", async () => {
    vi.useFakeTimers();
    await lookupNetwork(new WatchedStore(imported(FEEDS, NOW)), LISTED, NOW);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not matter where the manifest says that nothing is known", async () => {
    const store = new WatchedStore(imported(FEEDS, NOW), (key) =>
      key === manifestKey ? undefined : Promise.reject(new Error("KV is down")),
    );
    expect(await lookupNetwork(store, ELSEWHERE, NOW)).toEqual(NOTHING);
  });

  it("is asked again by the next request", async () => {
    let down = true;
    const store = new WatchedStore(imported(FEEDS, NOW), () =>
      down ? Promise.reject(new Error("KV is down")) : undefined,
    );
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(degraded("failed"));
    down = false;
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(VPN);
  });
});
