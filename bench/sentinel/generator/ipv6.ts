/**
 * IPv6 addresses as plain numbers (pure), so that both families have one type. A number from 2^52 on is IPv6: 19 bits
 * of the network's number, 8 of its pool (a /40), 13 of the site (a /48 holds 256 of them, each with a /56) and 12
 * of the device. IPv4 addresses are below 2^32.
 */
import { mixBits } from "../random.ts";

const ipv6Base = 2 ** 52;
const asnCount = 2 ** 19;
/** Addresses of one site, of one /48, and of one /40. */
const siteSize = 2 ** 12;
export const ipv6SiteBlockSize = siteSize * 2 ** 8;
export const ipv6PoolSize = ipv6SiteBlockSize * 2 ** 5;
const poolCount = 2 ** 8;

export function isIpv6(address: number): boolean {
  return address >= ipv6Base;
}

/** A value from 0 to below 1 chooses each part. */
export function createIpv6(asn: number, pool: number, site: number, device: number): number {
  const network = ipv6Base + (asn % asnCount) * poolCount * ipv6PoolSize;
  const sites = ipv6PoolSize / siteSize;
  return (
    network +
    Math.floor(pool * poolCount) * ipv6PoolSize +
    Math.floor(site * sites) * siteSize +
    Math.floor(device * siteSize)
  );
}

/** The first address of the /64, which a household has as one. */
export function subscriberOf(address: number): number {
  return isIpv6(address) ? address - (address % siteSize) : address;
}

function partsOf(address: number) {
  const rest = address - ipv6Base;
  const device = rest % siteSize;
  const site = Math.floor(rest / siteSize) % (ipv6PoolSize / siteSize);
  const pool = Math.floor(rest / ipv6PoolSize) % poolCount;
  const asn = Math.floor(rest / (ipv6PoolSize * poolCount));
  return { asn, pool, site, device };
}

function hex(value: number): string {
  return value.toString(16);
}

/** The first 48 bits. The numbers of networks continue 2a00::/16, which is in use. */
export function ipv6BlockTextOf(address: number): string {
  const { asn, pool, site } = partsOf(address);
  return [0x2a00 + (asn >>> 16), asn & 0xffff, pool * 256 + (site >>> 8)].map(hex).join(":");
}

/** The address with the interface identifier that follows from all its parts. */
export function ipv6TextOf(address: number): string {
  const { asn, site, device } = partsOf(address);
  const one = mixBits(device ^ mixBits(site ^ mixBits(asn)));
  const other = mixBits(one);
  const last = [one >>> 16, one & 0xffff, other >>> 16, other & 0xffff].map((part) => part | 1);
  return [ipv6BlockTextOf(address), hex((site & 0xff) * 256), ...last.map(hex)].join(":");
}
