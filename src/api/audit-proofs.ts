/** Signed tree heads, and the proofs that the log was not changed. */
import { z } from "zod";
import { maxIntegrationSeconds } from "../audit/tree/integrate.ts";
import { findNewestHead, proveConsistency, proveInclusion } from "../audit/tree/prove.ts";
import { listWitnessedHeads } from "../audit/tree/witness-kv.ts";
import { anyone, requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { createIntegerSchema, limit, sha256 } from "../http/schemas.ts";
import {
  checkpointSchema,
  inclusionProofSchema,
  publicKeySchema,
  showCheckpoint,
  showInclusionProof,
  showPublicKeys,
} from "./checkpoint-schema.ts";

export const auditProofRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/checkpoint",
      name: "getCheckpoint",
      summary: "Get the newest signed tree head",
      description: "Returns the newest signed tree head of the trail.",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: none,
      responses: {
        200: {
          description: "The tree head, which covers every event that has arrived.",
          body: z.object({
            checkpoint: checkpointSchema,
            sealed_within_seconds: z.int().meta({
              description:
                "Seconds within which an event is normally covered by a tree head, without any request.",
            }),
          }),
        },
      },
      errors: ["not_found"],
    },
    async (request) =>
      respond(200, {
        checkpoint: showCheckpoint(await findNewestHead(request)),
        sealed_within_seconds: maxIntegrationSeconds,
      }),
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/checkpoints",
      name: "listCheckpoints",
      summary: "List the tree heads that the witness keeps, newest first",
      description: "Lists the signed tree heads that the witness has kept.",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: z.strictObject({
        limit,
        after: createIntegerSchema(1).optional().meta({
          description:
            "Lists the heads of trees smaller than this: the `next_after` of the previous page.",
        }),
      }),
      responses: {
        200: {
          description: "A page of tree heads. Every hour with new events has at least one.",
          body: z.object({
            checkpoints: z.array(checkpointSchema),
            has_more: z.boolean(),
            next_after: z.int().nullable(),
          }),
        },
      },
    },
    async ({ env, caller: { tenantId }, query }) => {
      const heads = await listWitnessedHeads(env, tenantId, query.limit + 1, query.after);
      const checkpoints = heads.slice(0, query.limit).map(showCheckpoint);
      const hasMore = heads.length > query.limit;
      const last = checkpoints.at(-1);
      return respond(200, {
        checkpoints,
        has_more: hasMore,
        next_after: hasMore && last !== undefined ? last.tree_size : null,
      });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/events/:id/proof",
      name: "proveAuditEvent",
      summary: "Prove that an event is in the log (RFC 9162 §2.1.3)",
      description: "Returns the inclusion proof of one event (RFC 9162, section 2.1.3).",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: z.strictObject({
        leaf_index: createIntegerSchema(0).optional().meta({
          description: "The event's position. It is required once the event is in the archive.",
        }),
      }),
      responses: {
        200: {
          description: "The proof, and the tree head that it leads to.",
          body: z.object({
            proof: inclusionProofSchema,
            checkpoint: checkpointSchema,
          }),
        },
      },
      errors: ["not_found"],
    },
    async (request) => {
      const proof = await proveInclusion(request, request.param("id"), request.query.leaf_index);
      return respond(200, {
        proof: showInclusionProof(proof),
        checkpoint: showCheckpoint(proof.head),
      });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/consistency",
      name: "proveAuditConsistency",
      summary: "Prove that an older tree is a prefix of a newer one (RFC 9162 §2.1.4)",
      description:
        "Returns the proof that a later tree contains an earlier one (RFC 9162, section 2.1.4).",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: z.strictObject({
        from: createIntegerSchema(1).meta({ description: "The size of the older tree." }),
        to: createIntegerSchema(1)
          .optional()
          .meta({ description: "The size of the newer tree. Default: the newest." }),
      }),
      responses: {
        200: {
          description: "The proof.",
          body: z.object({
            proof: z.object({
              from: z.int().min(1),
              to: z.int().min(1),
              hashes: z.array(sha256),
            }),
          }),
        },
      },
      errors: ["not_found"],
    },
    async (request) => {
      const { from, to } = request.query;
      const { hashes, ...sizes } = await proveConsistency(request, from, to);
      return respond(200, { proof: { ...sizes, hashes: [...hashes] } });
    },
  ),
  defineRoute(
    {
      method: "get",
      path: "/v1/audit/keys",
      name: "listAuditKeys",
      summary: "List the public keys that sign tree heads",
      description: "Lists the public keys that verify tree heads.",
      tag: "Audit",
      access: anyone,
      body: none,
      query: none,
      responses: {
        200: {
          description: "The keys, the newest first.",
          body: z.object({ keys: z.array(publicKeySchema) }),
        },
      },
    },
    async ({ config }) => respond(200, { keys: await showPublicKeys(config) }),
  ),
];
