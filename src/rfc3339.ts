/** Times as the API writes them (pure). */

/** The last instant that RFC 3339 can write. Older builds stored later ones, from a test clock. */
const latestInstant = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** @param time Unix ms */
export function toRfc3339(time: number): string {
  return new Date(Math.min(time, latestInstant)).toISOString();
}

export function toRfc3339OrNull(time: number | null): string | null {
  return time === null ? null : toRfc3339(time);
}
