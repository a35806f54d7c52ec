/**
 * Anchors (pure): a few events that a follower has passed. A D1 that was restored to an earlier time gives the leaves
 * after that time to other events, so a follower that has passed them must go back. The anchors tell how far: their
 * distances double, so that few of them reach back to the beginning.
 */

export interface Anchor {
  readonly leafIndex: number;
  /** The event's id. */
  readonly id: string;
}

/**
 * Adds an anchor, the newest one. Of the older ones at a distance of 1, 2 to 3, 4 to 7 leaves and so on, the oldest
 * remains, and so the first anchor of all.
 * @param anchors newest first
 */
export function addAnchor(anchors: readonly Anchor[], newest: Anchor): readonly Anchor[] {
  const kept = new Map<number, Anchor>();
  for (const anchor of anchors) {
    const distance = newest.leafIndex - anchor.leafIndex;
    // A later entry is an older anchor, and replaces a newer one.
    if (distance > 0) kept.set(Math.floor(Math.log2(distance)), anchor);
  }
  return [newest, ...kept.values()];
}
