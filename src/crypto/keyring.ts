/**
 * A keyring: several versions of one 256-bit key. New data uses the newest version; the others are for older
 * data.
 */
import { base64 } from "@scure/base";

const keyBytes = 32;
/** 32 random bytes have about 30 distinct values; a key with fewer than this many is a placeholder. */
const minDistinctBytes = 10;

export interface Keyring {
  readonly newest: number;
  readonly keys: ReadonlyMap<number, Uint8Array<ArrayBuffer>>;
}

/** Stored data names a key version that is not in the keyring. */
export class MissingKeyError extends Error {
  constructor(version?: number) {
    const which = version === undefined ? "No such key" : `No key of version ${version}`;
    super(`${which} is in the keyring, but stored data needs it`);
    this.name = "MissingKeyError";
  }
}

/** @throws MissingKeyError */
export function keyOf(keyring: Keyring, version: number): Uint8Array<ArrayBuffer> {
  const key = keyring.keys.get(version);
  if (key === undefined) throw new MissingKeyError(version);
  return key;
}

/** Decodes a base64 key of 32 bytes. @returns the key, or a string that says what is wrong with it */
export function parseKey(text: string): Uint8Array<ArrayBuffer> | string {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(base64.decode(text));
  } catch {
    return "is not base64";
  }
  if (bytes.length !== keyBytes) return `holds ${bytes.length} bytes, not ${keyBytes}`;
  if (new Set(bytes).size < minDistinctBytes) return "is a placeholder, not random";
  return bytes;
}

/**
 * Parses `version:base64[,version:base64…]`.
 * @returns the keyring, or a string that says what is wrong
 */
export function parseKeyring(text: string): Keyring | string {
  const keys = new Map<number, Uint8Array<ArrayBuffer>>();
  for (const entry of text.split(",")) {
    const [, digits, encoded] = /^\s*([1-9][0-9]{0,5}):(\S+)\s*$/.exec(entry) ?? [];
    if (digits === undefined || encoded === undefined) {
      return "is not of the form version:base64[,version:base64]";
    }
    const version = Number(digits);
    if (keys.has(version)) return `names version ${version} twice`;
    const key = parseKey(encoded);
    if (typeof key === "string") return `version ${version} ${key}`;
    keys.set(version, key);
  }
  return { newest: Math.max(...keys.keys()), keys };
}
