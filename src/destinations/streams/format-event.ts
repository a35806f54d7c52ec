/** An event in the format of a stream (pure). */
import { toOcsf } from "../../audit/ocsf/map-event.ts";
import type { ShownEvent } from "../../audit/show-event.ts";
import type { OpenStream } from "./stream.ts";

export function formatEvent({ target, tenantId }: OpenStream, event: ShownEvent): object {
  return target.format === "ocsf" ? toOcsf(event, tenantId) : event;
}

/**
 * The event without its details, which are the only part that can be large. A receiver that refuses the whole event
 * for its size gets this one, so that the stream can go on; the log has the rest under the same leaf index.
 */
export function truncateEvent(event: ShownEvent): ShownEvent {
  return { ...event, details: { truncated: true } };
}
