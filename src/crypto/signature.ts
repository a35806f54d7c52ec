/** Verifies signatures of Ed25519 (RFC 8032) with WebCrypto. */
import { toHex } from "./bytes.ts";

/**
 * The points of small order, without the sign of x, and also with a y that is not reduced. Under such a key one
 * signature fits every message in Chromium, workerd and Node 20, and none does in Node 24.
 */
const smallOrderKeys: ReadonlySet<string> = new Set([
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
]);

/** Whether an Ed25519 key is a point of small order, in any spelling. */
export function hasSmallOrder(publicKey: Uint8Array): boolean {
  const y = publicKey.map((byte, index) => (index === 31 ? byte & 0x7f : byte));
  return smallOrderKeys.has(toHex(y));
}

/**
 * Whether the private key of `publicKey` signed the message. False for a key or signature of the wrong length, and for
 * a key of small order.
 */
export async function isSignedBy(
  publicKey: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  message: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (publicKey.length !== 32 || signature.length !== 64 || hasSmallOrder(publicKey)) return false;
  const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  return await crypto.subtle.verify("Ed25519", key, signature, message);
}
