/** Opens the checkpoints and keys of an audit log. Only the signed note of a checkpoint counts. */
import { base64 } from "@scure/base";
import { keyHashOf, parseNote, type SignedHead } from "../../../../src/audit/tree/note.ts";
import { toHex } from "../../../../src/crypto/bytes.ts";
import { isSignedBy } from "../../../../src/crypto/signature.ts";
import type { AuditPublicKey, Checkpoint } from "../types.ts";
import { CannotVerifyError } from "./cannot-verify-error.ts";
import { count, hasShape, listOf, objectWith, text, unwrap } from "./shape.ts";
import type { Problem, SignedCheckpoint } from "./verdict.ts";

const checkpointShape = objectWith({
  origin: text,
  tree_size: count,
  root_hash: text,
  sealed_at: text,
  public_key: text,
  note: text,
});
const keysShape = listOf(objectWith({ algorithm: text, public_key: text }));

/** The public keys, base64, of an answer of `GET /v1/audit/keys`. @throws CannotVerifyError */
export function readKeys(answer: unknown): string[] {
  const keys = unwrap(answer, "keys");
  const areKeys =
    hasShape<readonly AuditPublicKey[]>(keys, keysShape) &&
    keys.length > 0 &&
    keys.every(({ algorithm }) => algorithm === "Ed25519");
  if (areKeys) return keys.map(({ public_key }) => public_key);
  throw new CannotVerifyError(
    "The list of keys given is not a saved answer of GET /v1/audit/keys.",
  );
}

function decodeKey(publicKey: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(base64.decode(publicKey));
  } catch {
    return undefined;
  }
}

/**
 * Whether the key signed the head; false for a text that is no key.
 * @throws CannotVerifyError if this runtime has no Ed25519: that says nothing about the signature
 */
async function hasSigned(publicKey: string, head: SignedHead): Promise<boolean> {
  const key = decodeKey(publicKey);
  if (key === undefined || toHex(keyHashOf(head.origin, key)) !== toHex(head.keyHash)) return false;
  try {
    return await isSignedBy(key, head.signature, head.body);
  } catch (cause) {
    throw new CannotVerifyError(
      "This runtime cannot verify Ed25519 signatures: use a newer one, and in a browser a page of https or localhost.",
      { cause },
    );
  }
}

/**
 * Checks the signature of a checkpoint, and that its other fields repeat the note.
 * @param answer `GET /v1/audit/checkpoint` or a checkpoint alone
 * @param which how messages name it
 * @param pinned the only public keys, base64, to accept
 * @returns the checkpoint, or why it is not valid
 * @throws CannotVerifyError if it is something else, or the runtime lacks Ed25519
 */
export async function openCheckpoint(
  answer: unknown,
  which: "checkpoint" | "older checkpoint",
  pinned: readonly string[] | undefined,
): Promise<SignedCheckpoint | Problem> {
  const saved = unwrap(answer, "checkpoint");
  if (!hasShape<Checkpoint>(saved, checkpointShape)) {
    throw new CannotVerifyError(
      `The ${which} given is not a saved answer of GET /v1/audit/checkpoint.`,
    );
  }
  const object = (kind: Problem["kind"], message: string) => ({ leaf: null, kind, message });
  const { note, public_key: publicKey } = saved;
  const head = parseNote(note);
  if (head === undefined) {
    return object("checkpoint", `the note of the ${which} is not one of an audit log`);
  }
  if (pinned !== undefined && !pinned.includes(publicKey)) {
    const message = `the ${which} is signed by a key that is not among --keys: ${publicKey}`;
    return object("key", message);
  }
  if (!(await hasSigned(publicKey, head))) {
    return object("checkpoint", `the ${which} is not signed by the key that it names`);
  }
  if (
    saved.origin !== head.origin ||
    saved.tree_size !== head.size ||
    saved.root_hash !== toHex(head.root) ||
    saved.sealed_at !== new Date(head.signedAt).toISOString()
  ) {
    const message = `the ${which} says something else beside its signed note than in it`;
    return object("checkpoint", message);
  }
  const { origin, size, root, signedAt } = head;
  return { head: { origin, size, root, signedAt }, publicKey };
}
