/** When a source fails, Sentinel assesses the other evidence and names the source in `degraded`. */

import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { noGeography } from "../../src/sentinel/network/build.ts";
import { currentKey } from "../../src/sentinel/network/current-data-set.ts";
import { dataKinds } from "../../src/sentinel/network/network-facts.ts";
import { populationKeyOf } from "../../src/sentinel/population/read.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { encodeDataSet, feedOf } from "./network/support.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const listed = { ip: "185.220.101.7", ua: "curl/8.9" };
let start = Date.now();
let user: User;

const feeds = [
  feedOf("vpn", "185.220.101.0/24"),
  feedOf("tor", "185.220.101.7"),
  feedOf("threat", "185.220.101.7 3"),
];

type Fault = (key: string) => Promise<ArrayBuffer | string | null> | undefined;

/** Replaces the KV reads that the fault answers; other reads reach KV. */
function breakKv(fault: Fault): void {
  const kv = Object.getPrototypeOf(env.IP_REPUTATION);
  const get = kv.get;
  vi.spyOn(kv, "get").mockImplementation(function (this: unknown, ...args: unknown[]) {
    return fault(String(args[0])) ?? get.apply(this, args);
  });
}

const hangForever = () => new Promise<never>(() => {});
const fail = () => Promise.reject(new Error("KV injected"));

async function discover(): Promise<Answer["body"]> {
  return (await user.discover(listed)).body;
}

function signalsOf({ reasons }: Answer["body"]): string[] {
  return reasons.map(({ signal }: { signal: string }) => signal).toSorted();
}

beforeAll(async () => {
  user = await User.provision(await Tenant.create("live"));
});

/** Moves the clock past every cache and stores sound lists again. */
async function startNewDay(builtAt?: number): Promise<void> {
  start += 2 * day;
  vi.useFakeTimers({ toFake: ["Date"], now: start });
  // Another user, of whom nothing is known: a day later an allowed session counts.
  user = await User.provision(user.tenant);
  for (const [key, value] of encodeDataSet(feeds, builtAt ?? start)) {
    await env.IP_REPUTATION.put(key, value);
  }
  await env.IP_REPUTATION.delete(populationKeyOf(user.tenant.id));
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const isCurrent = (key: string) => key === currentKey;
const isShard = (key: string) => key.startsWith("net/v2/4/");

const shardKinds = dataKinds.filter((kind) => !["tor", "scanner", "threat"].includes(kind));

describe("Discover", () => {
  it("reports every signal when all sources answer", async () => {
    await startNewDay();
    const body = await discover();
    expect(body.degraded).toEqual([]);
    expect(signalsOf(body)).toEqual(["agent_scripted", "threat_list", "tor_exit", "vpn"]);
  });

  it.each<[string, Fault, string[]]>([
    ["the data set fails", (key) => (isCurrent(key) ? fail() : undefined), []],
    ["the data set hangs", (key) => (isCurrent(key) ? hangForever() : undefined), []],
    ["the data set is missing", (key) => (isCurrent(key) ? Promise.resolve(null) : undefined), []],
    [
      "the data set is damaged",
      (key) => (isCurrent(key) ? Promise.resolve(new ArrayBuffer(7)) : undefined),
      [],
    ],
    ["the shard fails", (key) => (isShard(key) ? fail() : undefined), ["threat_list", "tor_exit"]],
    [
      "the shard hangs",
      (key) => (isShard(key) ? hangForever() : undefined),
      ["threat_list", "tor_exit"],
    ],
    [
      "the shard is missing",
      (key) => (isShard(key) ? Promise.resolve(null) : undefined),
      ["threat_list", "tor_exit"],
    ],
    [
      "the shard is damaged",
      (key) => (isShard(key) ? Promise.resolve(new ArrayBuffer(99)) : undefined),
      ["threat_list", "tor_exit"],
    ],
  ])(
    "names the kinds of data when %s, and scores the other evidence",
    async (_what, fault, remaining) => {
      await startNewDay();
      breakKv(fault);
      const body = await discover();
      expect(body.degraded).toEqual(remaining.length === 0 ? dataKinds : shardKinds);
      expect(signalsOf(body)).toEqual(["agent_scripted", ...remaining].toSorted());
    },
  );

  it("ignores lists that are too old, and names the kinds of data", async () => {
    await startNewDay(start + 2 * day - 15 * day);
    const recent = await discover();
    expect(recent.degraded).toEqual(["tor", "scanner", "threat"]);
    expect(signalsOf(recent)).toEqual(["agent_scripted", "vpn"]);
    await startNewDay(start + 2 * day - 91 * day);
    expect(signalsOf(await discover())).toEqual(["agent_scripted"]);
  });

  it("names every other kind of data when one list is imported", async () => {
    await startNewDay();
    const only = encodeDataSet([feedOf("tor", listed.ip)], start, noGeography, { tor: start });
    for (const [key, value] of only) await env.IP_REPUTATION.put(key, value);
    const body = await discover();
    expect(body.degraded).toEqual(dataKinds.filter((kind) => kind !== "tor"));
    expect(signalsOf(body)).toEqual(["agent_scripted", "tor_exit"]);
  });

  it("reports population as degraded when the population cannot be read", async () => {
    await startNewDay();
    await env.IP_REPUTATION.put(populationKeyOf(user.tenant.id), "{");
    // The first assessment of an isolate reads the data set instead.
    expect((await discover()).degraded).toEqual([]);
    expect((await discover()).degraded).toEqual(["population"]);
  });

  it.each([
    ["throws", () => Promise.reject(new Error("injected"))],
    ["hangs", hangForever],
  ])("reports address_activity as degraded when the prefix watch %s", async (_how, count) => {
    await startNewDay();
    vi.spyOn(env.PREFIXES, "get").mockReturnValue(
      new Proxy(env.PREFIXES.get(env.PREFIXES.idFromName("broken")), { get: () => count }),
    );
    const body = await discover();
    expect(body.degraded).toEqual(["address_activity"]);
    expect(signalsOf(body)).toContain("tor_exit");
  });

  it("answers when all sources fail at once", async () => {
    await startNewDay();
    await discover();
    vi.setSystemTime(start + 20 * minute);
    breakKv(fail);
    vi.spyOn(env.PREFIXES, "get").mockImplementation(() => {
      throw new Error("injected");
    });
    const { status, body } = await user.discover(listed);
    expect(status).toBe(403);
    // The data set that the isolate has cached still counts.
    expect(body.degraded).toEqual([...shardKinds, "population", "address_activity"]);
    expect(signalsOf(body)).toEqual(["agent_scripted", "threat_list", "tor_exit"]);
  });
});
