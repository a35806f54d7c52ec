/** Verifies proofs of the API (RFC 9162, sections 2.1.3 and 2.1.4) together with the checkpoints that they lead to. */
import { hex } from "@scure/base";
import * as merkle from "../../../../src/audit/tree/verify-proof.ts";
import { toHex } from "../../../../src/crypto/bytes.ts";
import type {
  AuditEvent,
  AuditEventBundle,
  AuditPublicKey,
  Checkpoint,
  ConsistencyProof,
  EventProof,
  NewestCheckpoint,
} from "../types.ts";
import { CannotVerifyError } from "./cannot-verify-error.ts";
import { openCheckpoints } from "./checkpoints.ts";
import { findPersonalProblem, hashEvent, type ShownEvent, shownEvent } from "./event.ts";
import {
  count,
  describeFault,
  hash,
  listOf,
  objectWith,
  type Shape,
  text,
  unwrap,
} from "./shape.ts";
import type { CheckpointVerdict, Problem, SignedCheckpoint } from "./verdict.ts";

/** The shape of an inclusion proof. */
export const inclusionProof = objectWith({
  event_id: text,
  leaf_index: count,
  leaf_hash: hash,
  tree_size: count,
  hashes: listOf(hash),
});
const inclusionAnswer = objectWith({ proof: inclusionProof });
const consistencyProof = objectWith({ from: count, to: count, hashes: listOf(hash) });

/** What `audit.keys()` returns, or the whole answer of `GET /v1/audit/keys`. */
export type Keys = readonly AuditPublicKey[] | { readonly keys: readonly AuditPublicKey[] };

/** Checked at run time too, because answers come over the network. @throws CannotVerifyError */
export function requireShape<T>(value: unknown, shape: Shape, what: string): asserts value is T {
  const fault = shape(value);
  if (fault === undefined) return;
  throw new CannotVerifyError(`${what}: ${describeFault(fault)}`);
}

/** Why the proof is not one of the event as it is shown. @throws CannotVerifyError */
function findEventProblem(event: ShownEvent, { proof }: EventProof): Problem | undefined {
  const { leaf_index: leaf } = event;
  const describe = (kind: Problem["kind"], message: string) => ({ leaf, kind, message });
  if (proof.event_id !== event.id || proof.leaf_index !== leaf) {
    return describe("changed", `the proof is not about leaf ${leaf}, event ${event.id}`);
  }
  try {
    if (toHex(hashEvent(event)) !== proof.leaf_hash) {
      return describe("changed", `leaf ${leaf} was changed`);
    }
    const personal = findPersonalProblem(event);
    return personal === undefined ? undefined : describe("personal", `leaf ${leaf}: ${personal}`);
  } catch (cause) {
    // Such as a lone surrogate, which has no UTF-8.
    throw new CannotVerifyError("The event given has a value that no leaf can have", { cause });
  }
}

/** Why the proof does not lead to the root in the checkpoint. */
function findPathProblem({ proof }: EventProof, { head }: SignedCheckpoint): string | undefined {
  if (proof.tree_size !== head.size) {
    return `the proof is for a tree of ${proof.tree_size} leaves, and the checkpoint covers ${head.size}`;
  }
  const isProven = merkle.verifyInclusion({
    leaf: hex.decode(proof.leaf_hash),
    index: proof.leaf_index,
    size: head.size,
    proof: proof.hashes.map((text) => hex.decode(text)),
    root: head.root,
  });
  return isProven ? undefined : "the proof does not lead to the root in the checkpoint";
}

function connectsRoots(
  proof: ConsistencyProof,
  older: SignedCheckpoint,
  newest: SignedCheckpoint,
): boolean {
  if (proof.from !== older.head.size || proof.to !== newest.head.size) return false;
  return merkle.verifyConsistency({
    from: older.head.size,
    to: newest.head.size,
    fromRoot: older.head.root,
    toRoot: newest.head.root,
    proof: proof.hashes.map((text) => hex.decode(text)),
  });
}

/**
 * Verifies that the log contains an event, as it is shown: the event gives the leaf, the proof leads from there to the
 * root in the checkpoint, and the checkpoint is signed.
 * @param given.event from the list of events, or a line of the export
 * @param given.proof the answer of `GET /v1/audit/events/{id}/proof`
 * @param given.checkpoint a checkpoint of the same tree, from elsewhere; by default the one in the answer
 * @param given.keys accept only these keys: an answer of `GET /v1/audit/keys` that was kept from earlier
 * @throws CannotVerifyError if one of them is something else, or the runtime lacks Ed25519
 */
export async function verifyInclusion(given: {
  readonly event: AuditEvent | AuditEventBundle["event"];
  readonly proof: EventProof;
  readonly checkpoint?: Checkpoint | NewestCheckpoint | undefined;
  readonly keys?: Keys | undefined;
}): Promise<CheckpointVerdict> {
  const { event, proof: answer, keys } = given;
  requireShape<ShownEvent>(event, shownEvent, "The event given is not one of the audit trail");
  const source = "GET /v1/audit/events/{id}/proof";
  requireShape<EventProof>(
    answer,
    inclusionAnswer,
    `The proof given is not an answer of ${source}`,
  );
  const checkpoint = given.checkpoint ?? answer.checkpoint;
  const { newest, older, ...opened } = await openCheckpoints({ newest: checkpoint, keys });
  const problems = [...opened.problems];
  const wrong = findEventProblem(event, answer);
  if (wrong !== undefined) problems.push(wrong);
  const message = newest === undefined ? undefined : findPathProblem(answer, newest);
  if (message !== undefined) problems.push({ leaf: event.leaf_index, kind: "tree", message });
  return { ok: problems.length === 0, problems, newest, older };
}

/**
 * Verifies that a newer tree begins with the leaves of an older one: both checkpoints are signed, and the proof leads
 * from the one root to the other.
 * @param given.older a checkpoint that was kept from earlier
 * @param given.newest the newest checkpoint
 * @param given.proof the answer of `GET /v1/audit/consistency` from the older size to the newer one
 * @param given.keys accept only these keys: an answer of `GET /v1/audit/keys` that was kept from earlier
 * @throws CannotVerifyError if one of them is something else, or the runtime lacks Ed25519
 */
export async function verifyConsistency(given: {
  readonly older: Checkpoint | NewestCheckpoint;
  readonly newest: Checkpoint | NewestCheckpoint;
  readonly proof: ConsistencyProof | { readonly proof: ConsistencyProof };
  readonly keys?: Keys | undefined;
}): Promise<CheckpointVerdict> {
  const proof = unwrap(given.proof, "proof");
  const source = "GET /v1/audit/consistency";
  requireShape<ConsistencyProof>(
    proof,
    consistencyProof,
    `The proof given is not an answer of ${source}`,
  );
  const { areComparable, newest, older, ...opened } = await openCheckpoints({
    newest: given.newest,
    // Without it nothing would be compared, and in JavaScript no compiler demands it.
    older: given.older ?? null,
    keys: given.keys,
  });
  const problems = [...opened.problems];
  if (areComparable && newest && older && !connectsRoots(proof, older, newest)) {
    const message =
      "the proof does not show that the newer tree begins with the leaves of the older checkpoint";
    problems.push({ leaf: null, kind: "rewritten", message });
  }
  return { ok: problems.length === 0, problems, newest, older };
}
