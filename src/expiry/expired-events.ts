/** Which events of the archive have expired (pure). The archive does not say when an event arrived. */
import { parsePersonalKey } from "../audit/derived-key.ts";
import type { StoredEvent } from "../audit/event.ts";

export const dayMs = 86_400_000;

/**
 * The UTC day, since 1970, on which the personal parts of an event were sealed, which is that of its arrival or
 * shortly before it. Null for an event of an older build.
 */
function sealingDayOf({ personalKey }: StoredEvent): number | null {
  return parsePersonalKey(personalKey ?? "").day;
}

/** An expiry, as far as it decides which events it takes. */
interface Bounds {
  /** What arrived before this UTC day expires. */
  readonly cutoffDay: number;
  /** Unix ms. */
  readonly startedAt: number;
  readonly archivedBelow: number;
  readonly nextLeaf: number;
}

/**
 * Whether an archived event has expired. If D1 had the event when the expiry began, D1 has decided. Otherwise the day
 * on which it was sealed decides; of an event of an older build, its own time: if that is in the future, it is of a
 * test clock, and the event is as old as those after it, as for the archive.
 */
export function isExpired(event: StoredEvent, bounds: Bounds): boolean {
  const { cutoffDay, startedAt, archivedBelow, nextLeaf } = bounds;
  if (event.leafIndex >= archivedBelow) return event.leafIndex < nextLeaf;
  const day = sealingDayOf(event);
  if (day !== null) return day < cutoffDay;
  return event.at > startedAt || event.at < cutoffDay * dayMs;
}
