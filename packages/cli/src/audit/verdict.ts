/** Formats the verdict about an audit trail. */
import type { SignedCheckpoint, Verdict } from "@edge-idp/sdk/audit";

function countUncovered({ leaves, newest }: Verdict): number {
  return Math.max(0, leaves - (newest?.head.size ?? 0));
}

function formatTime({ head }: SignedCheckpoint): string {
  return new Date(head.signedAt).toISOString();
}

export function formatJson(verdict: Verdict): string {
  const { ok, problems, leaves, newest, older } = verdict;
  return JSON.stringify({
    ok,
    problems,
    leaves,
    not_covered: newest === undefined ? null : countUncovered(verdict),
    origin: newest?.head.origin ?? null,
    tree_size: newest?.head.size ?? null,
    sealed_at: newest === undefined ? null : formatTime(newest),
    public_key: newest?.publicKey ?? null,
    older_tree_size: older?.head.size ?? null,
  });
}

/** @param isPinned whether the officer said which keys are the service's */
export function formatText(verdict: Verdict, isPinned: boolean): string {
  const { ok, problems, leaves, newest, older } = verdict;
  const lines: string[] = [];
  const covers = (checkpoint: SignedCheckpoint) =>
    `${checkpoint.head.size} leaves, signed at ${formatTime(checkpoint)}`;
  if (newest !== undefined) {
    const known = isPinned
      ? "one of --keys"
      : "compare it with a copy of /v1/audit/keys kept from earlier";
    const beyond = countUncovered(verdict);
    lines.push(`Log:        ${newest.head.origin}`);
    lines.push(`Checkpoint: ${covers(newest)}`);
    lines.push(`Signed by:  ${newest.publicKey} (${known})`);
    if (older !== undefined) lines.push(`Older:      ${covers(older)}`);
    const rest = beyond === 0 ? "" : `, ${beyond} of them not covered by the checkpoint`;
    lines.push(`Export:     ${leaves} leaves read${rest}`, "");
  }
  lines.push(
    ok
      ? "VERIFIED: every event under the checkpoint is as it was recorded, and none is missing or added."
      : "NOT VERIFIED",
  );
  for (const { message } of problems) lines.push(`  ${message}`);
  return lines.join("\n");
}
