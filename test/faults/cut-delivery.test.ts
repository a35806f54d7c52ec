/**
 * The guard is lost between any two steps of a delivery. Nobody asks it anything afterwards and the
 * test fires no alarm: the platform alone must bring it back.
 */
import { afterEach, expect, it, vi } from "vitest";
import { selectByKind, shareOf } from "../support/campaign.ts";
import { readTrail } from "../support/delivered-trail.ts";
import { countOutboxRows } from "../support/guard.ts";
import { hastenAlarms } from "../support/hastened-alarms.ts";
import { findOperations, type Operation } from "../support/operations.ts";
import { refuseMessages } from "../support/queue.ts";
import { type Cut, cutOff, cutPointOf, listCuts } from "../support/steps.ts";
import { maxRunMs } from "../support/survive-cuts.ts";
import { prepareTrial } from "../support/under-fault.ts";

/** The operation with its delivery, which the platform tries again some seconds after each loss. */
async function deliveredOf(operation: Operation) {
  const trial = await prepareTrial(operation);
  const { act, user } = trial.prepared;
  if (user === undefined) throw new Error("No guard has a part in this operation");
  const run = async () => {
    const { status } = await act();
    await vi.waitFor(async () => expect(await countOutboxRows(user)).toBe(0), 25_000);
    return status;
  };
  return { ...trial, run };
}

let asBefore = () => {};

afterEach(() => {
  vi.restoreAllMocks();
  asBefore();
});

/** Cuts the operation off at those places, each time anew. @returns where that happened */
async function expectDelivered(operation: Operation, cuts: readonly Cut[]): Promise<string[]> {
  const places: string[] = [];
  for (const cut of cuts) {
    const place = cutPointOf(cut);
    const { tenant, eventsBefore: told, run } = await deliveredOf(operation);
    const { answer, reached } = await cutOff(cut, run);
    if (reached) places.push(place);
    expect(answer, place).toBe(operation.done.status);
    expect(await readTrail(tenant), place).toEqual([...told, ...operation.done.events]);
  }
  return places;
}

/** The batch itself for each operation; of the other steps each for one of them, or all. */
function ofDelivery(operation: Operation, cuts: readonly Cut[]): readonly Cut[] {
  const steps = selectByKind(cuts, cutPointOf);
  const others = steps.filter(({ name }) => name !== "batch");
  const own = shareOf(others, delivered.indexOf(operation), delivered.length);
  return steps.filter((cut) => cut.name === "batch" || own.includes(cut));
}

const delivered = findOperations("confirm", "verify a backup code", "discover");

it.each(delivered)(
  "A guard that is lost while it delivers $name comes back, and files it once",
  { timeout: maxRunMs },
  async (operation) => {
    refuseMessages();
    const cuts = await listCuts((await deliveredOf(operation)).run);
    // What comes before is the operation's own, and the courier's, which finds the queue closed.
    const start = cuts.findLastIndex(({ name }) => name === "setAlarm");
    const places = await expectDelivered(operation, ofDelivery(operation, cuts.slice(start + 1)));
    expect(places).toEqual(expect.arrayContaining(["before batch", "after batch"]));
  },
);

it("A guard and a consumer that are lost while the queue delivers come back, and file it once", {
  timeout: maxRunMs,
}, async () => {
  // What the queue has not brought by then, the alarm does: that is waited for after each cut.
  asBefore = await hastenAlarms();
  const [confirm] = findOperations("confirm");
  if (confirm === undefined) throw new Error("Nothing is delivered");
  const steps = ["send", "batch", "confirmDelivery"];
  const cuts = await listCuts((await deliveredOf(confirm)).run);
  const places = await expectDelivered(
    confirm,
    cuts.filter(({ name }) => steps.includes(name)),
  );
  expect(places).toEqual(steps.flatMap((step) => [`before ${step}`, `after ${step}`]));
});
