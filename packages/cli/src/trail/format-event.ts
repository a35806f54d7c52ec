/** An event of a trail on one line (pure). */
import type { AuditEvent } from "@edge-idp/sdk";
import { toPrintable } from "../text.ts";

function nameActor({ type, id, name, acting_for: person }: AuditEvent["actor"]): string {
  const who = name ?? id ?? type;
  return person === null ? who : `${who} for ${person}`;
}

/** Why the event no longer names its user. */
function describeLoss({ target, erased, expired }: AuditEvent): string | null {
  if (erased) return "erased";
  return expired && target.type === "identity" ? "expired" : null;
}

/** The values of fields are quoted, because tenants choose ids and names, and could imitate other fields. */
export function formatEvent(event: AuditEvent): string {
  const { at, action, outcome, reason, target, actor, request_id: request } = event;
  const fields = {
    user: target.external_id ?? describeLoss(event),
    reason,
    actor: nameActor(actor),
    request,
  };
  const shown = Object.entries(fields).flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${toPrintable(JSON.stringify(value))}`],
  );
  return [at, action, outcome, ...shown].join("  ");
}
