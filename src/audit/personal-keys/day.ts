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
  /**
   * There is no key of an earlier day. Null if there is no key at all: the object knows nothing of the tenant, as in a
   * service into which a backup was loaded.
   */
  readonly firstDay: number | null;
  /** Whether the keys of earlier days were deleted. */
  readonly hasDeleted: boolean;
}

export const noDayKeys: DayKeys = { keys: new Map(), firstDay: null, hasDeleted: false };
