/**
 * The counts of a tenant's newest hour, in the row of its tree head (pure). The head is written anyway, so that the
 * statistics get a row only when a later hour begins.
 */
import { z } from "zod";
import type { HourCounts } from "./count-events.ts";

const recentSchema = z.object({ hour: z.int(), counts: z.record(z.string(), z.number()) });

function parseRecentCounts(text: string | null): HourCounts | undefined {
  try {
    return text === null ? undefined : recentSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function addCounts(left: HourCounts["counts"], right: HourCounts["counts"]): HourCounts["counts"] {
  const sums: Record<string, number> = { ...left };
  for (const [counter, count] of Object.entries(right)) {
    sums[counter] = (sums[counter] ?? 0) + count;
  }
  return sums;
}

/**
 * Adds counts to those of the newest hour. The newest hour of all stays in the row of the head.
 * @param before the text in that row; one that was altered counts as none
 * @param added each hour once
 * @returns the row's new text, and the counts of the other hours, which `tenant_statistics` gets
 */
export function addToRecentCounts(
  before: string | null,
  added: readonly HourCounts[],
): { readonly recentCounts: string | null; readonly finishedHours: readonly HourCounts[] } {
  const byHour = new Map(added.map((one) => [one.hour, one]));
  const recent = parseRecentCounts(before);
  if (recent !== undefined) {
    const { hour, counts } = recent;
    byHour.set(hour, { hour, counts: addCounts(counts, byHour.get(hour)?.counts ?? {}) });
  }
  const newest = byHour.get(Math.max(...byHour.keys()));
  return {
    recentCounts: newest === undefined ? null : JSON.stringify(newest),
    finishedHours: [...byHour.values()].filter((one) => one !== newest),
  };
}
