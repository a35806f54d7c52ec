/** The ids by which a passkey is found (pure). */
import { base64urlnopad, hex } from "@scure/base";
import { encodeUtf8, toHex } from "../crypto/bytes.ts";
import { sha256Of } from "../crypto/digest.ts";
import { decodeBase64url } from "./base64url.ts";

const idBytes = 12;

/** The user handle of an identity: the 12 bytes of its id, in base64url. */
export function userHandleOf(identityId: string): string {
  return base64urlnopad.encode(hex.decode(identityId));
}

/** The identity id that a user handle stands for; undefined if the service did not make the handle. */
export function identityIdOfHandle(handle: string): string | undefined {
  const bytes = decodeBase64url(handle);
  return bytes?.length === idBytes ? toHex(bytes) : undefined;
}

/**
 * The passkey's id: the first 12 bytes of SHA-256 over tenant id, NUL and the bytes of the credential id.
 * @param credentialId base64url
 */
export function passkeyIdOf(tenantId: string, credentialId: string): string {
  const parts = [...encodeUtf8(tenantId), 0, ...base64urlnopad.decode(credentialId)];
  return toHex(sha256Of(new Uint8Array(parts)).subarray(0, idBytes));
}
