/**
 * Keyed hashes that Sentinel stores instead of addresses and agents (pure). The hash of a text differs from
 * tenant to tenant: sessions can be compared, but not read and not linked across tenants.
 */
import { joinParts, toHex } from "../crypto/bytes.ts";
import { computeHmacSha256, importHmacKey } from "../crypto/digest.ts";
import type { ClientLevel } from "./context.ts";
import { type Address, addressBits, formatAddress, type Network } from "./network/address.ts";

/** Bytes kept of a hash: the few hundred texts that are compared do not collide by chance. */
const hashBytes = 8;
/** The block that one subscriber or one small network usually has. */
export const prefixBits = { 4: 24, 6: 48 } as const;

/** The pool from which a provider usually serves a region. */
const poolBits = { 4: 20, 6: 40 } as const;

/** The bits of an IPv6 address that belong to the subscriber. The others change daily (RFC 8981). */
const subscriberBits = 64;

function networkOf({ family, value }: Pick<Address, "family" | "value">, bits: number): string {
  const hostBits = BigInt(addressBits(family) - bits);
  return `${formatAddress(family, (value >> hostBits) << hostBits)}/${bits}`;
}

/** The block around an address, which is compared when the address itself is new. */
function prefixOf(address: Pick<Address, "family" | "value">): string {
  return networkOf(address, prefixBits[address.family]);
}

/** Whether a network contains more than one such block. */
export function isWiderThanBlock({ family, first, last }: Network): boolean {
  return last - first >= 1n << BigInt(addressBits(family) - prefixBits[family]);
}

const hmacKeys = new WeakMap<Uint8Array, CryptoKey>();

async function findHmacKey(key: Uint8Array): Promise<CryptoKey> {
  const imported = hmacKeys.get(key) ?? (await importHmacKey(key));
  hmacKeys.set(key, imported);
  return imported;
}

/**
 * @param key ADDRESS_HASH_KEY
 * @param part what the text is: equal texts of different kinds have different hashes
 * @returns hex
 */
export async function hashSessionPart(
  key: Uint8Array,
  tenantId: string,
  part:
    | "address"
    | "prefix"
    | "pool"
    | "agent"
    | "list_entry"
    | "identity"
    | "assessment"
    | ClientLevel,
  text: string,
): Promise<string> {
  const hmac = await computeHmacSha256(await findHmacKey(key), joinParts(part, tenantId, text));
  return toHex(hmac.subarray(0, hashBytes));
}

/** The hashes of a session. */
export interface SessionHashes {
  /** Of the IPv4 address, or of the /64 of an IPv6 address: what is compared and counted as one address. */
  readonly address: string;
  /** Of the whole address. It finds entries of lists, and the sessions that older builds stored. */
  readonly wholeAddress: string;
  readonly prefix: string;
  readonly pool: string;
  readonly agent: string;
  /** The id may belong to no user, so the watch of the block must not get it in plain text. */
  readonly identity: string;
}

/** @param key ADDRESS_HASH_KEY */
export async function hashSession(
  key: Uint8Array,
  tenantId: string,
  session: { readonly address: Address; readonly agent: string; readonly identityId: string },
): Promise<SessionHashes> {
  const { address, agent, identityId } = session;
  const [wholeAddress, subscriber, prefix, pool, agentHash, identity] = await Promise.all([
    hashSessionPart(key, tenantId, "address", address.text),
    address.family === 4
      ? undefined
      : hashSessionPart(key, tenantId, "address", networkOf(address, subscriberBits)),
    hashSessionPart(key, tenantId, "prefix", prefixOf(address)),
    hashSessionPart(key, tenantId, "pool", networkOf(address, poolBits[address.family])),
    hashSessionPart(key, tenantId, "agent", agent),
    hashSessionPart(key, tenantId, "identity", identityId),
  ]);
  return {
    address: subscriber ?? wholeAddress,
    wholeAddress,
    prefix,
    pool,
    agent: agentHash,
    identity,
  };
}
