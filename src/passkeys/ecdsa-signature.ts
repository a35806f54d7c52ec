/** ECDSA signatures on P-256 as authenticators write them: DER of `SEQUENCE { INTEGER r, INTEGER s }` (pure). */

const tag = { sequence: 0x30, integer: 0x02 } as const;
const numberBytes = 32;

/**
 * Reads a positive integer in its only DER form.
 * @returns the 32 bytes of the number, and where its encoding should end
 */
function readInteger(
  der: Uint8Array,
  start: number,
): { number: Uint8Array; end: number } | undefined {
  if (der[start] !== tag.integer) return undefined;
  const end = start + 2 + (der[start + 1] ?? 0);
  const content = der.subarray(start + 2, end);
  const [first = 0, second = 0] = content;
  const isNegative = first >= 0x80;
  // So has a number without digits, and 0, which is in no signature.
  const hasNeedlessZero = first === 0 && second < 0x80;
  if (isNegative || hasNeedlessZero) return undefined;
  const digits = first === 0 ? content.subarray(1) : content;
  if (digits.length > numberBytes) return undefined;
  const number = new Uint8Array(numberBytes);
  number.set(digits, numberBytes - digits.length);
  return { number, end };
}

/** Converts to the form of WebCrypto: r and s, 32 bytes each. Undefined if the bytes are not the DER of two numbers. */
export function readEcdsaSignature(der: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  // Two numbers of at most 33 bytes need no longer form of the length.
  if (der[0] !== tag.sequence || der[1] !== der.length - 2) return undefined;
  const r = readInteger(der, 2);
  if (r === undefined) return undefined;
  const s = readInteger(der, r.end);
  return s?.end === der.length ? new Uint8Array([...r.number, ...s.number]) : undefined;
}
