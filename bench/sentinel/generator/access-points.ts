/** The access points that people log in from (pure). Each has an address that changes over time. */
import { mixBits, Random, Weighted } from "../random.ts";
import { stableShareOf } from "./agents.ts";
import { createIpv6 } from "./ipv6.ts";
import {
  type AddressRange,
  drawAddress,
  neighbourhoodOf,
  type Provider,
  prefixOf,
  prefixSize,
} from "./networks.ts";
import { type Locality, networkRates } from "./rates.ts";

export interface AccessPoint {
  readonly provider: Provider;
  addressAt(at: number): number;
}

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

/** Salts that make the choices for one number independent of each other. */
const salts = {
  lease: 1,
  phase: 2,
  where: 3,
  host: 4,
  pool: 5,
  shared: 6,
  ipv6: 7,
  usesIpv6: 8,
  site: 9,
} as const;

/** Picks an address of a /24. The first and the last one are never assigned. */
function pickHost([start, size]: AddressRange, share: number): number {
  return start + 1 + Math.floor(share * Math.max(1, Math.min(size, prefixSize) - 2));
}

function pickHostInPool([start, size]: AddressRange, share: number): number {
  return pickHost([prefixOf(start + Math.floor(share * size)), prefixSize], (share * 7919) % 1);
}

/** The time for which a home keeps an address, ms. */
function leaseMsOf(id: number): number {
  let share = stableShareOf(id, salts.lease);
  for (const lease of networkRates.leases) {
    if (share < lease.share) return lease.days * dayMs;
    share -= lease.share;
  }
  return networkRates.leases[0].days * dayMs;
}

/** A range of the provider that does not hold the address, if it has one. */
function drawOtherRange(
  { ranges }: Provider,
  address: number,
  random: Random,
): AddressRange | null {
  const others = ranges.filter(([start, size]) => address < start || address >= start + size);
  if (others.length === 0) return null;
  return new Weighted(others, ([, size]) => size).draw(random);
}

/** The address of a home during one lease: near the first one, or elsewhere in the network. */
function pickLeased(
  provider: Provider,
  first: number,
  lease: number,
  { samePrefix, samePool, sameRange }: Locality["nextLease"],
): number {
  const where = stableShareOf(lease, salts.where);
  const host = stableShareOf(lease, salts.host);
  if (where < samePrefix) return pickHost([prefixOf(first), prefixSize], host);
  const near = samePrefix + samePool;
  if (where < near) {
    return pickHostInPool(neighbourhoodOf(provider, first, networkRates.poolSize), host);
  }
  const random = new Random(`lease/${lease}`);
  // Where a locality has no ranges of its own, the rest is anywhere in the network.
  if (sameRange === 0) return drawAddress(provider, random);
  const own = provider.ranges.find(([start, size]) => start <= first && first < start + size);
  const range = where < near + sameRange ? own : (drawOtherRange(provider, first, random) ?? own);
  return range === undefined ? first : pickHostInPool(range, random.next());
}

/** The IPv6 address of a device at a home whose prefix lasts as long as a lease. */
function pickIpv6(
  provider: Provider,
  id: number,
  lease: number,
  at: number,
  { samePoolIpv6, privacyDays }: Locality,
): number {
  const stays = stableShareOf(lease, salts.where) < samePoolIpv6;
  const day = Math.floor(at / (privacyDays * dayMs));
  return createIpv6(
    provider.asn,
    stableShareOf(stays ? id : lease, salts.pool),
    stableShareOf(lease, salts.site),
    stableShareOf(mixBits(id ^ mixBits(day)), salts.host),
  );
}

/** Whether the access point uses IPv6 at that time, of those that have it. */
function usesIpv6(id: number, at: number, share: number, { usesIpv6: uses }: Locality): boolean {
  if (stableShareOf(id, salts.ipv6) >= share) return false;
  return stableShareOf(sessionOf(id, at), salts.usesIpv6) < uses;
}

