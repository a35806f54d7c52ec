/** Signed tree heads, inclusion proofs and public keys in the JSON of the API. */
import { z } from "zod";
import { parseNote } from "../audit/tree/note.ts";
import type { InclusionProof } from "../audit/tree/prove.ts";
import { listPublicKeys } from "../audit/tree/signer.ts";
import { toHex } from "../crypto/bytes.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { id, instant, sha256, toRfc3339 } from "../http/schemas.ts";

export const checkpointSchema = z
  .object({
    origin: z.string().meta({
      description: "The name of the tenant's log.",
      examples: ["edge-idp/67c9a1b2c3d4e5f60718293a"],
    }),
    tree_size: z.int().min(1),
    root_hash: sha256,
    sealed_at: instant,
    public_key: z.string().meta({
      description: "The raw Ed25519 public key of the signature, base64.",
      examples: [`${"A".repeat(43)}=`],
    }),
    note: z.string().meta({
      description: "The signed text and its signature: a signed note (c2sp.org/signed-note).",
    }),
  })
  .meta({ id: "Checkpoint" });

/** @throws AppError `unavailable` if the note is not one of this service */
export function showCheckpoint(head: {
  readonly note: string;
  readonly publicKey: string;
}): z.input<typeof checkpointSchema> {
  const checkpoint = parseNote(head.note);
  if (checkpoint === undefined) throw new AppError("unavailable");
  return {
    origin: checkpoint.origin,
    tree_size: checkpoint.size,
    root_hash: toHex(checkpoint.root),
    sealed_at: toRfc3339(checkpoint.signedAt),
    public_key: head.publicKey,
    note: head.note,
  };
}

export const inclusionProofSchema = z.object({
  event_id: id,
  leaf_index: z.int().min(0),
  leaf_hash: sha256,
  tree_size: z.int().min(1),
  hashes: z.array(sha256).meta({ description: "The hashes of the proof, from the leaf upwards." }),
});

export function showInclusionProof({
  event,
  head,
  ...proof
}: InclusionProof): z.input<typeof inclusionProofSchema> {
  return {
    event_id: event.id,
    leaf_index: event.leafIndex,
    leaf_hash: proof.leafHash,
    tree_size: head.size,
    hashes: [...proof.hashes],
  };
}

export const publicKeySchema = z
  .object({
    version: z.int().min(1),
    algorithm: z.literal("Ed25519"),
    public_key: z.string().meta({
      description: "The raw public key of 32 bytes, base64.",
      examples: [`${"A".repeat(43)}=`],
    }),
    current: z.boolean().meta({
      description: "True for the key that signs now. The others verify older signatures.",
    }),
  })
  .meta({ id: "AuditPublicKey" });

/** The keys, the newest first. */
export async function showPublicKeys(config: Config): Promise<z.input<typeof publicKeySchema>[]> {
  const keys = await listPublicKeys(config.auditSigningKeys);
  return keys.map(({ version, publicKey, current }) => ({
    version,
    algorithm: "Ed25519",
    public_key: publicKey,
    current,
  }));
}
