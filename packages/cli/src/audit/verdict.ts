/** Formats the verdict about an audit trail, and what all verdicts of `edge-idp audit verify` have in common. */
import type { CheckpointVerdict, SignedCheckpoint, Verdict } from "@edge-idp/sdk/audit";

const adviceOnKeys = "compare it with a copy of /v1/audit/keys kept from earlier";

function countUncovered({ leaves, newest }: Verdict): number {
  return Math.max(0, leaves - (newest?.head.size ?? 0));
}

function formatTime({ head }: SignedCheckpoint): string {
  return new Date(head.signedAt).toISOString();
}

function describeExtent(checkpoint: SignedCheckpoint): string {
  return `${checkpoint.head.size} leaves, signed at ${formatTime(checkpoint)}`;
}

/** What the JSON of every verdict has. */
export function describeVerdict({ ok, problems, newest, older }: CheckpointVerdict) {
  return {
    ok,
    problems,
    origin: newest?.head.origin ?? null,
    tree_size: newest?.head.size ?? null,
    sealed_at: newest === undefined ? null : formatTime(newest),
    public_key: newest?.publicKey ?? null,
    older_tree_size: older?.head.size ?? null,
  };
}

/**
 * The lines about the checkpoints of a verdict.
 * @param source where the key comes from; without it, the line asks to compare the key
 */
export function formatCheckpoints(
  { newest, older }: CheckpointVerdict,
  source: string | undefined,
): string[] {
  if (newest === undefined) return [];
  return [
    `Log:        ${newest.head.origin}`,
    `Checkpoint: ${describeExtent(newest)}`,
    `Signed by:  ${newest.publicKey} (${source ?? adviceOnKeys})`,
    ...(older === undefined ? [] : [`Older:      ${describeExtent(older)}`]),
  ];
}

/** The last lines of a verdict. @param proven what a good verdict has proved */
export function formatConclusion({ ok, problems }: CheckpointVerdict, proven: string): string[] {
  return [
    ok ? `VERIFIED${proven}` : "NOT VERIFIED",
    ...problems.map(({ message }) => `  ${message}`),
  ];
}

export function formatTrailJson(verdict: Verdict): string {
  const { newest, leaves } = verdict;
  const { ok, problems, ...checkpoints } = describeVerdict(verdict);
  const notCovered = newest === undefined ? null : countUncovered(verdict);
  return JSON.stringify({ ok, problems, leaves, not_covered: notCovered, ...checkpoints });
}

/** @param isPinned whether the officer said which keys are the service's */
export function formatTrailText(verdict: Verdict, isPinned: boolean): string {
  const { leaves, newest } = verdict;
  const lines = formatCheckpoints(verdict, isPinned ? "one of --keys" : undefined);
  if (newest !== undefined) {
    const beyond = countUncovered(verdict);
    const rest = beyond === 0 ? "" : `, ${beyond} of them not covered by the checkpoint`;
    lines.push(`Export:     ${leaves} leaves read${rest}`, "");
  }
  const proven =
    ": every event under the checkpoint is as it was recorded, and none is missing or added.";
  return [...lines, ...formatConclusion(verdict, proven)].join("\n");
}
