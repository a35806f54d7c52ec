/** The form of the service's ids, and the time in them (pure). */

export const idPattern = /^[0-9a-f]{24}$/;
export const timeBytes = 6;

/** When an id was created, Unix ms. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 2 * timeBytes), 16);
}
