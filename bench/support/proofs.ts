/** Proofs as a tenant checks them. A bench of proofs that do not hold would measure nothing. */
import { hex } from "@scure/base";
import { verifyConsistency, verifyInclusion } from "../../src/audit/tree/verify-proof.ts";
import type { Checkpoint, InclusionAnswer } from "./client.ts";

/** @throws Error where it does not hold */
export function checkInclusion({ proof, checkpoint }: InclusionAnswer): void {
  const holds = verifyInclusion({
    leaf: hex.decode(proof.leaf_hash),
    index: proof.leaf_index,
    size: proof.tree_size,
    proof: proof.hashes.map(hex.decode),
    root: hex.decode(checkpoint.root_hash),
  });
  if (!holds) throw new Error(`The proof of leaf ${proof.leaf_index} does not hold`);
}

/** @throws Error where it does not hold */
export function checkConsistency(
  from: Checkpoint,
  to: Checkpoint,
  hashes: readonly string[],
): void {
  const holds = verifyConsistency({
    from: from.tree_size,
    to: to.tree_size,
    fromRoot: hex.decode(from.root_hash),
    toRoot: hex.decode(to.root_hash),
    proof: hashes.map(hex.decode),
  });
  if (!holds) throw new Error(`The proof from ${from.tree_size} on does not hold`);
}
