/** Runs an operation under a fault of D1 and sees that answer, state and trail agree. */
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

/** The operation about to be carried out, with nothing under way. */
export async function prepareTrial(operation: Operation): Promise<Trial> {
  const { shard } = operation;
  const tenant = await Tenant.create("test", shard === undefined ? {} : { shard });
  const prepared = await operation.prepare(tenant);
  if (prepared.user !== undefined) await drainOutbox(prepared.user);
  const eventsBefore = await readTrail(tenant);
  expect(await prepared.readShown()).toEqual(operation.before);
  return { operation, tenant, prepared, eventsBefore };
}

/** Once nothing is under way any more: what is shown, and what was told since the trial began. */
export async function readState({ tenant, prepared, eventsBefore }: Trial) {
  if (prepared.user !== undefined) await drainOutbox(prepared.user);
  // As the clock does.
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

/** Once more, and what that answers and tells. */
export async function expectRepeat(trial: Trial, before: Outcome["events"]): Promise<void> {
  const { operation, prepared } = trial;
  const { again, after, afterAgain } = operation;
  expect((await prepared.act()).status).toBe(again.status);
  await expectState(trial, afterAgain ?? after, [...before, ...again.events]);
}

/** The fault is not felt: the operation happens, once. */
export async function expectApplied(operation: Operation, fault: D1Fault): Promise<void> {
  await expectUnaffected(operation, (act) => withD1Fault(fault, act));
}

/** The same under any fault. */
export async function expectUnaffected(
  operation: Operation,
  under: (act: () => Promise<Answer>) => Promise<Answer>,
): Promise<void> {
  const trial = await prepareTrial(operation);
  const { done, after } = operation;
  const { act, user } = trial.prepared;
  const answer = await under(async () => {
    const given = await act();
    // What is not delivered before the answer meets the fault too.
    if (user !== undefined) await fireAlarm(user);
    return given;
  });
  expect(answer.status).toBe(done.status);
  await expectState(trial, after, done.events);
  await expectRepeat(trial, done.events);
}

function expectUnavailable({ status, body }: Answer): void {
  expect([status, body.code]).toEqual([503, "unavailable"]);
}

/** The operation is a 503 and does not happen; asking again makes it happen. */
export async function expectNotApplied(operation: Operation, fault: D1Fault): Promise<void> {
  const trial = await prepareTrial(operation);
  const { before, done, after } = operation;
  expectUnavailable(await withD1Fault(fault, trial.prepared.act));
  await expectState(trial, before, []);
  expect((await trial.prepared.act()).status).toBe(done.status);
  await expectState(trial, after, done.events);
}

/** The operation is a 503 though it happens, once; asking again is asking twice. */
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
