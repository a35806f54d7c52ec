/** The events of a refusal log (pure). */
import type { AuditEvent } from "../../audit/event.ts";
import { deriveId } from "../../crypto/id.ts";
import { buildRefusalEntry } from "../decisions/refusals.ts";
import type { RefusalRun } from "../decisions/state.ts";
import type { EventEntry } from "../decisions/transition.ts";

/** An entry that says when, who and in which request. */
export type ReportEntry = EventEntry & Required<Pick<EventEntry, "at" | "actor" | "requestId">>;

export function refusalEntryOf(run: RefusalRun, count: number): ReportEntry {
  const { lastAt: at, lastActor: actor, lastRequestId: requestId } = run;
  return { ...buildRefusalEntry(run, count), at, actor, requestId };
}

export function eventOf(tenantId: string, order: number, entry: ReportEntry): AuditEvent {
  const { at, actor, requestId } = entry;
  const target =
    entry.action === "audit.read"
      ? ({ type: "tenant", id: tenantId } as const)
      : ({ type: "api_token", id: actor.id ?? "" } as const);
  return {
    id: deriveId(at, order, tenantId, "refusals", String(order), requestId),
    tenantId,
    at,
    actor: { type: actor.type, id: actor.id },
    action: entry.action,
    target,
    // Never the external_id of the request: there may be no such user.
    personal: null,
    outcome: entry.outcome,
    reason: entry.reason ?? null,
    requestId,
    details: entry.details ?? {},
  };
}
