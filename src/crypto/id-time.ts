/** The time in the service's ids (pure). */

export const timeBytes = 6;

/** When an id was created, Unix ms. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 2 * timeBytes), 16);
}
