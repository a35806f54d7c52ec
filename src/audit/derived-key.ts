/**
 * The key that seals the personal parts of events since there are day keys. It is derived from two secrets, so that
 * each of them is needed: the audit key, which an erasure destroys, and the day key, which expires (decision 168).
 *
 * The derivation is HKDF with SHA-256 (RFC 5869): the audit key is the input keying material, the day key is the salt,
 * and the info names purpose and day. Each of the two is 32 random bytes, and neither says anything about the result.
 */
import { encodeUtf8 } from "../crypto/bytes.ts";
import { keyOf } from "../crypto/keyring.ts";
import type { OpenAuditKey } from "./personal.ts";
import type { DayKey } from "./personal-keys/day.ts";

const derivedBits = 256;

/** What an event says of the key that its personal parts are sealed under. */
export interface PersonalKeyName {
  /** The id of the audit key. */
  readonly auditKeyId: string;
  /** The day of the day key; null if an older build sealed the parts, or they wait for their delivery. */
  readonly day: number | null;
}

const derivedName = /^([0-9a-f]+)@(0|[1-9][0-9]{0,6})$/;

/** Reads `<id of the audit key>@<day>`, or the id alone. */
export function parsePersonalKey(name: string): PersonalKeyName {
  const [, auditKeyId, day] = derivedName.exec(name) ?? [];
  if (auditKeyId === undefined) return { auditKeyId: name, day: null };
  return { auditKeyId, day: Number(day) };
}

/** Derives the key of an audit key and a day. Its id names both. */
export async function deriveKey(
  { id, keyring }: OpenAuditKey,
  { day, key: dayKey }: DayKey,
): Promise<OpenAuditKey> {
  const auditKey = keyOf(keyring, keyring.newest);
  const material = await crypto.subtle.importKey("raw", auditKey, "HKDF", false, ["deriveBits"]);
  const info = encodeUtf8(`edge-idp personal parts of day ${day}`);
  const parameters = { name: "HKDF", hash: "SHA-256", salt: dayKey, info: new Uint8Array(info) };
  const bits = await crypto.subtle.deriveBits(parameters, material, derivedBits);
  return {
    id: `${id}@${day}`,
    keyring: { newest: 1, keys: new Map([[1, new Uint8Array(bits)]]) },
  };
}
