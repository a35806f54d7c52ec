/** What became of the entries of a file. */
export const outcomes = ["created", "added", "skipped", "failed", "refused", "left_out"] as const;
export type Outcome = (typeof outcomes)[number];
export type Counts = Readonly<Record<Outcome, number>>;

export const noCounts: Counts = {
  created: 0,
  added: 0,
  skipped: 0,
  failed: 0,
  refused: 0,
  left_out: 0,
};

export function addCounts(one: Counts, other: Counts): Counts {
  return {
    created: one.created + other.created,
    added: one.added + other.added,
    skipped: one.skipped + other.skipped,
    failed: one.failed + other.failed,
    refused: one.refused + other.refused,
    left_out: one.left_out + other.left_out,
  };
}

export function countOutcomes(found: readonly { readonly outcome: Outcome }[]): Counts {
  const counts = { ...noCounts };
  for (const { outcome } of found) counts[outcome] += 1;
  return counts;
}

export function countEntries(counts: Counts): number {
  return outcomes.reduce((sum, outcome) => sum + counts[outcome], 0);
}
