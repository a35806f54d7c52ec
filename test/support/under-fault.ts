/** Runs an operation under a fault and expects answer, state and trail to agree. */
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { deliverControlEvents } from "../../src/audit/control-outbox/deliver.ts";
import { type Answer, Tenant } from "./client.ts";
import { type D1Fault, withD1Fault } from "./d1-faults.ts";
import { rowsIn } from "./databases.ts";
import { drainOutbox, readTrail } from "./delivered-trail.ts";
import { fireAlarm } from "./guard.ts";
import type { Operation, Outcome, PreparedOperation } from "./operations.ts";

export interface Trial {
  readonly operation: Operation;
  readonly tenant: Tenant;
  readonly prepared: PreparedOperation;
  /** The trail before the operation. */
  readonly eventsBefore: readonly string[];
}

/** Prepares the operation and waits until nothing is pending. */
export async function prepareTrial(operation: Operation): Promise<Trial> {
  const { shard } = operation;
  const tenant = await Tenant.create("test", shard === undefined ? {} : { shard });
  const prepared = await operation.prepare(tenant);
  if (prepared.user !== undefined) await drainOutbox(prepared.user);
  const eventsBefore = await readTrail(tenant);
  expect(await prepared.readShown()).toEqual(operation.before);
  return { operation, tenant, prepared, eventsBefore };
}

/** Waits until nothing is pending. @returns the shown values and the events since the trial began */
export async function readState({ tenant, prepared, eventsBefore }: Trial) {
  if (prepared.user !== undefined) await drainOutbox(prepared.user);
  // The scheduled job does the same.
  await deliverControlEvents(env, tenant.id);
  expect(await rowsIn(0, "control_outbox", tenant.id)).toEqual([]);
  const trail = await readTrail(tenant);
  expect(trail.slice(0, eventsBefore.length)).toEqual(eventsBefore);
  return { shown: await prepared.readShown(), events: trail.slice(eventsBefore.length) };
}

export async function expectState(
  trial: Trial,
  shown: unknown,
  events: readonly string[],
): Promise<void> {
  expect(await readState(trial)).toEqual({ shown, events });
}

/** Repeats the request and expects its outcome. */
export async function expectRepeat(trial: Trial, before: Outcome["events"]): Promise<void> {
  const { operation, prepared } = trial;
  const { again, after, afterAgain } = operation;
  expect((await prepared.act()).status).toBe(again.status);
  await expectState(trial, afterAgain ?? after, [...before, ...again.events]);
}

/** Expects the operation to be applied once in spite of the fault. */
export async function expectApplied(operation: Operation, fault: D1Fault): Promise<void> {
  await expectUnaffected(operation, (act) => withD1Fault(fault, act));
}

/** Expects the operation to be applied once in spite of any fault that `under` injects. */
export async function expectUnaffected(
  operation: Operation,
  under: (act: () => Promise<Answer>) => Promise<Answer>,
): Promise<void> {
  const trial = await prepareTrial(operation);
  const { done, after } = operation;
  const { act, user } = trial.prepared;
  const answer = await under(async () => {
    const response = await act();
    // A delivery after the answer must meet the fault too.
    if (user !== undefined) await fireAlarm(user);
    return response;
  });
  expect(answer.status).toBe(done.status);
  await expectState(trial, after, done.events);
  await expectRepeat(trial, done.events);
}

function expectUnavailable({ status, body }: Answer): void {
  expect([status, body.code]).toEqual([503, "unavailable"]);
}

/** Expects a 503 and no change. A repeated request then applies the operation. */
export async function expectNotApplied(operation: Operation, fault: D1Fault): Promise<void> {
  const trial = await prepareTrial(operation);
  const { before, done, after } = operation;
  expectUnavailable(await withD1Fault(fault, trial.prepared.act));
  await expectState(trial, before, []);
  expect((await trial.prepared.act()).status).toBe(done.status);
  await expectState(trial, after, done.events);
}

/** Expects a 503 although the operation is applied once. A repeated request counts as a second one. */
export async function expectAppliedDespite503(
  operation: Operation,
  under: (act: () => Promise<Answer>) => Promise<Answer>,
): Promise<void> {
  const trial = await prepareTrial(operation);
  const { done, after } = operation;
  expectUnavailable(await under(trial.prepared.act));
  await expectState(trial, after, done.events);
  await expectRepeat(trial, done.events);
}
