/**
 * Compares two byte strings of equal length without leaving early, so that the time taken says
 * nothing of where they differ. Lengths are public: different lengths are unequal at once.
 */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (const [index, byte] of left.entries()) difference |= byte ^ (right[index] ?? 0);
  return difference === 0;
}
