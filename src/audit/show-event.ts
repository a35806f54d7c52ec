/** An event in the JSON of the API, which lists, exports, webhooks and streams share (pure). */
import { toRfc3339 } from "../rfc3339.ts";
import type { DecryptedEvent } from "./decrypt-events.ts";

export type ShownEvent = ReturnType<typeof showEvent>;

export function showEvent(event: DecryptedEvent) {
  return {
    id: event.id,
    at: toRfc3339(event.at),
    actor: {
      type: event.actorType,
      id: event.actorId,
      name: event.actorName,
      acting_for: event.parts?.acting_for ?? null,
    },
    action: event.action,
    target: {
      type: event.targetType,
      id: event.targetId,
      external_id: event.parts?.external_id ?? null,
    },
    outcome: event.outcome,
    reason: event.reason,
    request_id: event.requestId,
    details: event.details,
    leaf_index: event.leafIndex,
    personal: event.parts,
    personal_digest: event.personalDigest,
    erased: event.erased,
    expired: event.expired,
  };
}
