/** The authenticator data of WebAuthn Level 3 (§6.1; pure): what the authenticator says and signs. */
import { base64urlnopad } from "@scure/base";
import { toHex } from "../crypto/bytes.ts";
import { decodeFirstCbor } from "../crypto/cbor.ts";

export interface AuthenticatorData {
  readonly rpIdHash: Uint8Array;
  /** UP, UV, BE and BS. The reserved flags mean nothing yet. */
  readonly userPresent: boolean;
  readonly userVerified: boolean;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
  readonly signCount: number;
}

/** The attested credential data (§6.5.1). */
export interface AttestedCredential {
  /** In the form of a UUID. */
  readonly aaguid: string;
  readonly credentialId: string;
  /** A COSE key, which is a CBOR map. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
}

interface ParsedAuthenticatorData {
  readonly data: AuthenticatorData;
  readonly attested: AttestedCredential | null;
}

const flagBits = {
  userPresent: 0x01,
  userVerified: 0x04,
  backupEligible: 0x08,
  backedUp: 0x10,
  attested: 0x40,
  extensions: 0x80,
} as const;
const rpIdHashBytes = 32;
/** RP id hash, flags and counter. */
const headBytes = 37;
const aaguidBytes = 16;
/** AAGUID and the length of the credential id. */
const attestedHeadBytes = aaguidBytes + 2;
/** §7.1 step 25. */
const maxCredentialIdBytes = 1023;

function formatUuid(bytes: Uint8Array): string {
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The length of the CBOR map at the beginning; undefined if there is none in canonical form. */
function lengthOfMap(bytes: Uint8Array): number | undefined {
  try {
    const { value, length } = decodeFirstCbor(bytes);
    return value instanceof Map ? length : undefined;
  } catch {
    return undefined;
  }
}

/** @returns the credential and its length in bytes, or what is wrong. Data that ends early has no public key. */
function parseAttested(
  bytes: Uint8Array,
): { credential: AttestedCredential; length: number } | string {
  const [high = 0, low = 0] = bytes.subarray(aaguidBytes);
  const idLength = high * 0x100 + low;
  if (idLength === 0 || idLength > maxCredentialIdBytes) {
    return "has a credential id that is empty or longer than 1,023 bytes";
  }
  const keyStart = attestedHeadBytes + idLength;
  const keyLength = lengthOfMap(bytes.subarray(keyStart));
  if (keyLength === undefined) return "has a public key that is not a map of canonical CBOR";
  const credential = {
    aaguid: formatUuid(bytes.subarray(0, aaguidBytes)),
    credentialId: base64urlnopad.encode(bytes.subarray(attestedHeadBytes, keyStart)),
    publicKey: new Uint8Array(bytes.subarray(keyStart, keyStart + keyLength)),
  };
  return { credential, length: keyStart + keyLength };
}

/** @returns the data, or a string that says what is malformed */
export function parseAuthenticatorData(bytes: Uint8Array): ParsedAuthenticatorData | string {
  if (bytes.length < headBytes) return "is shorter than 37 bytes";
  const flags = bytes[rpIdHashBytes] ?? 0;
  const has = (flag: keyof typeof flagBits) => (flags & flagBits[flag]) !== 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let end = headBytes;
  let attested: AttestedCredential | null = null;
  if (has("attested")) {
    const parsed = parseAttested(bytes.subarray(end));
    if (typeof parsed === "string") return parsed;
    attested = parsed.credential;
    end += parsed.length;
  }
  if (has("extensions")) {
    const length = lengthOfMap(bytes.subarray(end));
    if (length === undefined) return "has extensions that are not a map of canonical CBOR";
    end += length;
  }
  if (end !== bytes.length) return "has bytes after its end";
  const data = {
    rpIdHash: bytes.slice(0, rpIdHashBytes),
    userPresent: has("userPresent"),
    userVerified: has("userVerified"),
    backupEligible: has("backupEligible"),
    backedUp: has("backedUp"),
    signCount: view.getUint32(rpIdHashBytes + 1),
  };
  return { data, attested };
}
