/** Counts the calls of an operation to the platform's stores, at the bindings. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { type Call, CountedRun, type Kind, runInContext } from "./counted-run.ts";
import { announceAlarm, watchBindings } from "./watched-bindings.ts";

export interface Counts {
  /** The longest chain of calls that wait for one another, in trips to a store and back. */
  readonly roundTrips: number;
  /** A batch counts as one call. */
  readonly d1Calls: number;
  readonly d1RowsRead: number;
  readonly d1RowsWritten: number;
  readonly kvReads: number;
  readonly objectCalls: number;
  /** Includes one row for each alarm that was set or deleted, as the platform bills it. */
  readonly objectRowsWritten: number;
  readonly alarmsSet: number;
  /** Calls to the rate limiter, which is not a store. */
  readonly limiterCalls: number;
}

export interface Counted<T> {
  readonly answer: T;
  readonly counts: Counts;
  /** The calls in the order in which they began. */
  readonly calls: readonly Call[];
  /** The SQL that was sent to D1. */
  readonly statements: ReadonlySet<string>;
}

let isCounting = false;

/** @param work gets the run and returns the answer */
async function runCounted<T>(
  work: (run: CountedRun) => Promise<T>,
  background: RegExp | undefined,
): Promise<Counted<T>> {
  if (isCounting) throw new Error("Only one run can be counted at a time");
  isCounting = true;
  const run = new CountedRun(background);
  const stop = await watchBindings(run);
  try {
    const answer = await runInContext({ run, depth: 0, cursors: [] }, () => work(run));
    await run.end();
    if (run.strays.length > 0)
      throw new Error(`Calls outside the counted run: ${run.strays.join(", ")}`);
    const { calls, statements, rowsInD1, rowsInObjects, alarmsSet, limiterCalls } = run;
    const countOf = (kind: Kind) => calls.filter((call) => call.kind === kind).length;
    const counts: Counts = {
      roundTrips: Math.max(0, ...calls.map(({ depth }) => depth)),
      d1Calls: countOf("D1"),
      d1RowsRead: rowsInD1.read,
      d1RowsWritten: rowsInD1.written,
      kvReads: countOf("KV read"),
      objectCalls: countOf("object"),
      objectRowsWritten: rowsInObjects,
      alarmsSet,
      limiterCalls,
    };
    return { answer, counts, calls, statements };
  } finally {
    stop();
    isCounting = false;
  }
}

/**
 * Counts the calls of `work`. Deliveries must be held (held-deliveries.ts), so that nothing else runs.
 * @param background SQL that runs in `waitUntil`. It is held until the answer exists, so that it belongs
 *   to no round trip on any machine
 */
export async function countCalls<T>(
  work: () => Promise<T>,
  background?: RegExp,
): Promise<Counted<T>> {
  return await runCounted(work, background);
}

/** Fires the alarm of an object and counts its calls. The stub must not come from a counted run. */
export async function countAlarmCalls(stub: DurableObjectStub): Promise<Counted<boolean>> {
  return await runCounted(async (run) => {
    announceAlarm(run, stub.id);
    return await runDurableObjectAlarm(stub);
  }, undefined);
}
