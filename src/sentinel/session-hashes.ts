/**
 * Keyed hashes that are stored instead of addresses and agents (pure). The hash of a text differs from
 * tenant to tenant: sessions can be compared, but not read and not linked across tenants.
 */
import { joinParts, toHex } from "../crypto/bytes.ts";
import { hmacSha256Of } from "../crypto/digest.ts";
import { type Address, addressBits, formatAddress, type Network } from "./network/address.ts";

/** Bytes kept of a hash: the few hundred texts that are compared do not collide by chance. */
const hashBytes = 8;
/** The block that one subscriber or one small network usually has. */
export const prefixBits = { 4: 24, 6: 48 } as const;

/** The block around an address, which is compared when the address itself is new. */
export function prefixOf({ family, value }: Pick<Address, "family" | "value">): string {
  const bits = prefixBits[family];
  const hostBits = BigInt(addressBits(family) - bits);
  return `${formatAddress(family, (value >> hostBits) << hostBits)}/${bits}`;
}

/** Whether a network contains more than one such block. */
export function isWiderThanBlock({ family, first, last }: Network): boolean {
  return last - first >= 1n << BigInt(addressBits(family) - prefixBits[family]);
}

/**
 * @param key ADDRESS_HASH_KEY
 * @param part what the text is: equal texts of different kinds have different hashes
 * @returns hex
 */
export function hashSessionPart(
  key: Uint8Array,
  tenantId: string,
  part: "address" | "prefix" | "agent" | "list_entry" | "identity",
  text: string,
): string {
  return toHex(hmacSha256Of(key, joinParts(part, tenantId, text)).subarray(0, hashBytes));
}
