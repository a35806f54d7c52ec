/**
 * IPv4 addresses inside of IPv6 addresses (pure). A transition mechanism gives an IPv4 host a second spelling, and a
 * session must not escape lists, history and counters by it. IPv4-mapped addresses are not here: `parseAddress` reads
 * them as IPv4, because no packet on the internet has one.
 *
 * The mechanisms of which the prefix is public are read: 6to4, Teredo, NAT64 with the well-known or the local-use
 * prefix, and the older IPv4-translated and IPv4-compatible addresses. An operator's own NAT64 prefix looks like any
 * other network, and cannot be read.
 */
import {
  type Address,
  addressBits,
  contains,
  formatAddress,
  type Network,
  parseAddress,
  parseNetwork,
} from "./address.ts";

interface Embedding {
  /** The prefix of the mechanism, and its length in bits. */
  readonly value: bigint;
  readonly length: number;
  /** Where the 32 bits of the IPv4 address begin, counted from the left. */
  readonly ipv4At: number;
  /** Teredo stores the complement, so that no translator on the way changes it. */
  readonly isInverted?: boolean;
}

const ipv4Mask = 0xffff_ffffn;

const embeddings: readonly Embedding[] = [
  // 6to4 (RFC 3056): the address of the site's router.
  { value: 0x2002n << 112n, length: 16, ipv4At: 16 },
  // Teredo (RFC 4380): the address of the client, or of the translator that it is behind.
  { value: 0x2001_0000n << 96n, length: 32, ipv4At: 96, isInverted: true },
  // NAT64 with the well-known prefix (RFC 6052).
  { value: 0x64_ff9bn << 96n, length: 96, ipv4At: 96 },
  // IPv4-translated (RFC 2765) and IPv4-compatible (RFC 4291): deprecated, but still in use as a spelling.
  { value: 0xffff_0000n << 32n, length: 96, ipv4At: 96 },
  { value: 0n, length: 96, ipv4At: 96 },
];

/** The prefix for local NAT64 (RFC 8215), 64:ff9b:1::/48. A network divides it as it likes. */
const localUse = { value: 0x64_ff9b_0001n << 80n, length: 48 };
/** `::` and `::1` are themselves: they are not IPv4-compatible addresses of 0.0.0.0/8, which no host has. */
const firstCompatible = 1n << 24n;
/** A wider network is meant as a network of tunnels: 2002::/16 does not mean all IPv4 addresses. */
const minIpv4PrefixBits = 8;

function isWithin(value: bigint, prefix: Pick<Embedding, "value" | "length">): boolean {
  return (value ^ prefix.value) >> BigInt(128 - prefix.length) === 0n;
}

/**
 * The IPv4 address behind the local-use prefix. RFC 6052 §2.2 places it by the length of the operator's prefix, which
 * is not known, around eight zero bits (64 to 71); what follows it is zero. So the number of zeros shows the length,
 * unless the IPv4 address itself ends in zeros.
 */
function readLocalUse(value: bigint): bigint {
  const endsInZeros = (bits: bigint) => (value & ((1n << bits) - 1n)) === 0n;
  const read = (bitsBefore: bigint, bitsAfter: bigint) => {
    const before = (value >> 64n) & ((1n << bitsBefore) - 1n);
    const after = (value >> (56n - bitsAfter)) & ((1n << bitsAfter) - 1n);
    return (before << bitsAfter) | after;
  };
  if (endsInZeros(40n)) return read(16n, 16n);
  if (endsInZeros(32n)) return read(8n, 24n);
  return endsInZeros(24n) ? read(0n, 32n) : value & ipv4Mask;
}

function findEmbedding(value: bigint): Embedding | undefined {
  if (value < firstCompatible) return undefined;
  return embeddings.find((one) => isWithin(value, one));
}

function readEmbedded(value: bigint, { ipv4At, isInverted = false }: Embedding): bigint {
  const found = (value >> BigInt(96 - ipv4At)) & ipv4Mask;
  return isInverted ? found ^ ipv4Mask : found;
}

/**
 * The IPv4 address that is embedded in an IPv6 address, with that address as `embeddedIn`; any other address stays as
 * it is.
 */
export function decodeEmbeddedIpv4(address: Address): Address {
  const { family, value } = address;
  if (family === 4) return address;
  const embedding = findEmbedding(value);
  if (embedding === undefined && !isWithin(value, localUse)) return address;
  const ipv4 = embedding === undefined ? readLocalUse(value) : readEmbedded(value, embedding);
  const decoded = parseAddress(formatAddress(4, ipv4));
  return decoded === undefined ? address : { ...decoded, embeddedIn: address };
}

/**
 * The network of IPv4 addresses that are embedded in a network of IPv6 addresses, such as 203.0.113.0/24 for
 * 2002:cb00:7100::/40; any other network stays as it is, also one of all the addresses of a mechanism.
 */
export function decodeEmbeddedNetwork(network: Network): Network {
  if (network.family === 4) return network;
  const length = Number(network.text.split("/")[1]);
  if (length === addressBits(6)) {
    const address = parseAddress(formatAddress(6, network.first));
    const decoded = address && decodeEmbeddedIpv4(address);
    return (decoded?.embeddedIn && parseNetwork(decoded.text)) ?? network;
  }
  const embedding = findEmbedding(network.first);
  if (embedding === undefined || length - embedding.ipv4At < minIpv4PrefixBits) return network;
  const ipv4 = formatAddress(4, readEmbedded(network.first, embedding));
  return parseNetwork(`${ipv4}/${Math.min(32, length - embedding.ipv4At)}`) ?? network;
}

/**
 * Whether an entry of a deny list contains the address, in either of its spellings. So an entry for all addresses of a
 * mechanism, such as 2002::/16, keeps its effect.
 */
export function containsAnySpelling(network: Network, address: Address): boolean {
  const { embeddedIn } = address;
  return contains(network, address) || (embeddedIn !== undefined && contains(network, embeddedIn));
}
