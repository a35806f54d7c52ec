/** The service's ids: 12 bytes as 24 lower-case hex digits. */
import { joinParts, toHex } from "./bytes.ts";
import { computeSha256, sha256Of } from "./digest.ts";
import { timeBytes, timeOfId } from "./id-time.ts";

const idBytes = 12;

function encodeId(now: number, rest: Uint8Array): string {
  return now.toString(16).padStart(2 * timeBytes, "0") + toHex(rest);
}

/** Creates an id that sorts by creation: 48 bits of Unix ms, then 48 random bits. @param now Unix ms */
export function createId(now: number): string {
  return encodeId(now, crypto.getRandomValues(new Uint8Array(idBytes - timeBytes)));
}

/** Creates an id that sorts after the given one, even if that one's clock is ahead. @param now Unix ms */
export function createIdAfter(previous: string, now: number): string {
  return createId(Math.max(now, timeOfId(previous) + 1));
}

/**
 * Derives an id: equal arguments give equal ids. It sorts by time, then by `order`, which keeps events of
 * one millisecond in sequence. 32 bits of SHA-256 over the parts distinguish ids that share both.
 * @param now Unix ms
 * @param order 16 bits, wrapping
 */
export function deriveId(now: number, order: number, ...parts: readonly string[]): string {
  const rest = new Uint8Array(idBytes - timeBytes);
  new DataView(rest.buffer).setUint16(0, order & 0xffff);
  rest.set(sha256Of(joinParts(...parts)).subarray(0, rest.length - 2), 2);
  return encodeId(now, rest);
}

/** Creates a random id that sorts as a derived one does. @param now Unix ms @param order 16 bits, wrapping */
export function createOrderedId(now: number, order: number): string {
  const rest = crypto.getRandomValues(new Uint8Array(idBytes - timeBytes));
  new DataView(rest.buffer).setUint16(0, order & 0xffff);
  return encodeId(now, rest);
}

/** The lowest id of an instant: a bound for keyset queries by time. @param now Unix ms */
export function firstIdOf(now: number): string {
  return encodeId(now, new Uint8Array(idBytes - timeBytes));
}

/**
 * The identity's id: the first 12 bytes of SHA-256 over tenant id, NUL and external_id. It is derived, so
 * that the guard of a user is found without a look-up.
 */
export async function identityIdOf(tenantId: string, externalId: string): Promise<string> {
  const digest = await computeSha256(joinParts(tenantId, externalId));
  return toHex(digest.subarray(0, idBytes));
}
