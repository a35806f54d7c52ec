/**
 * The guard is lost between any two steps of a delivery. Nobody asks it anything afterwards and the
 * test fires no alarm: the platform alone must bring it back.
 */
import { afterEach, expect, it, vi } from "vitest";
import { longestRun } from "../support/cut.ts";
import { outboxLength } from "../support/guard.ts";
import { type Operation, operationsNamed } from "../support/operations.ts";
import { cutOff, cutsOf } from "../support/steps.ts";
import { trailOf } from "../support/settled.ts";
import { queueRefuses } from "../support/queue.ts";
import { trialOf } from "../support/under-fault.ts";

/** The operation with its delivery, which the platform tries again some seconds after each loss. */
async function deliveredOf(operation: Operation) {
  const trial = await trialOf(operation);
  const { act, user } = trial.ready;
  if (user === undefined) throw new Error("No guard has a part in this operation");
  const run = async () => {
    const { status } = await act();
    await vi.waitFor(async () => expect(await outboxLength(user)).toBe(0), 25_000);
    return status;
  };
  return { ...trial, run };
}

afterEach(() => {
  vi.restoreAllMocks();
});

it.each(operationsNamed("confirm", "verify a backup code", "discover"))(
  "A guard that is lost while it delivers $name comes back, and files it once",
  { timeout: longestRun },
  async (operation) => {
    queueRefuses();
    const cuts = await cutsOf((await deliveredOf(operation)).run);
    // What comes before is the operation's own, and the courier's, which finds the queue closed.
    const start = cuts.findLastIndex(({ name }) => name === "setAlarm");
    const places: string[] = [];
    for (const cut of cuts.slice(start + 1)) {
      const { tenant, told, run } = await deliveredOf(operation);
      const { answer, reached } = await cutOff(cut, run);
      if (reached) places.push(`${cut.side} ${cut.name}`);
      expect(answer, `${cut.side} ${cut.name}`).toBe(operation.done.status);
      expect(await trailOf(tenant)).toEqual([...told, ...operation.done.events]);
    }
    expect(places).toEqual(expect.arrayContaining(["before batch", "after batch"]));
  },
);
