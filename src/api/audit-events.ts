/** `/v1/audit/events` and `/v1/audit/export`: the events of the trail. */
import { z } from "zod";
import type { DecryptedEvent } from "../audit/decrypt-events.ts";
import type { StoredEvent } from "../audit/event.ts";
import { listTrail } from "../audit/list-trail.ts";
import { toOcsf } from "../audit/ocsf/map-event.ts";
import { showEvent } from "../audit/show-event.ts";
import { exportTrail } from "../audit/tree/export.ts";
import { findNewestHead } from "../audit/tree/prove.ts";
import { firstIdOf, identityIdOf } from "../crypto/id.ts";
import { findTenantDb } from "../db/shards.ts";
import { requestDelivery } from "../guard/client.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { createIntegerSchema, id } from "../http/schemas.ts";
import { takeExportLease } from "../tenancy/export-lease.ts";
import { TrailFactsFinder } from "../tenancy/trail-facts.ts";
import { eventSchema } from "./audit-event-schema.ts";
import { isFromAddress, trailQuery } from "./audit-filters.ts";
import { reportExport } from "./report-export.ts";

function showExportedEvent(event: DecryptedEvent, leafHash: string | null) {
  return { ...showEvent(event), leaf_hash: leafHash };
}

function mapExportedEvent(event: DecryptedEvent, leafHash: string | null) {
  return toOcsf(showEvent(event), event.tenantId, leafHash);
}

/** An example of the export, with fewer fields than an event has. */
const exportedLines =
  '{"id":"6908bffd1c2e4a5b9d7f0a31","action":"user.provisioned","outcome":"success","leaf_index":1}\n';

export const auditEventRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/events",
      name: "listAuditEvents",
      summary: "List the events of the audit trail, newest first",
      description:
        "Lists the events of the tenant's audit trail, newest first, page by page. Filters can be combined.",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: trailQuery,
      trailRead: "counted",
      responses: {
        200: {
          description:
            "A page of events. With a filter a page may be short or empty although `has_more` is true.",
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
      const { tenantId, location } = request.caller;
      const { externalUserId } = query;
      const identityId =
        externalUserId === undefined ? undefined : await identityIdOf(tenantId, externalUserId);
      // The trail of one identity is complete: its guard delivers its outbox first.
      if (identityId !== undefined) await requestDelivery(request, identityId);
      const db = await findTenantDb(env, tenantId);
      const facts = new TrailFactsFinder(env, tenantId, location);
      const { address } = query;
      const { events, nextAfter } = await listTrail(
        { db, config, tenantId, findFacts: (found) => facts.find(found) },
        {
          action: query.action,
          outcome: query.outcome,
          reason: query.reason,
          actor: query.actor,
          identityId,
          matchesParts: address === undefined ? undefined : isFromAddress(address),
          fromId: query.from === undefined ? undefined : firstIdOf(query.from),
          belowIds: [query.after, query.to === undefined ? undefined : firstIdOf(query.to)].filter(
            (bound) => bound !== undefined,
          ),
        },
        query.limit,
      );
      return respond(200, {
        events: events.map(showEvent),
        has_more: nextAfter !== null,
        next_after: nextAfter,
      });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/export",
      name: "exportAudit",
      summary: "Export the events of the audit tree, oldest first, as NDJSON",
      description:
        "Exports the integrated events as lines of JSON, oldest first, with their leaf indexes, as the API shows them or in the schema of OCSF. Continue a response that ends early with `from`. Each answer with events is itself an event, `audit.exported`, which is filed before the first byte.",
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
        format: z.enum(["native", "ocsf"]).default("native").meta({
          description:
            "`native`: events as in the list. `ocsf`: events in version 1.8.0 of the Open Cybersecurity Schema Framework, whose `metadata.sequence` is the leaf index.",
        }),
      }),
      responses: {
        200: {
          description:
            "One event per line, in the requested format, and with the `leaf_hash` of the tree. A response ends early after about 110,000 events and after 15 minutes; continue with the next leaf index. It is cut off if its token is revoked or expires, and by a failure; the last line is then an error body.",
          // Binary, so that a generated client hands out a stream or a file, not one long text.
          body: z.string().meta({ format: "binary", examples: [exportedLines] }),
          contentType: "application/x-ndjson",
        },
      },
      errors: ["not_found"],
      trailRead: "filed",
    },
    async (request) => {
      const { from = 0, to, format } = request.query;
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
        await reportExport(request, range, format);
        const { tenantId, location } = request.caller;
        const facts = new TrailFactsFinder(request.env, tenantId, location);
        const call = {
          ...request,
          findFacts: (found: readonly StoredEvent[]) => facts.find(found),
        };
        const formatEvent = format === "ocsf" ? mapExportedEvent : showExportedEvent;
        return new Response(exportTrail(call, range, formatEvent, permit), {
          headers: { "Content-Type": "application/x-ndjson" },
        });
      } catch (error) {
        await lease.release();
        throw error;
      }
    },
  ),
];
