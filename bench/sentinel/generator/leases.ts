/** Measures how far the IPv4 address of a home moves when it changes (pure), to compare it with the literature. */
import { Random, Weighted } from "../random.ts";
import { createHome } from "./access-points.ts";
import type { Provider } from "./networks.ts";
import { asDefined, type Locality, networkRates, yearDays } from "./rates.ts";

const dayMs = 24 * 60 * 60 * 1000;
const homes = 600;
/** A change is seen at this interval. */
const everyMs = 5 * dayMs;

/** Shares of all changes. */
export interface LeaseChanges {
  /** To another range of the network table, which stands for a BGP prefix. */
  readonly leavesRange: number;
  readonly staysInPool: number;
}

export function measureLeases(providers: readonly Provider[], locality: Locality): LeaseChanges {
  const onlyLeases = { ...locality, ipv6Homes: 0, sharedHomes: 0 };
  const pool = new Weighted(providers, ({ addresses }) => addresses ** asDefined.concentration);
  const random = new Random("leases");
  let [changes, left, stayed] = [0, 0, 0];
  for (let home = 0; home < homes; home += 1) {
    const provider = pool.draw(random);
    const { addressAt } = createHome(provider, random, onlyLeases);
    const rangeOf = (address: number) =>
      provider.ranges.findIndex(([start, size]) => start <= address && address < start + size);
    const poolOf = (address: number) => Math.floor(address / networkRates.poolSize);
    for (let at = everyMs; at < yearDays * dayMs; at += everyMs) {
      const [before, after] = [addressAt(at - everyMs), addressAt(at)];
      if (before === after) continue;
      changes += 1;
      if (rangeOf(before) !== rangeOf(after)) left += 1;
      if (poolOf(before) === poolOf(after)) stayed += 1;
    }
  }
  return { leavesRange: left / changes, staysInPool: stayed / changes };
}
