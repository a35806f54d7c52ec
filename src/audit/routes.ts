/** `/v1/audit`: the trail, newest events first. */
import { z } from "zod";
import { firstIdAt, identityIdOf } from "../crypto/id.ts";
import { dbFor } from "../db/client.ts";
import { deliverGuard } from "../guard/client.ts";
import { tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { externalId, id, instant, instantIn, limit, pageOf, rfc3339 } from "../http/schemas.ts";
import { type AuditEvent, auditActions, auditOutcomes } from "./event.ts";
import { listEvents } from "./store.ts";

const eventAnswer = z
  .object({
    id,
    at: instant,
    actor: z.object({
      type: z.enum(["api_token", "operator", "system"]),
      id: id.nullable(),
    }),
    action: z.enum(auditActions),
    target: z.object({
      type: z.enum(["tenant", "api_token", "identity"]),
      id,
      external_id: z.string().nullable(),
    }),
    outcome: z.enum(auditOutcomes),
    reason: z.string().nullable(),
    request_id: z.string().nullable(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  })
  .meta({ id: "AuditEvent" });

function shownEvent(event: AuditEvent): z.input<typeof eventAnswer> {
  const { target } = event;
  return {
    id: event.id,
    at: rfc3339(event.at),
    actor: event.actor,
    action: event.action,
    target: { type: target.type, id: target.id, external_id: target.externalId },
    outcome: event.outcome,
    reason: event.reason,
    request_id: event.requestId,
    details: event.details,
  };
}

export const auditRoutes = [
  route(
    {
      method: "get",
      path: "/v1/audit/events",
      name: "listAuditEvents",
      summary: "The audit trail, newest first",
      tag: "Audit",
      access: tenantWith("audit:read"),
      body: none,
      query: z.strictObject({
        limit,
        after: id.optional().meta({ description: "`next_after` of the page before." }),
        from: instantIn.optional().meta({ description: "Events at or after this time." }),
        to: instantIn.optional().meta({ description: "Events before this time." }),
        action: z.enum(auditActions).optional(),
        outcome: z.enum(auditOutcomes).optional(),
        externalUserId: externalId.optional(),
      }),
      answers: {
        200: {
          description: "A page of events.",
          body: z.object({
            events: z.array(eventAnswer),
            has_more: z.boolean(),
            next_after: id.nullable(),
          }),
        },
      },
    },
    async (exchange) => {
      const { env, query } = exchange;
      const { tenantId } = exchange.caller;
      const { externalUserId: externalId } = query;
      const identity =
        externalId === undefined
          ? undefined
          : { id: identityIdOf(tenantId, externalId), externalId };
      // Asked about one identity, the trail is complete: its guard tells first what it still holds.
      if (identity !== undefined) await deliverGuard(exchange, identity.id);
      const rows = await listEvents(
        dbFor(env, tenantId),
        tenantId,
        {
          action: query.action,
          outcome: query.outcome,
          identity,
          fromId: query.from === undefined ? undefined : firstIdAt(query.from),
          belowIds: [query.after, query.to === undefined ? undefined : firstIdAt(query.to)].filter(
            (bound) => bound !== undefined,
          ),
        },
        query.limit + 1,
      );
      const { page, ...cursor } = pageOf(rows, query.limit);
      return reply(200, { events: page.map(shownEvent), ...cursor });
    },
  ),
];
