/** Concurrent requests, and a count of their answers. */
import type { Answer } from "../support/client.ts";

export async function sendAtOnce(
  n: number,
  request: (index: number) => Promise<Answer>,
): Promise<Answer[]> {
  return await Promise.all(Array.from({ length: n }, (_, index) => request(index)));
}

/** Counts the answers for each pair of status and code. A success has no code. */
export function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const kind = `${status} ${body?.code ?? ""}`.trim();
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
