/** The signed heads of the trail, and the proofs that nothing in it was changed. */
import { z } from "zod";
import { parseNote } from "../audit/tree/note.ts";
import { findNewestHead, proveConsistency, proveInclusion } from "../audit/tree/prove.ts";
import { maxIntegrationSeconds } from "../audit/tree/integrate.ts";
import { listPublicKeys } from "../audit/tree/signer.ts";
import { listWitnessedHeads } from "../audit/tree/witness.ts";
import { toHex } from "../crypto/bytes.ts";
import { AppError } from "../errors.ts";
import { anybody, tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { count, id, instant, limit, rfc3339, sha256 } from "../http/schemas.ts";

const checkpointAnswer = z
  .object({
    origin: z.string().meta({ description: "Name of the tenant's log." }),
    tree_size: z.int().min(1),
    root_hash: sha256,
    sealed_at: instant,
    public_key: z.string().meta({ description: "Raw Ed25519 key of the signature, base64." }),
    note: z.string().meta({
      description: "What is signed, with its signature: a signed note (c2sp.org/signed-note).",
    }),
  })
  .meta({ id: "Checkpoint" });

function showCheckpoint(head: {
  readonly note: string;
  readonly publicKey: string;
}): z.input<typeof checkpointAnswer> {
  const read = parseNote(head.note);
  if (read === undefined) throw new AppError("unavailable");
  return {
    origin: read.origin,
    tree_size: read.size,
    root_hash: toHex(read.root),
    sealed_at: rfc3339(read.signedAt),
    public_key: head.publicKey,
    note: head.note,
  };
}

const keyAnswer = z
  .object({
    version: z.int().min(1),
    algorithm: z.literal("Ed25519"),
    public_key: z.string().meta({ description: "Raw, 32 bytes, base64." }),
    current: z
      .boolean()
      .meta({ description: "Signs now; the others are known for what they signed." }),
  })
  .meta({ id: "AuditPublicKey" });

export const treeRoutes = [
  route(
    {
      method: "get",
      path: "/v1/audit/checkpoint",
      name: "getCheckpoint",
      summary: "The newest signed head of the log",
      tag: "Audit",
      access: tenantWith("audit:read"),
      body: none,
      query: none,
      answers: {
        200: {
          description: "The head, over all that has arrived.",
          body: z.object({
            checkpoint: checkpointAnswer,
            sealed_within_seconds: z.int().meta({
              description: "From an event's arrival to a head over it, at rest and unasked.",
            }),
          }),
        },
      },
      errors: ["not_found"],
    },
    async (exchange) =>
      reply(200, {
        checkpoint: showCheckpoint(await findNewestHead(exchange)),
        sealed_within_seconds: maxIntegrationSeconds,
      }),
  ),
  route(
    {
      method: "get",
      path: "/v1/audit/checkpoints",
      name: "listCheckpoints",
      summary: "Earlier heads as the outside witness keeps them, newest first",
      tag: "Audit",
      access: tenantWith("audit:read"),
      body: none,
      query: z.strictObject({
        limit,
        after: count(1).optional().meta({
          description: "Heads of smaller trees than this: `next_after` of the page before.",
        }),
      }),
      answers: {
        200: {
          description: "A page of heads, at least one for every hour in which there was a new one.",
          body: z.object({
            checkpoints: z.array(checkpointAnswer),
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
      return reply(200, {
        checkpoints,
        has_more: hasMore,
        next_after: hasMore && last !== undefined ? last.tree_size : null,
      });
    },
  ),
  route(
    {
      method: "get",
      path: "/v1/audit/events/:id/proof",
      name: "proveAuditEvent",
      summary: "Proof that an event is in the log (RFC 9162 §2.1.3)",
      tag: "Audit",
      access: tenantWith("audit:read"),
      body: none,
      query: z.strictObject({
        leaf_index: count(0).optional().meta({
          description: "The event's place; needed once it has left for the archive.",
        }),
      }),
      answers: {
        200: {
          description: "The proof, and the head it leads to.",
          body: z.object({
            proof: z.object({
              event_id: id,
              leaf_index: z.int().min(0),
              leaf_hash: sha256,
              tree_size: z.int().min(1),
              hashes: z.array(sha256).meta({ description: "From the leaf up." }),
            }),
            checkpoint: checkpointAnswer,
          }),
        },
      },
      errors: ["not_found"],
    },
    async (exchange) => {
      const eventId = exchange.param("id");
      const { head, ...proof } = await proveInclusion(exchange, eventId, exchange.query.leaf_index);
      return reply(200, {
        proof: {
          event_id: eventId,
          leaf_index: proof.leafIndex,
          leaf_hash: proof.leafHash,
          tree_size: head.size,
          hashes: [...proof.hashes],
        },
        checkpoint: showCheckpoint(head),
      });
    },
  ),
  route(
    {
      method: "get",
      path: "/v1/audit/consistency",
      name: "proveAuditConsistency",
      summary: "Proof that an older head is a beginning of a newer one (RFC 9162 §2.1.4)",
      tag: "Audit",
      access: tenantWith("audit:read"),
      body: none,
      query: z.strictObject({
        from: count(1).meta({ description: "Size of the older tree." }),
        to: count(1)
          .optional()
          .meta({ description: "Size of the newer; the newest unless given." }),
      }),
      answers: {
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
    async (exchange) => {
      const { from, to } = exchange.query;
      const { hashes, ...sizes } = await proveConsistency(exchange, from, to);
      return reply(200, { proof: { ...sizes, hashes: [...hashes] } });
    },
  ),
  route(
    {
      method: "get",
      path: "/v1/audit/keys",
      name: "listAuditKeys",
      summary: "The public keys that sign the log",
      tag: "Audit",
      access: anybody,
      body: none,
      query: none,
      answers: {
        200: {
          description: "The newest first.",
          body: z.object({ keys: z.array(keyAnswer) }),
        },
      },
    },
    async ({ config }) => {
      const keys = await listPublicKeys(config.auditSigningKeys);
      return reply(200, {
        keys: keys.map(({ version, publicKey, current }) => ({
          version,
          algorithm: "Ed25519" as const,
          public_key: publicKey,
          current,
        })),
      });
    },
  ),
];
