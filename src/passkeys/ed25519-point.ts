/** Points of Ed25519 (RFC 8032 §5.1.3; pure). WebCrypto imports any 32 bytes as a key. */
import { toHex } from "../crypto/bytes.ts";

const p = 2n ** 255n - 19n;
/** The curve is −x² + y² = 1 + dx²y². */
const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

/** @param exponent even, so that the result is not negative where the base is */
function powerOf(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest % 2n === 1n) result = (result * square) % p;
    square = (square * square) % p;
  }
  return result;
}

/**
 * Whether a point of the curve has this encoding: y is reduced, and there is an x for it. The two points with x = 0 have
 * small order, so that `hasSmallOrder` refuses them with either sign.
 */
export function isPoint(encoded: Uint8Array): boolean {
  const littleEndian = encoded.toReversed();
  littleEndian[0] = (littleEndian[0] ?? 0) & 0x7f;
  const y = BigInt(`0x${toHex(littleEndian)}`);
  if (y >= p) return false;
  // x² = u / v, which is a square if and only if u · v is one (Euler's criterion).
  const [u, v] = [y * y - 1n, d * y * y + 1n];
  return powerOf((u * v) % p, (p - 1n) / 2n) <= 1n;
}
