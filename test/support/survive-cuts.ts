/** Cuts an operation off at each of its steps and expects it to be applied once or not at all. */
import { expect } from "vitest";
import type { Operation } from "./operations.ts";
import { type Cut, cutOff, listCuts } from "./steps.ts";
import { expectRepeat, expectState, prepareTrial, readState } from "./under-fault.ts";

/** The timeout of a test that cuts a dozen runs. */
export const maxRunMs = 120_000;

/** Cuts one run off. @returns whether the run reached the cut */
async function expectOnceOrNever(operation: Operation, cut: Cut): Promise<boolean> {
  const { before, after, done } = operation;
  const trial = await prepareTrial(operation);
  await trial.prepared.justBefore?.();
  const { answer, reached } = await cutOff(cut, trial.prepared.act);
  expect(answer.status).toBeOneOf([done.status, 503]);
  const state = await readState(trial);
  const isApplied = state.events.length > 0;
  expect(state).toEqual(
    isApplied ? { shown: after, events: done.events } : { shown: before, events: [] },
  );
  if (answer.status === done.status) expect(isApplied).toBe(true);
  if (isApplied) {
    await expectRepeat(trial, done.events);
  } else {
    expect((await trial.prepared.act()).status).toBe(done.status);
    await expectState(trial, after, done.events);
  }
  return reached;
}

/**
 * Runs the operation once for each point at which it can be cut off.
 * @returns the points that were reached, so that a test can require some of them
 */
export async function expectToSurviveCuts(operation: Operation): Promise<readonly string[]> {
  const undisturbed = await prepareTrial(operation);
  await undisturbed.prepared.justBefore?.();
  const cuts = await listCuts(undisturbed.prepared.act);
  const points: string[] = [];
  for (const cut of cuts) {
    const point = `${cut.side} ${cut.name}`;
    try {
      if (await expectOnceOrNever(operation, cut)) points.push(point);
    } catch (error) {
      throw new Error(`Cut off ${point} (${cut.nth}) of ${operation.name}`, { cause: error });
    }
  }
  return points;
}
