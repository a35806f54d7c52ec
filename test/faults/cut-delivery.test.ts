/**
 * The guard is lost between any two steps of a delivery. No request reaches it afterwards and the test
 * fires no alarm, so the platform alone must restart it.
 */
import { afterEach, expect, it, vi } from "vitest";
import { selectByKind, shareOf } from "../support/campaign.ts";
import { readTrail } from "../support/delivered-trail.ts";
import { countUndelivered, evict, fireAlarm } from "../support/guard.ts";
import { findOperations, type Operation } from "../support/operations.ts";
import { provideQueue } from "../support/queue.ts";
import { type Cut, cutOff, cutPointOf, listCuts } from "../support/steps.ts";
import { maxRunMs } from "../support/survive-cuts.ts";
import { sql } from "../support/trail.ts";
import { prepareTrial } from "../support/under-fault.ts";

/** The platform retries a delivery seconds after a loss, and the queue doubles its waits on a slow machine. */
const maxDeliveryMs = 60_000;

/** Prepares the operation together with its delivery. */
async function prepareDelivery(operation: Operation) {
  const trial = await prepareTrial(operation);
  const { act, user } = trial.prepared;
  if (user === undefined) throw new Error("This operation uses no guard");
  let hasAnswered = false;
  const run = async () => {
    const { status } = await act();
    hasAnswered = true;
    await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), maxDeliveryMs);
    return status;
  };
  return { ...trial, run, hasAnswered: () => hasAnswered };
}

let removeQueue = () => {};

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  removeQueue();
});

/** Cuts the operation off at each of the steps, in a new run each. @returns the steps that were reached */
async function expectDelivered(operation: Operation, cuts: readonly Cut[]): Promise<string[]> {
  const reachedSteps: string[] = [];
  for (const cut of cuts) {
    const step = cutPointOf(cut);
    const { tenant, eventsBefore, run, hasAnswered } = await prepareDelivery(operation);
    // The delivery begins before the answer is on its way, which is not to be lost.
    const { answer, reached } = await cutOff(cut, run, hasAnswered);
    if (reached) reachedSteps.push(step);
    expect(answer, step).toBe(operation.done.status);
    expect(await readTrail(tenant), step).toEqual([...eventsBefore, ...operation.done.events]);
  }
  return reachedSteps;
}

/** Selects the cuts for one operation: every cut at the batch, and its share of the other steps. */
function selectCuts(operation: Operation, cuts: readonly Cut[]): readonly Cut[] {
  const steps = selectByKind(cuts, cutPointOf);
  const others = steps.filter(({ name }) => name !== "batch");
  const own = shareOf(others, deliveredOperations.indexOf(operation), deliveredOperations.length);
  return steps.filter((cut) => cut.name === "batch" || own.includes(cut));
}

const deliveredOperations = findOperations("confirm", "verify a backup code", "discover");

it.each(deliveredOperations)(
  "A guard that is lost while it delivers $name restarts, and its events are filed once",
  { timeout: maxRunMs },
  async (operation) => {
    const cuts = await listCuts((await prepareDelivery(operation)).run);
    // The earlier steps belong to the operation.
    const start = cuts.findLastIndex(({ name }) => name === "setAlarm");
    const reached = await expectDelivered(operation, selectCuts(operation, cuts.slice(start + 1)));
    expect(reached).toEqual(expect.arrayContaining(["before batch", "after batch"]));
  },
);

it("A guard that is lost after a delivery, before its next change, files the delivered event once", async () => {
  const [confirm] = findOperations("confirm");
  if (confirm === undefined) throw new Error("No operation is named confirm");
  const { tenant, eventsBefore, prepared, run } = await prepareDelivery(confirm);
  const { user } = prepared;
  if (user === undefined) throw new Error("This operation uses no guard");
  await run();
  for (let restart = 1; restart <= 3; restart += 1) {
    await evict(user);
    await user.verify(user.wrongCode(Date.now()));
    await vi.waitFor(async () => expect(await countUndelivered(user)).toBe(0), maxDeliveryMs);
    expect(await readTrail(tenant)).toEqual([
      ...[...eventsBefore, ...confirm.done.events],
      ...Array(restart).fill("otp.verified failure invalid_code"),
    ]);
  }
});

it("A guard that restarts does not file an event again that has left D1 for the archive", async () => {
  const [confirm] = findOperations("confirm");
  if (confirm === undefined) throw new Error("No operation is named confirm");
  const { tenant, prepared, run } = await prepareDelivery(confirm);
  const { user } = prepared;
  if (user === undefined) throw new Error("This operation uses no guard");
  await run();
  await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
  // The archive takes no event that is younger than a day.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 25 * 60 * 60 * 1000 });
  await evict(user);
  await user.verify(user.wrongCode(Date.now()));
  await fireAlarm(user);
  expect(await readTrail(tenant)).toEqual(["otp.verified failure invalid_code"]);
});

it("A guard and a consumer that are lost while the queue delivers restart, and the event is filed once", {
  timeout: maxRunMs,
}, async () => {
  removeQueue = await provideQueue();
  const [confirm] = findOperations("confirm");
  if (confirm === undefined) throw new Error("No operation is named confirm");
  const steps = ["send", "batch"];
  const cuts = await listCuts((await prepareDelivery(confirm)).run);
  const reached = await expectDelivered(
    confirm,
    cuts.filter(({ name }) => steps.includes(name)),
  );
  // The queue may deliver in more than one batch.
  const expected = steps.flatMap((step) => [`before ${step}`, `after ${step}`]);
  expect(reached).toEqual(expect.arrayContaining(expected));
});
