/** Secrets as other systems spell them: base32 (RFC 4648 §6), base64 (§4 and §5) and hex. */
import { base32nopad, base64nopad, hex } from "@scure/base";

export const secretEncodings = ["base32", "hex", "base64"] as const;
export type SecretEncoding = (typeof secretEncodings)[number];

export const minSecretBytes = 10;
export const maxSecretBytes = 128;

const base32Form = /^[A-Za-z2-7]+=*$/;
const base32Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/**
 * Sets the bits after the last whole byte to 0, as apps ignore them: some systems draw the letters of a secret at
 * random, and not its bytes.
 */
function clearSpareBits(text: string): string {
  const spareBits = (text.length * 5) % 8;
  const value = base32Letters.indexOf(text.slice(-1));
  if (spareBits === 0 || value === -1) return text;
  return text.slice(0, -1) + base32Letters.charAt((value >> spareBits) << spareBits);
}

function decodeBase32(text: string): Uint8Array {
  // Other letters become ASCII ones in upper case.
  if (!base32Form.test(text)) throw new RangeError("not base32");
  return base32nopad.decode(clearSpareBits(text.toUpperCase().replace(/=+$/, "")));
}

const decoders: Readonly<Record<SecretEncoding, (text: string) => Uint8Array>> = {
  base32: decodeBase32,
  hex: (text) => hex.decode(text.toLowerCase()),
  base64: (text) =>
    base64nopad.decode(text.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "")),
};

/**
 * Reads a secret of 10 to 128 bytes. White space is ignored, and so are the case of base32 and hex and the padding of
 * base32 and base64; base64 may have either alphabet. Undefined for any other text.
 */
export function decodeSecret(
  text: string,
  encoding: SecretEncoding,
): Uint8Array<ArrayBuffer> | undefined {
  let bytes: Uint8Array;
  try {
    bytes = decoders[encoding](text.replaceAll(/\s/g, ""));
  } catch {
    return undefined;
  }
  const isPossible = bytes.length >= minSecretBytes && bytes.length <= maxSecretBytes;
  return isPossible ? new Uint8Array(bytes) : undefined;
}
