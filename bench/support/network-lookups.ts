/** Compares lookups by the service's code in local KV with the contents of the sources. */
import { isDeepStrictEqual } from "node:util";
import { type Address, parseAddress } from "../../src/sentinel/network/address.ts";
import { lookupNetwork, type NetworkStore } from "../../src/sentinel/network/lookup.ts";
import { quantile } from "./figures.ts";
import type { NetworkFigures } from "./network-report.ts";
import type { Scanned } from "./network-scan.ts";

const differencesShown = 10;

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

/** Caches each value, so that later lookups do not measure KV. */
export function cacheStore(store: NetworkStore) {
  const values = new Map<string, ArrayBuffer | null>();
  const cached: NetworkStore = {
    async get(key, options) {
      const known = values.get(key);
      if (known !== undefined) return known;
      const value = await store.get(key, options);
      values.set(key, value);
      return value;
    },
  };
  return { store: cached, values };
}

const nothing: Scanned = { kinds: [], threatGrade: 0, asn: undefined, country: undefined };

/** Looks up every address, and reports differences. A degraded answer is a difference. */
export async function compareLookups(
  store: NetworkStore,
  texts: readonly string[],
  expected: readonly Scanned[],
  now: number,
  report: (text: string) => void,
): Promise<NetworkFigures["checked"]> {
  const counts = { addresses: texts.length, known: 0, listed: 0, differences: 0 };
  for (const [index, text] of texts.entries()) {
    const { facts, reason } = await lookupNetwork(store, addressOf(text), now);
    if (facts !== undefined) counts.known += 1;
    if (facts !== undefined && facts.kinds.length > 0) counts.listed += 1;
    const scanned = expected[index];
    if (reason === undefined && isDeepStrictEqual(facts ?? nothing, scanned)) continue;
    counts.differences += 1;
    if (counts.differences > differencesShown) continue;
    report(`${text}: ${JSON.stringify({ found: facts, reason, expected: scanned })}`);
  }
  return counts;
}

async function measureTimes(
  store: NetworkStore,
  addresses: readonly Address[],
  now: number,
): Promise<number[]> {
  const times: number[] = [];
  for (const address of addresses) {
    const startedAt = performance.now();
    await lookupNetwork(store, address, now);
    times.push((performance.now() - startedAt) * 1000);
  }
  return times.toSorted((a, b) => a - b);
}

/** Measures lookups with cached values, in microseconds. */
export async function timeLookups(
  { store, values }: ReturnType<typeof cacheStore>,
  texts: readonly string[],
  now: number,
): Promise<NetworkFigures["lookup"]> {
  const addresses = texts.map(addressOf);
  await measureTimes(store, addresses, now);
  const times = await measureTimes(store, addresses, now);
  const sizes = [...values].filter(([key]) => /\/[46]\//.test(key));
  const [key = ""] =
    sizes.toSorted(([, a], [, b]) => (b?.byteLength ?? 0) - (a?.byteLength ?? 0))[0] ?? [];
  const inLargest = await measureTimes(
    store,
    addresses.filter((address) => isIn(key, address)),
    now,
  );
  return {
    median: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    largest: quantile(inLargest, 0.5),
  };
}

/** Whether a key such as `net/v2/6/2a0b1/…` belongs to the shard of an address. */
function isIn(key: string, { family, value }: Address): boolean {
  const [, , keyFamily, number = ""] = key.split("/");
  const shift = family === 4 ? 20n : 108n;
  return keyFamily === String(family) && value >> shift === BigInt(`0x${number}`);
}
