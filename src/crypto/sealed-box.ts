/**
 * Sealed boxes: AES-256-GCM (NIST SP 800-38D) with a random 96-bit IV. The associated data binds a box to
 * its tenant, identity, purpose and key version, so a box that is copied to another identity does not open.
 */
import { base64urlnopad } from "@scure/base";
import { joinParts } from "./bytes.ts";
import { type Keyring, keyOf } from "./keyring.ts";
import type { SealContext } from "./seal-context.ts";

const ivBytes = 12;
/** Each box has exactly one text form. */
const boxPattern = /^([1-9][0-9]{0,5})\.([\w-]{16})\.([\w-]+)$/;
const imported = new WeakMap<Uint8Array, Promise<CryptoKey>>();

/** A box does not open: it was altered, or sealed for another owner or purpose. */
export class BrokenSealError extends Error {
  constructor() {
    super("A sealed box did not open for this identity and purpose");
    this.name = "BrokenSealError";
  }
}

function importAesKey(raw: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  let key = imported.get(raw);
  if (key === undefined) {
    key = crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    imported.set(raw, key);
  }
  return key;
}

function aesParametersOf(iv: Uint8Array<ArrayBuffer>, context: SealContext, version: number) {
  const { tenantId, identityId, purpose } = context;
  return {
    name: "AES-GCM",
    iv,
    additionalData: joinParts(tenantId, identityId, purpose, String(version)),
  };
}

/** Seals under the newest key. @returns `version.iv.ciphertext`, the latter two in base64url */
export async function seal(
  keyring: Keyring,
  context: SealContext,
  plaintext: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const version = keyring.newest;
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const key = await importAesKey(keyOf(keyring, version));
  const ciphertext = await crypto.subtle.encrypt(
    aesParametersOf(iv, context, version),
    key,
    plaintext,
  );
  return `${version}.${base64urlnopad.encode(iv)}.${base64urlnopad.encode(new Uint8Array(ciphertext))}`;
}

/** The key version that sealed a box; undefined for a text that is not a box. */
export function versionOf(box: string): number | undefined {
  const [, version] = boxPattern.exec(box) ?? [];
  return version === undefined ? undefined : Number(version);
}

/**
 * Seals anew under the newest key; returns the box itself if the newest key sealed it.
 * @throws as `unseal`
 */
export async function reseal(keyring: Keyring, context: SealContext, box: string): Promise<string> {
  if (versionOf(box) === keyring.newest) return box;
  return await seal(keyring, context, await unseal(keyring, context, box));
}

/** @throws MissingKeyError, BrokenSealError */
export async function unseal(
  keyring: Keyring,
  context: SealContext,
  box: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const [, version, iv, ciphertext] = boxPattern.exec(box) ?? [];
  if (version === undefined || iv === undefined || ciphertext === undefined) {
    throw new BrokenSealError();
  }
  const key = await importAesKey(keyOf(keyring, Number(version)));
  try {
    const plaintext = await crypto.subtle.decrypt(
      aesParametersOf(new Uint8Array(base64urlnopad.decode(iv)), context, Number(version)),
      key,
      new Uint8Array(base64urlnopad.decode(ciphertext)),
    );
    return new Uint8Array(plaintext);
  } catch {
    throw new BrokenSealError();
  }
}
