/** Counts what an operation asks of the platform's stores, at the bindings. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { type Call, CountedRun, type Kind, runInContext } from "./counted-run.ts";
import { announceAlarm, watchBindings } from "./watched-bindings.ts";

export interface Counts {
  /** Calls that wait for one another: what the answer takes, in trips to a store and back. */
  readonly roundTrips: number;
  /** A batch is one. */
  readonly d1Calls: number;
  readonly d1RowsRead: number;
  readonly d1RowsWritten: number;
  readonly kvReads: number;
  readonly objectCalls: number;
  /** With one for each alarm that was set or deleted, as the platform bills it. */
  readonly objectRowsWritten: number;
  readonly alarmsSet: number;
  /** Of the rate limiter, which is no store. */
  readonly limiterCalls: number;
}

export interface Counted<T> {
  readonly answer: T;
  readonly counts: Counts;
  /** In the order in which they began. */
  readonly calls: readonly Call[];
}

let isCounting = false;

/** @param work is given the run, and its outcome is the answer */
async function runCounted<T>(
  work: (run: CountedRun) => Promise<T>,
  beside: RegExp | undefined,
): Promise<Counted<T>> {
  if (isCounting) throw new Error("One run is counted at a time");
  isCounting = true;
  const run = new CountedRun(beside);
  const stop = await watchBindings(run);
  try {
    const answer = await runInContext({ run, depth: 0, cursors: [] }, () => work(run));
    await run.end();
    if (run.strays.length > 0) throw new Error(`Nobody counted ${run.strays.join(", ")}`);
    const { calls, rowsInD1, rowsInObjects, alarmsSet, limiterCalls } = run;
    const of = (kind: Kind) => calls.filter((call) => call.kind === kind).length;
    const counts: Counts = {
      roundTrips: Math.max(0, ...calls.map(({ depth }) => depth)),
      d1Calls: of("D1"),
      d1RowsRead: rowsInD1.read,
      d1RowsWritten: rowsInD1.written,
      kvReads: of("KV read"),
      objectCalls: of("object"),
      objectRowsWritten: rowsInObjects,
      alarmsSet,
      limiterCalls,
    };
    return { answer, counts, calls };
  } finally {
    stop();
    isCounting = false;
  }
}

/**
 * What the work costs. Deliveries must be held (held-deliveries.ts), so that nothing else runs meanwhile.
 * @param beside SQL that is left to the platform to finish (`waitUntil`): it is held until the answer is
 *   there, so that it is part of no round trip on any machine
 */
export async function countCalls<T>(work: () => Promise<T>, beside?: RegExp): Promise<Counted<T>> {
  return await runCounted(work, beside);
}

/** What the alarm of an object costs, fired now. The stub must be of before: not one that is counted. */
export async function countAlarmCalls(stub: DurableObjectStub): Promise<Counted<boolean>> {
  return await runCounted(async (run) => {
    announceAlarm(run, stub.id);
    return await runDurableObjectAlarm(stub);
  }, undefined);
}
