/** The state of a refusal log, and the form in which it is stored (pure). */
import type { RefusalRun } from "../decisions/state.ts";
import type { ReadRun } from "./trail-read.ts";

export interface LoggedRun extends RefusalRun {
  /** Real time of the last report, Unix ms. The next one is due a delay after it. */
  readonly reportedAt: number;
}

export interface LogState {
  readonly tenantId: string;
  /** Events so far: it orders them and makes their ids unique. */
  readonly eventCount: number;
  readonly runs: readonly LoggedRun[];
  readonly reads: readonly ReadRun[];
}

/** The state as it is stored. Two fields have older names there. */
interface StoredState {
  readonly tenantId: string;
  readonly told: number;
  readonly runs: readonly (RefusalRun & { readonly toldAt: number })[];
  /** An older build stored none. */
  readonly reads?: readonly ReadRun[];
}

export function parseState(text: string): LogState {
  const { tenantId, told, runs, reads = [] }: StoredState = JSON.parse(text);
  return {
    tenantId,
    eventCount: told,
    runs: runs.map(({ toldAt, ...run }) => ({ ...run, reportedAt: toldAt })),
    reads,
  };
}

export function serializeState({ tenantId, eventCount, runs, reads }: LogState): string {
  const stored: StoredState = {
    tenantId,
    told: eventCount,
    runs: runs.map(({ reportedAt, ...run }) => ({ ...run, toldAt: reportedAt })),
    ...(reads.length === 0 ? {} : { reads }),
  };
  return JSON.stringify(stored);
}
