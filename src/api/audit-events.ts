/** `/v1/audit/events` and the export: what is in the trail. Its heads and proofs: tree/routes.ts. */
import { z } from "zod";
import { type DecryptedEvent, decryptEvents } from "../audit/decrypt-events.ts";
import {
  actorTypes,
  auditActions,
  auditDetails,
  auditOutcomes,
  targetTypes,
} from "../audit/event.ts";
import { listEvents } from "../audit/store.ts";
import { exportTrail } from "../audit/tree/export.ts";
import { findNewestHead } from "../audit/tree/prove.ts";
import { firstIdAt, identityIdOf } from "../crypto/id.ts";
import { findTenantDb } from "../db/shards.ts";
import { requestDelivery } from "../guard/client.ts";
import { tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import {
  count,
  externalId,
  id,
  instant,
  instantIn,
  limit,
  rfc3339,
  sha256,
} from "../http/schemas.ts";

const eventResponse = z
  .object({
    id,
    at: instant,
    actor: z.object({
      type: z.enum(actorTypes),
      id: id.nullable(),
    }),
    action: z.enum(auditActions),
    target: z.object({
      type: z.enum(targetTypes),
      id,
      external_id: z.string().nullable(),
    }),
    outcome: z.enum(auditOutcomes),
    reason: z.string().nullable(),
    request_id: z.string().nullable(),
    details: auditDetails,
    leaf_index: z.int().min(0).meta({ description: "Its place in the tenant's log." }),
    personal: z
      .object({
        external_id: z.string(),
        address: z.string().exactOptional(),
        agent: z.string().exactOptional(),
        nonce: z.string().meta({ description: "Random: keeps the digest from being guessed." }),
      })
      .nullable()
      .meta({ description: "What is about a person; null where there is nothing, or no more." }),
    personal_digest: sha256
      .nullable()
      .meta({ description: "What the log commits to of `personal`." }),
    erased: z.boolean().meta({ description: "The user was erased, and `personal` with the user." }),
  })
  .meta({ id: "AuditEvent" });

type EventResponse = z.input<typeof eventResponse>;

function toEventResponse(event: DecryptedEvent): EventResponse {
  return {
    id: event.id,
    at: rfc3339(event.at),
    actor: { type: event.actorType, id: event.actorId },
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
  };
}

function formatExportedEvent(event: DecryptedEvent, leafHash: string | null) {
  return { ...toEventResponse(event), leaf_hash: leafHash };
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
          description:
            "A page of events. With `action` or `outcome` a page may be short, even empty, and yet not be the last: see `has_more`.",
          body: z.object({
            events: z.array(eventResponse),
            has_more: z.boolean(),
            next_after: id.nullable(),
          }),
        },
      },
    },
    async (exchange) => {
      const { env, config, query } = exchange;
      const { tenantId } = exchange.caller;
      const { externalUserId } = query;
      const identityId =
        externalUserId === undefined ? undefined : identityIdOf(tenantId, externalUserId);
      // Asked about one identity, the trail is complete: its guard tells first what it still holds.
      if (identityId !== undefined) await requestDelivery(exchange, identityId);
      const db = await findTenantDb(env, tenantId);
      const { events, nextAfter } = await listEvents(
        db,
        tenantId,
        {
          action: query.action,
          outcome: query.outcome,
          identityId,
          fromId: query.from === undefined ? undefined : firstIdAt(query.from),
          belowIds: [query.after, query.to === undefined ? undefined : firstIdAt(query.to)].filter(
            (bound) => bound !== undefined,
          ),
        },
        query.limit,
      );
      const shown = (await decryptEvents(db, config, tenantId, events)).map(toEventResponse);
      return reply(200, { events: shown, has_more: nextAfter !== null, next_after: nextAfter });
    },
  ),
  route(
    {
      method: "get",
      path: "/v1/audit/export",
      name: "exportAudit",
      summary: "The sealed trail, oldest first, as NDJSON",
      tag: "Audit",
      access: tenantWith("audit:read"),
      body: none,
      query: z.strictObject({
        from: count(0).optional().meta({ description: "The first leaf; to resume, the next one." }),
        to: count(0).optional().meta({ description: "Leaves below this one; at most all sealed." }),
      }),
      answers: {
        200: {
          description:
            "A line an event: the objects of the list, with `leaf_hash`, what the tree has for the leaf. An answer ends early after 125,000 events: go on with the leaf after the last.",
          body: z.string(),
          contentType: "application/x-ndjson",
        },
      },
      errors: ["not_found"],
    },
    async (exchange) => {
      const { from = 0, to } = exchange.query;
      const { size } = await findNewestHead(exchange);
      const below = Math.min(to ?? size, size);
      return new Response(exportTrail(exchange, { from, below }, formatExportedEvent), {
        headers: { "Content-Type": "application/x-ndjson" },
      });
    },
  ),
];
