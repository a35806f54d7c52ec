/**
 * The cost of an assessment, counted at the bindings: one round trip of concurrent calls, and at most
 * two reads of KV, whatever the lists contain.
 */
import { env } from "cloudflare:workers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { IdentityGuard } from "../../src/guard/identity-guard.ts";
import type { PrefixWatch } from "../../src/sentinel/activity/prefix-watch.ts";
import { currentKey } from "../../src/sentinel/network/current-data-set.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { Tenant, User } from "../support/client.ts";
import { countCalls } from "../support/count-calls.ts";
import { holdDeliveries } from "../support/held-deliveries.ts";
import { encodeDataSet, feedOf, storeNetwork } from "./network/support.ts";

const listed = "185.220.100.7";
const day = 24 * 60 * 60 * 1000;

let user: User;
let freeDeliveries: () => void = () => {};
/** Each test starts with expired caches: two days after the test before. */
let today = Date.now();

/** Calls `onGet` for every object that is requested, until the mocks are restored. */
function watchGet<T extends IdentityGuard | PrefixWatch>(
  namespace: DurableObjectNamespace<T>,
  onGet: () => void,
): void {
  const real = namespace.get.bind(namespace);
  vi.spyOn(namespace, "get").mockImplementation((id) => {
    onGet();
    return real(id);
  });
}

/** Calls that do not delay the answer. */
const background = /update "api_tokens"|PrefixWatch\.store|TenantWatch\.count/;

const someFeeds = [
  feedOf("vpn", "185.220.100.0/22"),
  feedOf("tor", "185.220.101.7"),
  feedOf("threat", "5.5.5.5 9"),
];

function encodeEverything(): Map<string, Uint8Array> {
  return encodeDataSet(someFeeds, today);
}

const states: readonly (readonly [string, () => Map<string, Uint8Array>])[] = [
  ["empty", () => new Map()],
  ["full", encodeEverything],
  [
    "corrupt",
    () =>
      new Map([...encodeEverything()].map(([key, value]) => [key, value.subarray(0, -1)] as const)),
  ],
];

beforeAll(async () => {
  freeDeliveries = await holdDeliveries();
  user = await User.provision(await Tenant.create("live"));
});

beforeEach(() => {
  today += 2 * day;
  vi.useFakeTimers({ toFake: ["Date"], now: today });
});

afterEach(() => {
  vi.useRealTimers();
});

afterAll(() => freeDeliveries());

/** Keys that an assessment reads from KV, without their digests. */
async function listKeysRead(): Promise<string[]> {
  const { calls } = await countCalls(() => user.assess({ ip: listed }), background);
  return calls
    .filter(({ kind }) => kind === "KV read")
    .map(({ what }) => what.replace("get ", "").split("/").slice(0, 3).join("/"))
    .toSorted();
}

describe.each(states)("With %s lists,", (_state, values) => {
  it("an assessment waits for one call of guard and prefix watch, two reads of KV at most, and D1 only for the token", async () => {
    await storeNetwork(values());
    for (let n = 0; n < 4; n += 1) {
      const { calls, counts } = await countCalls(() => user.assess({ ip: listed }), background);
      const objects = calls.filter(({ kind }) => kind === "object").map(({ what }) => what);
      // Only the first attempt in a minute is stored, after the answer.
      const firstCalls =
        n === 0 ? ["PrefixWatch.store", "TenantWatch.read", "TokenRegister.endOf"] : [];
      expect(objects.toSorted()).toEqual([
        "IdentityGuard.assess",
        "PrefixWatch.count",
        ...firstCalls,
      ]);
      expect(counts.roundTrips).toBe(n === 0 ? 2 : 1);
      expect(counts.d1Calls).toBe(n === 0 ? 2 : 0);
      expect(counts.kvReads).toBeLessThanOrEqual(2);
    }
  });
});

describe("With a full data set and a population,", () => {
  beforeEach(async () => {
    await storeNetwork(encodeEverything());
    await publishPopulations(env, today);
  });

  it("the first assessment reads data set and shard, the second population and shard, the third only the shard", async () => {
    const reads: string[][] = [];
    for (let n = 0; n < 3; n += 1) reads.push(await listKeysRead());
    expect(reads).toEqual([
      ["net/v2/4", currentKey],
      ["net/v2/4", `pop/v1/${user.tenant.id}`],
      ["net/v2/4"],
    ]);
  });

  it("an assessment starts all its calls before any of them has answered", async () => {
    await user.assess({ ip: listed });
    await user.assess({ ip: listed });
    const started = { guard: Promise.withResolvers<void>(), prefix: Promise.withResolvers<void>() };
    watchGet(env.GUARD, started.guard.resolve);
    watchGet(env.PREFIXES, started.prefix.resolve);
    const kv = Object.getPrototypeOf(env.IP_REPUTATION);
    const get = kv.get;
    vi.spyOn(kv, "get").mockImplementation(async function (this: unknown, ...args: unknown[]) {
      // Sequential calls would time out here, and the answer would be degraded.
      await Promise.all([started.guard.promise, started.prefix.promise]);
      return await get.apply(this, args);
    });
    const { degraded, reasons } = await user.assess({ ip: listed });
    expect(degraded).toEqual([]);
    expect(reasons.map(({ signal }: { signal: string }) => signal)).toContain("network_history");
    vi.restoreAllMocks();
  });
});
