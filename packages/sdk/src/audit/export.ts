/**
 * Verifies an exported audit trail against signed heads, with the hashing of src/audit/tree/merkle.ts. It
 * recomputes each leaf from the exported event and trusts only the signed root. `leaf_hash`, the hash in the
 * service's own tree, only helps to name the wrong leaf.
 *
 * Memory: one hash for each bit of the number of leaves, and one entry for each user whose erasure has not been read.
 */
import { hex } from "@scure/base";
import { TreeHasher } from "../../../../src/audit/tree/merkle.ts";
import type { TreeHead } from "../../../../src/audit/tree/note.ts";
import { type ByteSource, iterateBytes } from "./bytes.ts";
import { findPersonalProblem } from "./event.ts";
import { readLines } from "./lines.ts";
import type { Problem } from "./verdict.ts";

/** The bound on reported leaves: if events were shifted, every later leaf is wrong. */
const maxReportedLeaves = 10;

const damagedTree = " is as it was signed, but the tree has another hash for it";
const goneForGood =
  ": its personal parts are gone, and no erasure follows (if the user was erased just now, take checkpoint and export again)";

function describeMisplaced(expected: number, index: number): Problem {
  if (index < expected) {
    const message = `leaf ${index} appears twice or out of order, where leaf ${expected} belongs`;
    return { leaf: index, kind: "order", message };
  }
  const whole = expected === 0 ? "; only an export from leaf 0 on can be verified" : "";
  return {
    leaf: expected,
    kind: "missing",
    message: `${describeMissing(expected, index)}${whole}`,
  };
}

function describeMissing(from: number, below: number): string {
  return from === below - 1
    ? `leaf ${from} is missing`
    : `leaves ${from} to ${below - 1} are missing`;
}

/** Finds at which leaves the service's tree has these hashes. */
async function findLeafIndexes(hashes: ReadonlySet<string>, chunks: AsyncIterable<Uint8Array>) {
  const indexes = new Map<string, number>();
  for await (const line of readLines(chunks)) {
    if (typeof line === "string") break;
    const { leaf_hash, leaf_index } = line.event;
    if (leaf_hash !== null && hashes.has(leaf_hash)) indexes.set(leaf_hash, leaf_index);
  }
  return indexes;
}

function describeRewrite(
  newest: TreeHead,
  older: TreeHead | undefined,
  fits: ReadonlySet<TreeHead>,
) {
  if (older !== undefined && !fits.has(older) && fits.has(newest)) {
    return `the first ${older.size} leaves are not those of the older checkpoint: history was rewritten and signed anew`;
  }
  if (fits.has(newest)) return undefined;
  const since =
    older === undefined
      ? ""
      : fits.has(older)
        ? `; the first ${older.size} leaves are still those of the older checkpoint`
        : `; already the first ${older.size} leaves are not those of the older checkpoint`;
  return `the tree under this export is not the signed one: history was rewritten with fresh hashes${since}`;
}

/**
 * @param read reads the export from its start; called a second time to find moved leaves
 * @returns the problems, ordered by leaf and those of the whole trail last, and the number of leaves read
 */
export async function verifyExport(
  read: () => ByteSource | Promise<ByteSource>,
  newest: TreeHead,
  older?: TreeHead,
): Promise<{ readonly problems: readonly Problem[]; readonly leaves: number }> {
  /** The trees over the recomputed leaves, and over `leaf_hash`. */
  const recomputed = new TreeHasher();
  const stored = new TreeHasher();
  /** The heads whose root the recomputed leaves give, and those that either tree gives. */
  const proven = new Set<TreeHead>();
  const known = new Set<TreeHead>();
  const compare = () => {
    for (const head of [newest, older]) {
      if (head === undefined || head.size !== recomputed.size) continue;
      const isRoot = (tree: TreeHasher) => hex.encode(tree.root()) === hex.encode(head.root);
      if (isRoot(recomputed)) proven.add(head);
      if (isRoot(recomputed) || isRoot(stored)) known.add(head);
    }
  };
  const problems: Problem[] = [];
  const report = (leaf: number, kind: Problem["kind"], message: string) =>
    problems.push({ leaf, kind, message: `leaf ${leaf}${message}` });
  /** Leaves that differ from the service's tree, with their recomputed hashes. */
  const different: { readonly leaf: number; readonly hash: string }[] = [];
  /** For each target the first leaf without its personal parts, until an erasure or the tenant's deletion follows. */
  const erasedFrom = new Map<string, number>();
  let end: Problem | undefined;

  compare();
  for await (const line of readLines(iterateBytes(await read()))) {
    const leaf = recomputed.size;
    if (typeof line === "string") {
      end = { leaf, kind: "malformed", message: `line ${leaf + 1} ${line}` };
      break;
    }
    const { event, leafHash } = line;
    if (event.leaf_index !== leaf) {
      end = describeMisplaced(leaf, event.leaf_index);
      break;
    }
    const { target, leaf_hash } = event;
    const hash = hex.encode(leafHash);
    const personal = findPersonalProblem(event);
    if (problems.length + different.length < maxReportedLeaves) {
      if (leaf_hash === null) report(leaf, "tree", ": the tree has no hash for it");
      else if (leaf_hash !== hash) different.push({ leaf, hash });
      else if (personal !== undefined) report(leaf, "personal", `: ${personal}`);
    }
    // An erasure counts only if the signature covers it.
    if (leaf < newest.size) {
      const isGone = event.personal_digest !== null && event.personal === null && event.erased;
      if (isGone && !erasedFrom.has(target.id)) erasedFrom.set(target.id, leaf);
      if (event.outcome === "success" && event.action === "user.erased") {
        erasedFrom.delete(target.id);
      }
      // The deletion of the tenant destroys the keys of all events.
      if (event.outcome === "success" && event.action === "tenant.deleted") erasedFrom.clear();
    }
    recomputed.append(leafHash);
    stored.append(leaf_hash === null ? leafHash : hex.decode(leaf_hash));
    compare();
  }

  const leaves = recomputed.size;
  const signed = Math.max(0, ...[...proven].map(({ size }) => size));
  const indexes = different.some(({ leaf }) => leaf >= signed)
    ? await findLeafIndexes(new Set(different.map(({ hash }) => hash)), iterateBytes(await read()))
    : new Map<string, number>();
  for (const { leaf, hash } of different) {
    const index = indexes.get(hash);
    if (leaf < signed) report(leaf, "tree", damagedTree);
    else if (index === undefined) report(leaf, "changed", " was changed");
    else report(leaf, "moved", ` was moved: it holds what belongs to leaf ${index}`);
  }
  for (const leaf of [...erasedFrom.values()].filter((n) => !problems.some((p) => p.leaf === n))) {
    report(leaf, "personal", goneForGood);
  }
  problems.sort((one, other) => (one.leaf ?? 0) - (other.leaf ?? 0)).splice(maxReportedLeaves);
  if (end !== undefined) problems.push(end);
  else if (leaves < newest.size) {
    const message = `${describeMissing(leaves, newest.size)} (or the export is incomplete: request the rest with from=${leaves})`;
    problems.push({ leaf: leaves, kind: "missing", message });
  } else {
    const message = describeRewrite(newest, older, known);
    if (message !== undefined) problems.push({ leaf: null, kind: "rewritten", message });
  }
  return { problems, leaves };
}
