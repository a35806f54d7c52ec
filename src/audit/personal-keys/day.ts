/** The days that have keys, and what is known of their keys (pure). */

const dayMs = 86_400_000;

/** The number of the UTC day: days since 1970. @param at Unix ms */
export function dayOf(at: number): number {
  return Math.floor(at / dayMs);
}

/** The key of a day, for sealing. */
export interface DayKey {
  readonly day: number;
  readonly key: Uint8Array<ArrayBuffer>;
}

/** Keys of days, for opening. */
export interface DayKeys {
  /** By day. A day without a key is left out. */
  readonly keys: ReadonlyMap<number, Uint8Array<ArrayBuffer>>;
  /** The keys of all days before this one were deleted; null if none was. */
  readonly firstKeptDay: number | null;
}

export const noDayKeys: DayKeys = { keys: new Map(), firstKeptDay: null };
