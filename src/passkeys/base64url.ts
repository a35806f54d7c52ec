/** Base64url as WebAuthn uses it: without padding, line breaks or white space, and with one spelling for each value. */
import { base64urlnopad } from "@scure/base";

/** Undefined if the text is not the one spelling of some bytes. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(base64urlnopad.decode(text));
  } catch {
    return undefined;
  }
}
