/** Ids of ours: 12 bytes as 24 lower-case hex digits. */
import { joinParts, toHex } from "./bytes.ts";
import { sha256Of } from "./digest.ts";

const idBytes = 12;
const timeBytes = 6;

/** What every id of ours looks like. */
export const idPattern = /^[0-9a-f]{24}$/;

function encodeId(now: number, rest: Uint8Array): string {
  const id = new Uint8Array(idBytes);
  new DataView(id.buffer).setBigUint64(0, BigInt(now) << 16n);
  id.set(rest.subarray(0, idBytes - timeBytes), timeBytes);
  return toHex(id);
}

/** A new id that sorts by creation: 48 bits of Unix ms, then 48 random bits. */
export function createId(now: number): string {
  return encodeId(now, crypto.getRandomValues(new Uint8Array(idBytes - timeBytes)));
}

/**
 * An id that is the same whenever it is made of the same parts. It sorts by time, then by `order`
 * (16 bits, wrapping): what happens in one millisecond stays in sequence. 32 bits of SHA-256 over the
 * parts keep apart what shares both.
 */
export function deriveId(now: number, order: number, ...parts: readonly string[]): string {
  const rest = new Uint8Array(idBytes - timeBytes);
  new DataView(rest.buffer).setUint16(0, order & 0xffff);
  rest.set(sha256Of(joinParts(...parts)).subarray(0, rest.length - 2), 2);
  return encodeId(now, rest);
}

/** The smallest id of that instant: a bound for keyset queries by time. */
export function firstIdAt(now: number): string {
  return encodeId(now, new Uint8Array(idBytes - timeBytes));
}

/**
 * The identity's id: the first 12 bytes of SHA-256 over tenant id, NUL and external_id. Derived, so
 * that both names of a person lead to the same guard without a lookup.
 */
export function identityIdOf(tenantId: string, externalId: string): string {
  return toHex(sha256Of(joinParts(tenantId, externalId)).subarray(0, idBytes));
}
