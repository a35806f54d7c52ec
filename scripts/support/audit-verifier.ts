/**
 * Verifies an exported audit trail against signed heads; to be read beside src/audit/tree/merkle.ts.
 * It makes each leaf anew from the event as it is shown, and believes no hash but the signed root:
 * `leaf_hash`, what the service's own tree holds, only serves to name the leaf that is wrong.
 *
 * Memory: a hash per bit of the number of leaves, and an entry per user whose erasure is yet to come.
 */
import { hex } from "@scure/base";
import { personalDigest } from "../../src/audit/leaf.ts";
import { TreeHasher } from "../../src/audit/tree/merkle.ts";
import type { TreeHead } from "../../src/audit/tree/note.ts";
import { type ExportedEvent, readLines } from "./audit-lines.ts";

export interface Problem {
  /** The leaf it is about; null where it is about the whole. */
  readonly leaf: number | null;
  readonly kind:
    | "malformed"
    | "missing"
    | "order"
    | "changed"
    | "moved"
    | "tree"
    | "personal"
    | "rewritten"
    | "checkpoint"
    | "key";
  readonly message: string;
}

/** Problems of single leaves that are told: where events were shifted, every later leaf is wrong. */
const maxReportedLeaves = 10;

const damagedTree = " is as it was signed, but the tree has another hash for it";
const goneForGood =
  ": its personal parts are gone, and no erasure follows (if the user was erased just now, take checkpoint and export again)";

/** What is wrong with what is shown of a person; the leaf commits to it by a digest only. */
function findPersonalProblem({ personal, personal_digest, target, erased }: ExportedEvent) {
  if (target.external_id !== (personal?.external_id ?? null)) return "external_id is not its own";
  if (personal === null && personal_digest !== null) {
    return erased ? undefined : "its personal parts were changed and open no more";
  }
  if (personal !== null && personalDigest(personal) !== personal_digest) {
    return "its personal parts are not those that were sealed";
  }
  const rightly = personal === null && target.type === "identity";
  return erased === rightly ? undefined : "`erased` says the contrary of the rest";
}

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

/** Of these hashes those that the service's tree has somewhere, with their leaves. */
async function findLeafIndexes(hashes: ReadonlySet<string>, chunks: AsyncIterable<Uint8Array>) {
  const places = new Map<string, number>();
  for await (const line of readLines(chunks)) {
    if (typeof line === "string") break;
    const { leaf_hash, leaf_index } = line.event;
    if (leaf_hash !== null && hashes.has(leaf_hash)) places.set(leaf_hash, leaf_index);
  }
  return places;
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
 * @param read gives the export from its beginning; called again to say what was moved
 * @returns problems in the order of leaves, what is about the whole last; and how many leaves it read
 */
export async function verifyExport(
  read: () => AsyncIterable<Uint8Array>,
  newest: TreeHead,
  older?: TreeHead,
): Promise<{ readonly problems: readonly Problem[]; readonly leaves: number }> {
  /** The trees over the leaves as they are shown, and over `leaf_hash`. */
  const shown = new TreeHasher();
  const held = new TreeHasher();
  /** Heads whose root the shown leaves have, and those that one of the two trees has. */
  const proven = new Set<TreeHead>();
  const known = new Set<TreeHead>();
  const compare = () => {
    for (const head of [newest, older]) {
      if (head === undefined || head.size !== shown.size) continue;
      const isRoot = (tree: TreeHasher) => hex.encode(tree.root()) === hex.encode(head.root);
      if (isRoot(shown)) proven.add(head);
      if (isRoot(shown) || isRoot(held)) known.add(head);
    }
  };
  const problems: Problem[] = [];
  const tell = (leaf: number, kind: Problem["kind"], message: string) =>
    problems.push({ leaf, kind, message: `leaf ${leaf}${message}` });
  /** Leaves that are not what the service's tree holds, and the hash of what they are. */
  const unlike: { readonly leaf: number; readonly hash: string }[] = [];
  /** By target the first leaf whose personal parts are gone, until an erasure follows. */
  const gone = new Map<string, number>();
  let end: Problem | undefined;

  compare();
  for await (const line of readLines(read())) {
    const leaf = shown.size;
    if (typeof line === "string") {
      end = { leaf, kind: "malformed", message: `line ${leaf + 1} ${line}` };
      break;
    }
    const { event, leafHash: made } = line;
    if (event.leaf_index !== leaf) {
      end = describeMisplaced(leaf, event.leaf_index);
      break;
    }
    const { target, leaf_hash } = event;
    const hash = hex.encode(made);
    const personal = findPersonalProblem(event);
    if (problems.length + unlike.length < maxReportedLeaves) {
      if (leaf_hash === null) tell(leaf, "tree", ": the tree has no hash for it");
      else if (leaf_hash !== hash) unlike.push({ leaf, hash });
      else if (personal !== undefined) tell(leaf, "personal", `: ${personal}`);
    }
    // An erasure that no signature covers excuses nothing.
    if (leaf < newest.size) {
      const isGone = event.personal_digest !== null && event.personal === null && event.erased;
      if (isGone && !gone.has(target.id)) gone.set(target.id, leaf);
      if (event.action === "user.erased" && event.outcome === "success") gone.delete(target.id);
    }
    shown.append(made);
    held.append(leaf_hash === null ? made : hex.decode(leaf_hash));
    compare();
  }

  const leaves = shown.size;
  const signed = Math.max(0, ...[...proven].map(({ size }) => size));
  const places = unlike.some(({ leaf }) => leaf >= signed)
    ? await findLeafIndexes(new Set(unlike.map(({ hash }) => hash)), read())
    : new Map<string, number>();
  for (const { leaf, hash } of unlike) {
    const place = places.get(hash);
    if (leaf < signed) tell(leaf, "tree", damagedTree);
    else if (place === undefined) tell(leaf, "changed", " was changed");
    else tell(leaf, "moved", ` was moved: it holds what belongs to leaf ${place}`);
  }
  for (const leaf of [...gone.values()].filter((n) => !problems.some((p) => p.leaf === n))) {
    tell(leaf, "personal", goneForGood);
  }
  problems.sort((one, other) => (one.leaf ?? 0) - (other.leaf ?? 0)).splice(maxReportedLeaves);
  if (end !== undefined) problems.push(end);
  else if (leaves < newest.size) {
    const message = `${describeMissing(leaves, newest.size)} (or the export was taken before the checkpoint)`;
    problems.push({ leaf: leaves, kind: "missing", message });
  } else {
    const message = describeRewrite(newest, older, known);
    if (message !== undefined) problems.push({ leaf: null, kind: "rewritten", message });
  }
  return { problems, leaves };
}
