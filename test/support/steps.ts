/**
 * The steps of an operation: each call by which a guard leaves its own memory, and during which it
 * may be lost. A run can be cut off at any of them, as when the machine under it dies.
 */
import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { IdentityGuard } from "../../src/guard/identity-guard.ts";
import { hangForever, withQuickDeadlines } from "./deadlines.ts";

type Run = (this: unknown, ...args: unknown[]) => unknown;
type Side = "before" | "after";

/** One place at which a run is cut off. */
export interface Cut {
  readonly name: string;
  /** Which call of that name, counted from 0: others may come in another order. */
  readonly nth: number;
  readonly side: Side;
}

const reads = ["all", "raw", "first"];
const computations = ["encrypt", "decrypt", "importKey", "sign", "verify", "digest"];
const effects = ["run", "batch", "send", "confirmDelivery", "setAlarm", "deleteAlarm", "deleteAll"];

/**
 * An alarm is set, and the alarm is deleted with all the rest, in the same breath as what precedes
 * it: the platform stores both or neither, so nothing can be lost between them.
 */
const joinedToPrevious = ["setAlarm", "deleteAlarm"];

/** The platform's classes themselves, under everything that uses them; and what a guard is told of its deliveries. */
async function listStepMethods(): Promise<readonly (readonly [Record<string, Run>, string])[]> {
  const nobody = env.GUARD.get(env.GUARD.idFromName("nobody"));
  const storage = await runInDurableObject(nobody, (_guard, ctx) =>
    Object.getPrototypeOf(ctx.storage),
  );
  const all: readonly (readonly [Record<string, Run>, readonly string[]])[] = [
    [Object.getPrototypeOf(env.DB.prepare("SELECT 1")), [...reads, "run"]],
    [Object.getPrototypeOf(env.DB), ["batch"]],
    [Object.getPrototypeOf(env.IP_REPUTATION), ["get"]],
    [Object.getPrototypeOf(env.DELIVERIES), ["send"]],
    [Object(IdentityGuard.prototype), ["confirmDelivery"]],
    [Object.getPrototypeOf(crypto.subtle), computations],
    [storage, ["getAlarm", "setAlarm", "deleteAlarm", "deleteAll"]],
  ];
  return all.flatMap(([on, names]) => names.map((name) => [on, name] as const));
}

/** Runs `work` with `step` in place of each call that is a step. */
async function withSteps<T>(
  step: (name: string, go: () => unknown) => unknown,
  work: () => Promise<T>,
): Promise<T> {
  const spies = (await listStepMethods()).map(([on, name]) => {
    const real = on[name];
    if (real === undefined) throw new Error(`The platform has no ${name}`);
    return vi.spyOn(on, name).mockImplementation(function (this: unknown, ...args) {
      return step(name, () => real.apply(this, args));
    });
  });
  try {
    return await work();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

export function cutPointOf({ side, name }: Cut): string {
  return `${side} ${name}`;
}

/** Every place at which that run, which is not disturbed, could have been cut off. */
export async function listCuts(act: () => Promise<unknown>): Promise<Cut[]> {
  const names: string[] = [];
  await withSteps((name, go) => {
    names.push(name);
    return go();
  }, act);
  return names.flatMap((name, index): Cut[] => {
    const nth = names.slice(0, index).filter((earlier) => earlier === name).length;
    return [
      ...(joinedToPrevious.includes(name) ? [] : [{ name, nth, side: "before" as const }]),
      ...(effects.includes(name) ? [{ name, nth, side: "after" as const }] : []),
    ];
  });
}

/**
 * Runs `act` and loses every guard at the cut, with what it had in memory and under way.
 * @returns what `act` gives, and whether it came as far as the cut
 */
export async function cutOff<T>(
  cut: Cut,
  act: () => Promise<T>,
): Promise<{ readonly answer: T; readonly reached: boolean }> {
  let taken = 0;
  let reached = false;
  let lost = false;
  let answered = false;
  const step = async (name: string, go: () => unknown) => {
    const isHere = name === cut.name && taken++ === cut.nth;
    // Nothing of a guard that is about to be lost comes any further, but what is stored already.
    if (reached && !lost && name !== "setAlarm") return await hangForever();
    if (!isHere) return await go();
    if (cut.side === "after") await go();
    reached = true;
    return await hangForever();
  };
  const answer = await withSteps(step, () =>
    withQuickDeadlines(async () => {
      const pending = act().finally(() => {
        answered = true;
      });
      while (!reached && !answered) await scheduler.wait(1);
      if (reached) await abortAllDurableObjects();
      lost = true;
      return pending;
    }),
  );
  return { answer, reached };
}
