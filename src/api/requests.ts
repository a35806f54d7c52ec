/** `/v1/requests/:id`, for the operator: whose request it was. */
import { z } from "zod";
import { auditActions, auditOutcomes } from "../audit/event.ts";
import { listRequestEvents } from "../audit/request-store.ts";
import { idPattern, timeOfId } from "../crypto/id-time.ts";
import { listDatabases } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { id, instant, toRfc3339 } from "../http/schemas.ts";

export const requestRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/requests/:id",
      name: "findRequest",
      summary: "Find the tenant of a request by its id",
      description:
        "Finds the events that a request has caused, over all tenants, without anything about a person. A request that has left no event is a 404, as is one with a test clock; their tenant is only in the log.",
      tag: "Tenancy",
      access: operator,
      body: none,
      query: none,
      responses: {
        200: {
          description: "The events of the request.",
          body: z.object({
            request: z.object({
              id,
              begun_at: instant.meta({ description: "When the request began; its id says so." }),
              events: z.array(
                z.object({
                  tenant_id: id,
                  id,
                  at: instant,
                  action: z.enum(auditActions),
                  outcome: z.enum(auditOutcomes),
                  reason: z.string().nullable(),
                }),
              ),
            }),
          }),
        },
      },
      errors: ["not_found"],
    },
    async ({ env, param }) => {
      const requestId = param("id");
      if (!idPattern.test(requestId)) throw new AppError("not_found");
      const found = await Promise.all(
        listDatabases(env).map((db) => listRequestEvents(db, requestId)),
      );
      const events = found.flat().map(({ tenantId, at, ...event }) => ({
        tenant_id: tenantId,
        ...event,
        at: toRfc3339(at),
      }));
      if (events.length === 0) throw new AppError("not_found");
      const begun_at = toRfc3339(timeOfId(requestId));
      return respond(200, { request: { id: requestId, begun_at, events } });
    },
  ),
];
