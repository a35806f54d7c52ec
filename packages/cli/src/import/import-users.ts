/** Sends batches of users to the service, several at once, and records each that is done. */
import { type Batch, divide } from "./batch.ts";
import { countOutcomes } from "./counts.ts";
import type { Entry, ImportRow } from "./entry.ts";
import type { Journal, ReportState } from "./journal.ts";
import { describeEntry, type Reported, type RowResult } from "./report.ts";

/** Sends the rows of one batch. @returns the results in their order */
export type SendRows = (
  rows: readonly ImportRow[],
  /** Undefined in a dry run. */
  idempotencyKey: string | undefined,
) => Promise<readonly RowResult[]>;

export interface ImportPlan {
  readonly entries: AsyncIterable<Entry>;
  readonly send: SendRows;
  /** Undefined in a dry run. */
  readonly journal: Journal | undefined;
  /** Calls at once. */
  readonly concurrency: number;
  /** Ends the import after the calls that are under way. */
  readonly signal: AbortSignal;
  /** Is called for each batch that is done, one after the other. @returns the report with that batch */
  readonly onDone: (reported: readonly Reported[]) => ReportState;
}

/** Each at most once: the order of the results is that of the rows. */
function report({ entries, users }: Batch, results: readonly RowResult[]): readonly Reported[] {
  const byUser = new Map<Entry, RowResult | undefined>(
    users.map((user, index) => [user, results[index]]),
  );
  return entries.map((entry) => describeEntry(entry, byUser.get(entry)));
}

/**
 * @returns whether all is done; false if the signal ended it
 * @throws what `send` throws, after the calls that are under way
 */
export async function importUsers(plan: ImportPlan): Promise<boolean> {
  const { journal, concurrency, signal } = plan;
  const underWay = new Set<Promise<void>>();
  let isEnded = false;
  let failure: { readonly error: unknown } | undefined;
  const run = async (batch: Batch) => {
    const rows = batch.users.map(({ row }) => row);
    const key = journal?.keyOf(batch.index);
    const results = rows.length === 0 ? [] : await plan.send(rows, key);
    const reported = report(batch, results);
    const state = plan.onDone(reported);
    journal?.recordBatch(batch.index, countOutcomes(reported), state);
  };
  for await (const batch of divide(plan.entries)) {
    if (journal?.isBatchDone(batch.index)) continue;
    while (underWay.size >= concurrency) await Promise.race(underWay);
    if (failure !== undefined) break;
    if (signal.aborted) {
      isEnded = true;
      break;
    }
    const running: Promise<void> = run(batch)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => underWay.delete(running));
    underWay.add(running);
  }
  await Promise.all(underWay);
  if (failure !== undefined) throw failure.error;
  return !isEnded;
}
