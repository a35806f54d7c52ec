/** Reads saved checkpoints of an audit log. Only the signed note counts; the other fields are for people. */
import { base64 } from "@scure/base";
import { z } from "zod";
import { keyHashOf, parseNote, type SignedHead } from "../../src/audit/tree/note.ts";
import { toHex } from "../../src/crypto/bytes.ts";
import { isSignedBy } from "../../src/crypto/signing.ts";
import { Failure } from "./failure.ts";

const checkpoint = z.object({
  origin: z.string(),
  tree_size: z.int(),
  root_hash: z.string(),
  sealed_at: z.string(),
  public_key: z.string(),
  note: z.string(),
});
const savedCheckpoint = z.union([
  z.object({ checkpoint }).transform((answer) => answer.checkpoint),
  checkpoint,
]);
const savedKeys = z.object({
  keys: z.array(z.object({ algorithm: z.literal("Ed25519"), public_key: z.string() })).min(1),
});

/** A checkpoint with a valid signature. */
export interface Checkpoint {
  readonly head: SignedHead;
  /** The key that signed it, base64. */
  readonly publicKey: string;
}

function parseSaved<T>(schema: z.ZodType<T>, text: string, which: string, source: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new Failure(`The ${which} given is not a saved answer of ${source}.`);
  }
}

/** The public keys, base64, of a saved answer of `GET /v1/audit/keys`. @throws Failure */
export function readKeys(text: string): string[] {
  const { keys } = parseSaved(savedKeys, text, "list of keys", "GET /v1/audit/keys");
  return keys.map(({ public_key }) => public_key);
}

/** Whether the key signed the head; false for a text that is no key. */
async function hasSigned(publicKey: string, head: SignedHead): Promise<boolean> {
  try {
    const key = new Uint8Array(base64.decode(publicKey));
    if (toHex(keyHashOf(head.origin, key)) !== toHex(head.keyHash)) return false;
    return await isSignedBy(key, head.signature, head.body);
  } catch {
    return false;
  }
}

/** The reason why a checkpoint is not valid. */
export interface Objection {
  readonly kind: "checkpoint" | "key";
  readonly message: string;
}

/**
 * Checks the signature of a saved checkpoint, and that its other fields repeat the note.
 * @param which how messages name it
 * @param pinned the only public keys, base64, to accept
 * @throws Failure if the text is not a saved answer of `GET /v1/audit/checkpoint`
 */
export async function openCheckpoint(
  text: string,
  which: "checkpoint" | "older checkpoint",
  pinned: readonly string[] | undefined,
): Promise<Checkpoint | Objection> {
  const saved = parseSaved(savedCheckpoint, text, which, "GET /v1/audit/checkpoint");
  const { note, public_key: publicKey } = saved;
  const head = parseNote(note);
  if (head === undefined) {
    return { kind: "checkpoint", message: `the note of the ${which} is not one of an audit log` };
  }
  if (pinned !== undefined && !pinned.includes(publicKey)) {
    const message = `the ${which} is signed by a key that is not among --keys: ${publicKey}`;
    return { kind: "key", message };
  }
  if (!(await hasSigned(publicKey, head))) {
    return { kind: "checkpoint", message: `the ${which} is not signed by the key that it names` };
  }
  if (
    saved.origin !== head.origin ||
    saved.tree_size !== head.size ||
    saved.root_hash !== toHex(head.root) ||
    saved.sealed_at !== new Date(head.signedAt).toISOString()
  ) {
    const message = `the ${which} says something else beside its signed note than in it`;
    return { kind: "checkpoint", message };
  }
  return { head, publicKey };
}
