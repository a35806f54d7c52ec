/** `/v1/audit/events` and `/v1/audit/export`: the events of the trail. */
import { z } from "zod";
import { type DecryptedEvent, decryptEvents, listKeyOwners } from "../audit/decrypt-events.ts";
import {
  actorTypes,
  auditActions,
  auditDetails,
  auditOutcomes,
  targetTypes,
} from "../audit/event.ts";
import { findAuditKeys } from "../audit/personal-store.ts";
import { listEvents } from "../audit/store.ts";
import { exportTrail } from "../audit/tree/export.ts";
import { findNewestHead } from "../audit/tree/prove.ts";
import { firstIdOf, identityIdOf } from "../crypto/id.ts";
import { findTenantDb } from "../db/shards.ts";
import { requestDelivery } from "../guard/client.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import {
  createIntegerSchema,
  externalId,
  id,
  instant,
  limit,
  requestInstant,
  sha256,
  shownExternalId,
  toRfc3339,
} from "../http/schemas.ts";
import { takeExportLease } from "../tenancy/export-lease.ts";

const eventSchema = z
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
      external_id: shownExternalId.nullable(),
    }),
    outcome: z.enum(auditOutcomes),
    reason: z
      .string()
      .nullable()
      .meta({ examples: [null] }),
    request_id: z
      .string()
      .nullable()
      .meta({ examples: ["6a7f2c1e0b9d4e5f8a3c1d20"] }),
    details: auditDetails,
    leaf_index: z.int().min(0).meta({ description: "The event's position in the tenant's log." }),
    personal: z
      .object({
        external_id: shownExternalId,
        address: z
          .string()
          .exactOptional()
          .meta({ examples: ["192.0.2.1"] }),
        agent: z
          .string()
          .exactOptional()
          .meta({ examples: ["EnterpriseAgent/1.0"] }),
        nonce: z
          .string()
          .meta({ description: "Random, so that the digest does not reveal the parts." }),
      })
      .nullable()
      .meta({
        description:
          "The personal parts; null if the event has none, or has lost them to an erasure.",
      }),
    personal_digest: sha256
      .nullable()
      .meta({ description: "The digest of `personal` that the leaf contains." }),
    erased: z
      .boolean()
      .meta({ description: "True if `personal` was erased together with the user." }),
  })
  .meta({ id: "AuditEvent" });

function showEvent(event: DecryptedEvent): z.input<typeof eventSchema> {
  return {
    id: event.id,
    at: toRfc3339(event.at),
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

function showExportedEvent(event: DecryptedEvent, leafHash: string | null) {
  return { ...showEvent(event), leaf_hash: leafHash };
}

export const auditEventRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/events",
      name: "listAuditEvents",
      summary: "List the events of the audit trail, newest first",
      description:
        "Lists the events of the audit trail, newest first. With filters a page may be short or empty although `has_more` is true.",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: z.strictObject({
        limit,
        after: id.optional().meta({ description: "The `next_after` of the previous page." }),
        from: requestInstant.optional().meta({ description: "Events at or after this time." }),
        to: requestInstant.optional().meta({ description: "Events before this time." }),
        action: z.enum(auditActions).optional(),
        outcome: z.enum(auditOutcomes).optional(),
        externalUserId: externalId.optional(),
      }),
      responses: {
        200: {
          description:
            "A page of events. With `action` or `outcome` a page may be short or empty although `has_more` is true.",
          body: z.object({
            events: z.array(eventSchema),
            has_more: z.boolean(),
            next_after: id.nullable(),
          }),
        },
      },
    },
    async (request) => {
      const { env, config, query } = request;
      const { tenantId } = request.caller;
      const { externalUserId } = query;
      const identityId =
        externalUserId === undefined ? undefined : identityIdOf(tenantId, externalUserId);
      // The trail of one identity is complete: its guard delivers its outbox first.
      if (identityId !== undefined) await requestDelivery(request, identityId);
      const db = await findTenantDb(env, tenantId);
      const { events, nextAfter } = await listEvents(
        db,
        tenantId,
        {
          action: query.action,
          outcome: query.outcome,
          identityId,
          fromId: query.from === undefined ? undefined : firstIdOf(query.from),
          belowIds: [query.after, query.to === undefined ? undefined : firstIdOf(query.to)].filter(
            (bound) => bound !== undefined,
          ),
        },
        query.limit,
      );
      const keys = await findAuditKeys(db, tenantId, listKeyOwners(events));
      const shown = (await decryptEvents(config, tenantId, events, keys)).map(showEvent);
      return respond(200, { events: shown, has_more: nextAfter !== null, next_after: nextAfter });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/export",
      name: "exportAudit",
      summary: "Export the events of the audit tree, oldest first, as NDJSON",
      description:
        "Streams the audit trail in the order of the log, one JSON object per line. Fetch it with a client that reads the body as a stream.",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: z.strictObject({
        from: createIntegerSchema(0).optional().meta({
          description:
            "The first leaf index. To resume an export, the index after the last one received.",
        }),
        to: createIntegerSchema(0).optional().meta({
          description:
            "The leaf index at which the export ends, exclusive. Default: the size of the tree.",
        }),
      }),
      responses: {
        200: {
          description:
            "One event per line, as in the list, and with the `leaf_hash` of the tree. A response ends early after about 110,000 events and after 15 minutes; continue with the next leaf index. It is cut off if its token is revoked or expires, and by a failure; the last line is then an error body.",
          // Binary, so that a generated client hands out a stream or a file, not one long text.
          body: z.string().meta({ format: "binary" }),
          contentType: "application/x-ndjson",
        },
      },
      errors: ["not_found"],
    },
    async (request) => {
      const { from = 0, to } = request.query;
      const lease = await takeExportLease(request);
      const permit = {
        async check() {
          await request.checkAgain();
          await lease.extend();
        },
        release: () => lease.release(),
      };
      try {
        const { size } = await findNewestHead(request);
        const range = { from, below: Math.min(to ?? size, size) };
        return new Response(exportTrail(request, range, showExportedEvent, permit), {
          headers: { "Content-Type": "application/x-ndjson" },
        });
      } catch (error) {
        await lease.release();
        throw error;
      }
    },
  ),
];
