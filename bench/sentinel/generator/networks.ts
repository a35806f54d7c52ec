/** The networks that people log in from (pure): their addresses and countries. */
import type { Random } from "../random.ts";
import { ipv6BlockTextOf, ipv6PoolSize, ipv6SiteBlockSize, ipv6TextOf, isIpv6 } from "./ipv6.ts";

/** First address and number of addresses. */
export type AddressRange = readonly [start: number, size: number];

/** The addresses of one network in one country. */
export interface Provider {
  readonly asn: number;
  readonly country: string;
  readonly addresses: number;
  /** The largest ranges first. */
  readonly ranges: readonly AddressRange[];
}

export interface NetworkTable {
  /** The origin of the table, with its version. */
  readonly source: string;
  readonly providers: readonly Provider[];
  /** Networks of data centres. Nobody lives there; a phishing relay may run there. */
  readonly hosters: readonly Provider[];
}

interface OwnedRange {
  readonly start: number;
  readonly end: number;
}
export interface AsnRange extends OwnedRange {
  readonly asn: number;
  readonly name: string;
}
export interface CountryRange extends OwnedRange {
  readonly country: string;
}

/** A network with fewer addresses than a /20 in a country serves no homes there. */
const minAddresses = 4096;
const maxProvidersPerCountry = 300;
const maxRanges = 48;

/**
 * Data centres, states and companies have many addresses that people do not log in from. Users and attackers
 * are both drawn from the other networks, so the kind of a network reveals nothing.
 */
const nonResidentialNames =
  /\b(hosting|hosted|cloud\w*|servers?|data ?cent(er|re)s?|vps|dedicated|colo\w*|cdn|amazon|google|microsoft|akamai|oracle|apple|facebook|ovh|hetzner|digitalocean|linode|leaseweb|m247|choopa|vultr|dod|dnic|department|ministry|army|navy|military|usaisc|headquarters|bank|ford|daimler|siemens|ibm|hp|hewlett|merck|eli lilly|prudential|bloomberg|halliburton|research|institute)\b/i;

const hosterNames =
  /\b(hosting|hosted|cloud\w*|vps|dedicated|colo\w*|amazon|ovh|hetzner|digitalocean|linode|leaseweb|m247|choopa|vultr)\b/i;

export function isResidential(name: string): boolean {
  return !nonResidentialNames.test(name);
}

export function isHoster(name: string): boolean {
  return hosterNames.test(name);
}

/**
 * Both lists must be sorted by address and must not overlap.
 * @param isWanted whether networks with this name are collected
 */
export function collectProviders(
  asns: readonly AsnRange[],
  countries: readonly CountryRange[],
  isWanted: (name: string) => boolean = isResidential,
): Provider[] {
  const found = new Map<string, { asn: number; country: string; ranges: AddressRange[] }>();
  let current = 0;
  for (const { start, end, asn, name } of asns) {
    if (!isWanted(name)) continue;
    while ((countries[current]?.end ?? Number.POSITIVE_INFINITY) < start) current += 1;
    for (let next = current; ; next += 1) {
      const there = countries[next];
      if (there === undefined || there.start > end) break;
      const from = Math.max(start, there.start);
      const size = Math.min(end, there.end) - from + 1;
      const key = `${asn}/${there.country}`;
      const provider = found.get(key) ?? { asn, country: there.country, ranges: [] };
      provider.ranges.push([from, size]);
      found.set(key, provider);
    }
  }
  return selectLargest([...found.values()].map(measureProvider));
}

function measureProvider(provider: Pick<Provider, "asn" | "country" | "ranges">): Provider {
  const bySize = provider.ranges.toSorted((left, right) => right[1] - left[1]);
  const addresses = bySize.reduce((sum, [, size]) => sum + size, 0);
  return { ...provider, addresses, ranges: bySize.slice(0, maxRanges) };
}

function selectLargest(providers: readonly Provider[]): Provider[] {
  const counts = new Map<string, number>();
  return providers
    .filter(({ addresses }) => addresses >= minAddresses)
    .toSorted((left, right) => right.addresses - left.addresses)
    .filter(({ country }) => {
      const count = counts.get(country) ?? 0;
      counts.set(country, count + 1);
      return count < maxProvidersPerCountry;
    });
}

/** Draws any address of the provider. */
export function drawAddress({ ranges }: Provider, random: Random): number {
  const all = ranges.reduce((sum, [, size]) => sum + size, 0);
  let left = random.below(all);
  for (const [start, size] of ranges) {
    if (left < size) return start + left;
    left -= size;
  }
  return ranges[0]?.[0] ?? 0;
}

/**
 * The block of at most `size` addresses of the provider that contains the address. For IPv6 a /24 stands for the /48
 * and a larger block for the /40.
 */
export function neighbourhoodOf(provider: Provider, address: number, size: number): AddressRange {
  if (isIpv6(address)) {
    const block = size > prefixSize ? ipv6PoolSize : ipv6SiteBlockSize;
    return [address - (address % block), block];
  }
  const range = provider.ranges.find(
    ([start, length]) => start <= address && address < start + length,
  );
  const [start, length] = range ?? [address, 1];
  const from = Math.max(start, address - (address % size));
  return [from, Math.min(start + length, from + size - (from % size)) - from];
}

export const prefixSize = 256;
const poolSize = 4096;

/** The first address of the /24 or, for IPv6, of the /48. */
export function prefixOf(address: number): number {
  return address - (address % (isIpv6(address) ? ipv6SiteBlockSize : prefixSize));
}

export function textOf(address: number): string {
  if (isIpv6(address)) return ipv6TextOf(address);
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

/** The /20 or /40 as text. */
export function poolTextOf(address: number): string {
  if (isIpv6(address)) return `${ipv6BlockTextOf(address - (address % ipv6PoolSize))}::/40`;
  return `${textOf(address - (address % poolSize))}/20`;
}

/** The /24 or /48 as text. */
export function prefixTextOf(address: number): string {
  return isIpv6(address) ? `${ipv6BlockTextOf(address)}::/48` : `${textOf(prefixOf(address))}/24`;
}