/** A home: it has an address from the pool of its neighbourhood until the lease ends. */
export function createHome(provider: Provider, random: Random, locality: Locality): AccessPoint {
  const first = drawAddress(provider, random);
  const id = random.below(2 ** 31);
  const leaseMs = leaseMsOf(id);
  const phase = stableShareOf(id, salts.phase) * leaseMs;
  const isShared = stableShareOf(id, salts.shared) < locality.sharedHomes;
  return {
    provider,
    addressAt(at) {
      const lease = mixBits(id ^ mixBits(Math.floor((at + phase) / leaseMs)));
      if (usesIpv6(id, at, locality.ipv6Homes, locality)) {
        return pickIpv6(provider, id, lease, at, locality);
      }
      if (isShared) return pickShared(provider, id, Math.floor(at / dayMs));
      return pickLeased(provider, first, lease, locality.nextLease);
    },
  };
}

/** An address of a carrier that many homes of a region have on the same day. */
function pickShared(provider: Provider, id: number, day: number): number {
  const { regions, sharedPrefixes, sharedAddresses } = networkRates;
  const prefixes = drawSharedPrefixes(provider, sharedPrefixes, `shared/${id % regions}`);
  const today = mixBits(id ^ mixBits(day));
  const prefix = prefixes[Math.floor(stableShareOf(today, salts.pool) * prefixes.length)] ?? 0;
  return prefix + 1 + Math.floor(stableShareOf(today, salts.host) * sharedAddresses);
}

/** Draws a few prefixes of the provider that many people share. */
function drawSharedPrefixes(provider: Provider, count: number, name: string): number[] {
  const random = new Random(`${name}/${provider.asn}/${provider.country}`);
  return Array.from({ length: count }, () => prefixOf(drawAddress(provider, random)));
}

/** A pseudo-random number that stays the same during one session of the access point. */
function sessionOf(id: number, at: number): number {
  return mixBits(id ^ mixBits(Math.floor(at / (networkRates.sessionHours * hourMs))));
}

/** A phone in one region of a mobile network: it has any address of a few prefixes, or a new /64 each time. */
export function createPhone(provider: Provider, random: Random, locality: Locality): AccessPoint {
  const id = random.below(2 ** 31);
  const region = id % networkRates.regions;
  const { mobilePrefixes, mobileAddresses } = locality;
  const prefixes = drawSharedPrefixes(provider, mobilePrefixes, `mobile/${region}`);
  return {
    provider,
    addressAt(at) {
      const session = sessionOf(id, at);
      const host = stableShareOf(session, salts.host);
      if (usesIpv6(id, at, locality.ipv6Phones, locality)) {
        const pool = stableShareOf(region, salts.pool);
        return createIpv6(provider.asn, pool, stableShareOf(session, salts.site), host);
      }
      const index = Math.floor(stableShareOf(session, salts.pool) * prefixes.length);
      return pickHost([prefixes[index] ?? 0, mobileAddresses + 2], host);
    },
  };
}

/** An exit of a VPN or a proxying browser: few addresses for many people. */
export function createExit(provider: Provider, random: Random): AccessPoint {
  const id = random.below(2 ** 31);
  const [prefix = 0] = drawSharedPrefixes(provider, 1, "exit");
  return {
    provider,
    addressAt(at) {
      const share = stableShareOf(sessionOf(id, at), salts.host);
      return prefix + 1 + Math.floor(share * networkRates.exitAddresses);
    },
  };
}

/** A workplace or school: one address for everyone there, or a few that the day and the hour choose. */
export function createWorkplace(
  provider: Provider,
  number: number,
  { workplaceAddresses }: Locality,
): AccessPoint {
  const name = `work/${provider.asn}/${provider.country}/${number}`;
  const address = drawAddress(provider, new Random(name));
  if (workplaceAddresses === 1) return { provider, addressAt: () => address };
  const near = [prefixOf(address), prefixSize] as const;
  return {
    provider,
    addressAt(at) {
      const index = Math.floor(
        stableShareOf(sessionOf(address | 0, at), salts.host) * workplaceAddresses,
      );
      return index === 0 ? address : pickHost(near, stableShareOf(address | 0, salts.pool));
    },
  };
}
