/** The access points that people log in from (pure). Each has an address that changes over time. */
import { mixBits, Random } from "../random.ts";
import { stableShareOf } from "./agents.ts";
import {
  type AddressRange,
  drawAddress,
  neighbourhoodOf,
  type Provider,
  prefixOf,
  prefixSize,
} from "./networks.ts";
import { networkRates } from "./rates.ts";

export interface AccessPoint {
  readonly provider: Provider;
  addressAt(at: number): number;
}

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

/** Salts that make the choices for one number independent of each other. */
const salts = { lease: 1, phase: 2, where: 3, host: 4, pool: 5 } as const;

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

/** A home: it has an address from the pool of its neighbourhood until the lease ends. */
export function createHome(provider: Provider, random: Random): AccessPoint {
  const first = drawAddress(provider, random);
  const id = random.below(2 ** 31);
  const pool = neighbourhoodOf(provider, first, networkRates.poolSize);
  const leaseMs = leaseMsOf(id);
  const phase = stableShareOf(id, salts.phase) * leaseMs;
  const { samePrefix, samePool } = networkRates.nextLease;
  return {
    provider,
    addressAt(at) {
      const lease = mixBits(id ^ mixBits(Math.floor((at + phase) / leaseMs)));
      const where = stableShareOf(lease, salts.where);
      const host = stableShareOf(lease, salts.host);
      if (where < samePrefix) return pickHost([prefixOf(first), prefixSize], host);
      if (where < samePrefix + samePool) return pickHostInPool(pool, host);
      return drawAddress(provider, new Random(`lease/${lease}`));
    },
  };
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

/** A phone in one region of a mobile network: it has any address of a few prefixes. */
export function createPhone(provider: Provider, random: Random): AccessPoint {
  const id = random.below(2 ** 31);
  const prefixes = drawSharedPrefixes(provider, networkRates.mobilePrefixes, `mobile/${id % 8}`);
  return {
    provider,
    addressAt(at) {
      const session = sessionOf(id, at);
      const index = Math.floor(stableShareOf(session, salts.pool) * prefixes.length);
      return pickHost([prefixes[index] ?? 0, prefixSize], stableShareOf(session, salts.host));
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

/** A workplace or school: one address for everyone there. */
export function createWorkplace(provider: Provider, number: number): AccessPoint {
  const name = `work/${provider.asn}/${provider.country}/${number}`;
  const address = drawAddress(provider, new Random(name));
  return { provider, addressAt: () => address };
}
