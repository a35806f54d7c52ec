/** Which events of a trail are shown: the filters of `GET /v1/audit/events`, with the same meaning (pure). */
import type { AuditEvent } from "@edge-idp/sdk";
import { parseForwardedAddress } from "../../../../src/sentinel/network/forwarded-address.ts";

export interface EventFilter {
  readonly action?: string | undefined;
  readonly outcome?: string | undefined;
  readonly reason?: string | undefined;
  /** The id of an API token, `operator` or `system`. */
  readonly actor?: string | undefined;
  /** The tenant's own id of the user. */
  readonly user?: string | undefined;
  /** In any spelling. */
  readonly address?: string | undefined;
  /** Unix ms; events before are not shown. */
  readonly since?: number | undefined;
}

function isBy({ type, id }: AuditEvent["actor"], actor: string): boolean {
  return actor === "operator" || actor === "system" ? type === actor : id === actor;
}

function isFrom(event: AuditEvent, address: string): boolean {
  const shown = event.personal?.address;
  if (typeof shown !== "string") return false;
  const wanted = parseForwardedAddress(address);
  return wanted !== undefined && parseForwardedAddress(shown)?.text === wanted.text;
}

export function isShown(event: AuditEvent, filter: EventFilter): boolean {
  const { action, outcome, reason, actor, user, address, since } = filter;
  return (
    (since === undefined || Date.parse(event.at) >= since) &&
    (action === undefined || event.action === action) &&
    (outcome === undefined || event.outcome === outcome) &&
    (reason === undefined || event.reason === reason) &&
    (actor === undefined || isBy(event.actor, actor)) &&
    (user === undefined || event.target.external_id === user) &&
    (address === undefined || isFrom(event, address))
  );
}
