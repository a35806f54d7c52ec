/** The days that have keys (pure). */

const dayMs = 86_400_000;

/** The number of the UTC day: days since 1970. @param at Unix ms */
export function dayOf(at: number): number {
  return Math.floor(at / dayMs);
}
