/** `/v1/audit/events/{id}/bundle`: everything that proves one event, in one file. */
import { z } from "zod";
import { decryptPage } from "../audit/list-trail.ts";
import { showEvent } from "../audit/show-event.ts";
import { proveInclusion } from "../audit/tree/prove.ts";
import { findTenantDb } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { createIntegerSchema } from "../http/schemas.ts";
import { TrailFactsFinder } from "../tenancy/trail-facts.ts";
import { eventSchema } from "./audit-event-schema.ts";
import {
  checkpointSchema,
  inclusionProofSchema,
  publicKeySchema,
  showCheckpoint,
  showInclusionProof,
  showPublicKeys,
} from "./checkpoint-schema.ts";

const format = "edge-idp/audit-bundle" as const;
const version = 1 as const;

/** The name of a token is not in the leaf, so it would be the one part of a bundle that nothing proves. */
const provenEventSchema = eventSchema
  .extend({ actor: eventSchema.shape.actor.omit({ name: true }) })
  .meta({ id: "ProvenAuditEvent" });

function omitUnproven({ actor, ...event }: ReturnType<typeof showEvent>) {
  const { name: _, ...proven } = actor;
  return { ...event, actor: proven };
}

export const auditBundleRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/events/:id/bundle",
      name: "getAuditEventBundle",
      summary: "Get one event with everything that proves it",
      description:
        "Returns one event with its inclusion proof, the signed tree head and the public keys, as one file that can be verified without the service. Compare the keys with a copy from elsewhere.",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: z.strictObject({
        leaf_index: createIntegerSchema(0).optional().meta({
          description: "The event's position. It is required once the event is in the archive.",
        }),
      }),
      trailRead: "counted",
      responses: {
        200: {
          description: "The bundle.",
          body: z
            .object({
              format: z.literal(format),
              version: z.literal(version).meta({
                description: "It changes if an older verifier could not read the bundle.",
              }),
              event: provenEventSchema,
              proof: inclusionProofSchema,
              checkpoint: checkpointSchema,
              keys: z.array(publicKeySchema).meta({
                description:
                  "The keys of the service, for convenience: whoever forges a bundle can also replace them.",
              }),
            })
            .meta({ id: "AuditEventBundle" }),
        },
      },
      errors: ["not_found"],
    },
    async (request) => {
      const { env, config } = request;
      const { tenantId, location } = request.caller;
      const proof = await proveInclusion(request, request.param("id"), request.query.leaf_index);
      const facts = new TrailFactsFinder(env, tenantId, location);
      const db = await findTenantDb(env, tenantId);
      const call = { db, config, tenantId, findFacts: facts.find.bind(facts) };
      const { events } = await decryptPage(call, { events: [proof.event], nextAfter: null });
      const [event] = events;
      if (event === undefined) throw new AppError("unavailable");
      return respond(200, {
        format,
        version,
        event: omitUnproven(showEvent(event)),
        proof: showInclusionProof(proof),
        checkpoint: showCheckpoint(proof.head),
        keys: await showPublicKeys(config),
      });
    },
  ),
];
