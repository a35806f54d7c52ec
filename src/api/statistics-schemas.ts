/** What the answers about statistics share. */
import { z } from "zod";
import type { Coverage } from "../audit/statistics/store.ts";
import { createInvalidRequest } from "../errors.ts";

export const count = z.int().min(0);

export const coverageFields = {
  counted_events: count.meta({
    description: "How many events of the log are counted, from the first on.",
  }),
  complete: z.boolean().meta({
    description:
      "Whether all integrated events are counted. False while older events are still being counted.",
  }),
};

export function showCoverage({ countedSize, size }: Coverage) {
  return { counted_events: countedSize, complete: countedSize === size };
}

/** @throws AppError `invalid_request` */
export function requireInOrder({ from, to }: { readonly from: number; readonly to: number }): void {
  if (from >= to) throw createInvalidRequest([{ path: "from", message: "must be before `to`" }]);
}
