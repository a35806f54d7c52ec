/**
 * What is kept of an address or an agent instead of it (pure): a keyed hash, another one for each
 * tenant, so that sessions can be compared but not read, and not linked between tenants.
 */
import { joinParts, toHex } from "../crypto/bytes.ts";
import { hmacSha256 } from "../crypto/digest.ts";
import { type Address, addressBits, formatAddress, type Network } from "./network/address.ts";

/** Bytes kept: enough that two of a hundred never collide by chance. */
const hashBytes = 8;
/** What one subscriber, or one small network, is given. */
export const prefixBits = { 4: 24, 6: 48 } as const;

/** The network around an address that is compared when the address itself is new. */
export function prefixOf({ family, value }: Pick<Address, "family" | "value">): string {
  const bits = prefixBits[family];
  const hostBits = BigInt(addressBits(family) - bits);
  return `${formatAddress(family, (value >> hostBits) << hostBits)}/${bits}`;
}

/** Whether a network holds more than one such block. */
export function isWiderThanBlock({ family, first, last }: Network): boolean {
  return last - first >= 1n << BigInt(addressBits(family) - prefixBits[family]);
}

/** @param part what the text is, so that equal texts of two kinds differ */
export function hashSessionPart(
  key: Uint8Array,
  tenantId: string,
  part: "address" | "prefix" | "agent" | "list_entry" | "identity",
  text: string,
): string {
  return toHex(hmacSha256(key, joinParts(part, tenantId, text)).subarray(0, hashBytes));
}
