/** `/v1/audit`: the trail, its signed heads, and the proofs that nothing in it was changed. */
import { z } from "zod";
import { toHex } from "../crypto/bytes.ts";
import { firstIdAt, identityIdOf } from "../crypto/id.ts";
import { dbFor } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { deliverGuard } from "../guard/client.ts";
import { anybody, tenantWith } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { count, externalId, id, instant, instantIn, limit, rfc3339 } from "../http/schemas.ts";
import { auditActions, auditOutcomes } from "./event.ts";
import { type ExportedEvent, exportTrail } from "./export.ts";
import { type OpenedEvent, opened } from "./open.ts";
import { newestHead, proveConsistency, proveInclusion } from "./prove.ts";
import { sealedWithinSeconds } from "./seal.ts";
import { publicKeys } from "./signer.ts";
import { listEvents } from "./store.ts";
import { readNote } from "./tree/note.ts";
import { listWitnessed } from "./witness.ts";

const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: "SHA-256, hex." });

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
    personal_digest: hash
      .nullable()
      .meta({ description: "What the log commits to of `personal`." }),
    erased: z.boolean().meta({ description: "The user was erased, and `personal` with the user." }),
  })
  .meta({ id: "AuditEvent" });

function shownEvent(event: OpenedEvent): z.input<typeof eventAnswer> {
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

function exportedEvent(event: ExportedEvent) {
  return { ...shownEvent(event), leaf_hash: event.leafHash };
}

const checkpointAnswer = z
  .object({
    origin: z.string().meta({ description: "Name of the tenant's log." }),
    tree_size: z.int().min(1),
    root_hash: hash,
    sealed_at: instant,
    public_key: z.string().meta({ description: "Raw Ed25519 key of the signature, base64." }),
    note: z.string().meta({
      description: "What is signed, with its signature: a signed note (c2sp.org/signed-note).",
    }),
  })
  .meta({ id: "Checkpoint" });

function shownCheckpoint(head: {
  readonly note: string;
  readonly publicKey: string;
}): z.input<typeof checkpointAnswer> {
  const read = readNote(head.note);
  if (read === undefined) throw new AppError("unavailable");
  return {
    origin: read.origin,
    tree_size: read.size,
    root_hash: toHex(read.root),
    sealed_at: rfc3339(read.sealedAt),
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
  .meta({ id: "AuditKey" });

const leafIndex = count(0);

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
            events: z.array(eventAnswer),
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
      if (identityId !== undefined) await deliverGuard(exchange, identityId);
      const db = dbFor(env, tenantId);
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
      const shown = (await opened(db, config, tenantId, events)).map(shownEvent);
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
        from: leafIndex
          .optional()
          .meta({ description: "The first leaf; to resume, the next one." }),
        to: leafIndex
          .optional()
          .meta({ description: "Leaves below this one; at most all sealed." }),
      }),
      answers: {
        200: {
          description:
            "A line an event: the objects of the list, with `leaf_hash`, what the tree has for the leaf. An answer ends early after 250,000 events: go on with the leaf after the last.",
          body: z.string(),
          contentType: "application/x-ndjson",
        },
      },
      errors: ["not_found"],
    },
    async (exchange) => {
      const { from = 0, to } = exchange.query;
      const { size } = await newestHead(exchange);
      const below = Math.min(to ?? size, size);
      return new Response(exportTrail(exchange, { from, below }, exportedEvent), {
        headers: { "Content-Type": "application/x-ndjson" },
      });
    },
  ),
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
        checkpoint: shownCheckpoint(await newestHead(exchange)),
        sealed_within_seconds: sealedWithinSeconds,
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
      const heads = await listWitnessed(env, tenantId, query.limit + 1, query.after);
      const checkpoints = heads.slice(0, query.limit).map(shownCheckpoint);
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
        leaf_index: leafIndex.optional().meta({
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
              leaf_hash: hash,
              tree_size: z.int().min(1),
              hashes: z.array(hash).meta({ description: "From the leaf up." }),
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
        checkpoint: shownCheckpoint(head),
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
              hashes: z.array(hash),
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
      const keys = await publicKeys(config.auditSigningKeys);
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
