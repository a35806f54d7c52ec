/** Checks proofs like a tenant, because the bench must not measure invalid ones. */
import { hex } from "@scure/base";
import { verifyConsistency, verifyInclusion } from "../../src/audit/tree/verify-proof.ts";
import type { Checkpoint, InclusionAnswer } from "./client.ts";

/** @throws Error if the proof is not valid */
export function checkInclusion({ proof, checkpoint }: InclusionAnswer): void {
  const isValid = verifyInclusion({
    leaf: hex.decode(proof.leaf_hash),
    index: proof.leaf_index,
    size: proof.tree_size,
    proof: proof.hashes.map(hex.decode),
    root: hex.decode(checkpoint.root_hash),
  });
  if (!isValid) throw new Error(`The proof of leaf ${proof.leaf_index} is not valid`);
}

/** @throws Error if the proof is not valid */
export function checkConsistency(
  from: Checkpoint,
  to: Checkpoint,
  hashes: readonly string[],
): void {
  const isValid = verifyConsistency({
    from: from.tree_size,
    to: to.tree_size,
    fromRoot: hex.decode(from.root_hash),
    toRoot: hex.decode(to.root_hash),
    proof: hashes.map(hex.decode),
  });
  if (!isValid) throw new Error(`The consistency proof from ${from.tree_size} is not valid`);
}
