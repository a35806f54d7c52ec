/** Cuts an operation off at each of its steps, and sees that it then happened once or not at all. */
import { expect } from "vitest";
import type { Operation } from "./operations.ts";
import { type Cut, cutOff, listCuts } from "./steps.ts";
import { expectRepeat, expectState, prepareTrial, readState } from "./under-fault.ts";

/** Such a test is a dozen runs, ms. */
export const maxRunMs = 120_000;

/** Whether the run came as far as the cut. */
async function expectOnceOrNever(operation: Operation, cut: Cut): Promise<boolean> {
  const { before, after, done } = operation;
  const trial = await prepareTrial(operation);
  await trial.prepared.justBefore?.();
  const { answer, reached } = await cutOff(cut, trial.prepared.act);
  expect(answer.status).toBeOneOf([done.status, 503]);
  const state = await readState(trial);
  const happened = state.events.length > 0;
  expect(state).toEqual(
    happened ? { shown: after, events: done.events } : { shown: before, events: [] },
  );
  if (answer.status === done.status) expect(happened).toBe(true);
  if (happened) {
    await expectRepeat(trial, done.events);
  } else {
    expect((await trial.prepared.act()).status).toBe(done.status);
    await expectState(trial, after, done.events);
  }
  return reached;
}

/**
 * Runs the operation once for each place at which it can be cut off.
 * @returns the places, for the test to say which there must be
 */
export async function expectToSurviveCuts(operation: Operation): Promise<readonly string[]> {
  const undisturbed = await prepareTrial(operation);
  await undisturbed.prepared.justBefore?.();
  const cuts = await listCuts(undisturbed.prepared.act);
  const places: string[] = [];
  for (const cut of cuts) {
    const place = `${cut.side} ${cut.name}`;
    try {
      if (await expectOnceOrNever(operation, cut)) places.push(place);
    } catch (error) {
      throw new Error(`Cut off ${place} (${cut.nth}) of ${operation.name}`, { cause: error });
    }
  }
  return places;
}
