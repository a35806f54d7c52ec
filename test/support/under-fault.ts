/** Runs an operation under a fault of D1 and sees that answer, state and trail agree. */
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { deliverControlEvents } from "../../src/audit/control-outbox/deliver.ts";
import { type Answer, Tenant } from "./client.ts";
import { rowsIn } from "./databases.ts";
import { type D1Fault, withD1Fault } from "./faults.ts";
import { fireAlarm } from "./guard.ts";
import type { Operation, Outcome, Ready } from "./operations.ts";
import { drained, trailOf } from "./settled.ts";

export interface Trial {
  readonly operation: Operation;
  readonly tenant: Tenant;
  readonly ready: Ready;
  /** The trail before the operation. */
  readonly told: readonly string[];
}

/** The operation about to be carried out, with nothing under way. */
export async function trialOf(operation: Operation): Promise<Trial> {
  const { shard } = operation;
  const tenant = await Tenant.create("test", shard === undefined ? {} : { shard });
  const ready = await operation.ready(tenant);
  if (ready.user !== undefined) await drained(ready.user);
  const told = await trailOf(tenant);
  expect(await ready.shown()).toEqual(operation.before);
  return { operation, tenant, ready, told };
}

/** Once nothing is under way any more: what is shown, and what was told since the trial began. */
export async function stateOf({ tenant, ready, told }: Trial) {
  if (ready.user !== undefined) await drained(ready.user);
  // As the clock does.
  await deliverControlEvents(env, tenant.id);
  expect(await rowsIn(0, "control_outbox", tenant.id)).toEqual([]);
  const trail = await trailOf(tenant);
  expect(trail.slice(0, told.length)).toEqual(told);
  return { shown: await ready.shown(), events: trail.slice(told.length) };
}

export async function expectState(
  trial: Trial,
  shown: unknown,
  events: readonly string[],
): Promise<void> {
  expect(await stateOf(trial)).toEqual({ shown, events });
}

/** Once more, and what that answers and tells. */
export async function expectAgain(trial: Trial, before: Outcome["events"]): Promise<void> {
  const { operation, ready } = trial;
  const { again, after, afterAgain } = operation;
  expect((await ready.act()).status).toBe(again.status);
  await expectState(trial, afterAgain ?? after, [...before, ...again.events]);
}

/** The fault is not felt: the operation happens, once. */
export async function expectDone(operation: Operation, fault: D1Fault): Promise<void> {
  await expectUnfelt(operation, (act) => withD1Fault(fault, act));
}

/** The same under any fault. */
export async function expectUnfelt(
  operation: Operation,
  under: (act: () => Promise<Answer>) => Promise<Answer>,
): Promise<void> {
  const trial = await trialOf(operation);
  const { done, after } = operation;
  const { act, user } = trial.ready;
  const answer = await under(async () => {
    const given = await act();
    // What is not delivered before the answer meets the fault too.
    if (user !== undefined) await fireAlarm(user);
    return given;
  });
  expect(answer.status).toBe(done.status);
  await expectState(trial, after, done.events);
  await expectAgain(trial, done.events);
}

function expectUnavailable({ status, body }: Answer): void {
  expect([status, body.code]).toEqual([503, "unavailable"]);
}

/** The operation is a 503 and does not happen; asking again makes it happen. */
export async function expectNothing(operation: Operation, fault: D1Fault): Promise<void> {
  const trial = await trialOf(operation);
  const { before, done, after } = operation;
  expectUnavailable(await withD1Fault(fault, trial.ready.act));
  await expectState(trial, before, []);
  expect((await trial.ready.act()).status).toBe(done.status);
  await expectState(trial, after, done.events);
}

/** The operation is a 503 though it happens, once; asking again is asking twice. */
export async function expectDoneUntold(
  operation: Operation,
  under: (act: () => Promise<Answer>) => Promise<Answer>,
): Promise<void> {
  const trial = await trialOf(operation);
  const { done, after } = operation;
  expectUnavailable(await under(trial.ready.act));
  await expectState(trial, after, done.events);
  await expectAgain(trial, done.events);
}
