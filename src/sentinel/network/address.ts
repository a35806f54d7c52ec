/**
 * IP addresses and networks: strict parsing, one canonical spelling, and plain numbers to compare.
 *
 * Two spellings of one address must not count as two addresses, and a spelling that programs read differently
 * (octal, short forms, zone ids) must not be accepted. So this accepts less than ipaddr.js, which it uses.
 */
import ipaddr from "ipaddr.js";
import { ipv4Pattern, ipv6Pattern } from "./address-patterns.ts";

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  /** Dotted decimal, or RFC 5952 for IPv6. */
  readonly text: string;
  /** The address as an unsigned number of 32 (IPv4) or 128 (IPv6) bits. */
  readonly value: bigint;
  /** The special range, as ipaddr.js names it ("private", "loopback", …), or "unicast". */
  readonly range: string;
  /** The IPv6 address that the IPv4 address was embedded in (embedded-ipv4.ts). */
  readonly embeddedIn?: Address;
}

export interface Network {
  readonly family: Family;
  readonly first: bigint;
  /** Inclusive. */
  readonly last: bigint;
  /** `address/prefix length`, host bits cleared; a single address ends in /32 or /128. */
  readonly text: string;
}

/** Bytes of `::ffff:0:0/96` before the IPv4 address (RFC 4291 §2.5.5.2). */
const mappedPrefixBytes = 12;
const mappedPrefixBits = 96;
/** 2000::/3, the only IPv6 space that IANA allocates (IANA IPv6 address space registry). */
const globalUnicastTopBits = 1n;

/** Number of bits in an address of the family. */
export function addressBits(family: Family): number {
  return family === 4 ? 32 : 128;
}

/**
 * Parses one address; undefined for any other text. IPv4 has four decimal parts without leading zeros, IPv6
 * has no zone id. An IPv4-mapped IPv6 address becomes IPv4.
 */
export function parseAddress(text: string): Address | undefined {
  const parsed = readBytes(text);
  if (parsed === undefined) return undefined;
  const { bytes } = unmapIpv4(parsed);
  const value = numberOf(bytes);
  if (bytes.length === 4) {
    const address = new ipaddr.IPv4(bytes);
    return { family: 4, text: address.toString(), value, range: address.range() };
  }
  const address = new ipaddr.IPv6(bytes);
  const named: string = address.range();
  const unassigned = named === "unicast" && value >> 125n !== globalUnicastTopBits;
  return {
    family: 6,
    text: address.toRFC5952String(),
    value,
    range: unassigned ? "reserved" : named,
  };
}

/** Whether the address cannot belong to a client on the public internet. */
export function isReserved(address: Address): boolean {
  return address.range !== "unicast";
}

/**
 * Parses an address or a CIDR network; undefined for any other text. Host bits are cleared. An IPv4-mapped
 * network becomes IPv4, unless its prefix is shorter than /96: it would contain addresses that are not
 * mapped.
 */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf("/");
  const parsed = readBytes(slash < 0 ? text : text.slice(0, slash));
  if (parsed === undefined) return undefined;
  const { bytes, mapped } = unmapIpv4(parsed);
  const family: Family = bytes.length === 4 ? 4 : 6;
  const bits = addressBits(family);
  let prefix = bits;
  if (slash >= 0) {
    const digits = text.slice(slash + 1);
    if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
    prefix = Number(digits) - (mapped ? mappedPrefixBits : 0);
    if (prefix < 0 || prefix > bits) return undefined;
  }
  const hostBits = BigInt(bits - prefix);
  const first = (numberOf(bytes) >> hostBits) << hostBits;
  const last = first | ((1n << hostBits) - 1n);
  return { family, first, last, text: `${formatAddress(family, first)}/${prefix}` };
}

/** Whether the network contains the address. An IPv4 network contains no IPv6 address. */
export function contains(network: Network, address: Address): boolean {
  return (
    network.family === address.family &&
    network.first <= address.value &&
    address.value <= network.last
  );
}

/** The canonical spelling of an address that is given as a number. */
export function formatAddress(family: Family, value: bigint): string {
  const bytes: number[] = [];
  for (let shift = addressBits(family) - 8; shift >= 0; shift -= 8) {
    bytes.push(Number((value >> BigInt(shift)) & 0xffn));
  }
  return family === 4
    ? new ipaddr.IPv4(bytes).toString()
    : new ipaddr.IPv6(bytes).toRFC5952String();
}

/** The 4 or 16 bytes of an address, or undefined. */
function readBytes(text: string): number[] | undefined {
  if (ipv4Pattern.test(text)) return ipaddr.IPv4.parse(text).toByteArray();
  if (!ipv6Pattern.test(text)) return undefined;
  return ipaddr.IPv6.parse(rewriteDottedTail(text)).toByteArray();
}

/**
 * Rewrites `…:1.2.3.4` as `…:102:304`. ipaddr.js would read `::1.2.3.4` as IPv4-mapped, but not `::102:304`,
 * which is the same address.
 */
function rewriteDottedTail(text: string): string {
  if (!text.includes(".")) return text;
  const tailAt = text.lastIndexOf(":") + 1;
  const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(text.slice(tailAt)).octets;
  const groups = [a * 256 + b, c * 256 + d].map((group) => group.toString(16));
  return `${text.slice(0, tailAt)}${groups.join(":")}`;
}

function unmapIpv4(bytes: number[]): { bytes: number[]; mapped: boolean } {
  const mapped =
    bytes.length === 16 &&
    bytes.every((byte, index) => index >= 12 || byte === (index < 10 ? 0 : 0xff));
  return { bytes: mapped ? bytes.slice(mappedPrefixBytes) : bytes, mapped };
}

function numberOf(bytes: readonly number[]): bigint {
  let value = 0n;
  // Four bytes at a time, to save operations on big numbers.
  for (let index = 0; index < bytes.length; index += 4) {
    let part = 0;
    for (let offset = 0; offset < 4; offset += 1) part = part * 256 + (bytes[index + offset] ?? 0);
    value = (value << 32n) | BigInt(part);
  }
  return value;
}
