/**
 * The steps of an operation: each call that leaves a guard's memory and during which the guard can be lost. A
 * run can be cut off at any step, as when its machine fails.
 */
import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { hangForever, withQuickDeadlines } from "./deadlines.ts";

type Run = (this: unknown, ...args: unknown[]) => unknown;
type Side = "before" | "after";

/** One point at which a run is cut off. */
export interface Cut {
  readonly name: string;
  /** Which call of that name, counted from 0. Calls of other names may come in another order. */
  readonly nth: number;
  readonly side: Side;
}

const reads = ["all", "raw", "first"];
/** Digests are none of them: each request has one in the Worker, which is not lost with the guards. */
const computations = ["encrypt", "decrypt", "importKey", "sign", "verify"];
const effects = ["run", "batch", "send", "fetch", "setAlarm", "deleteAlarm", "deleteAll"];

/**
 * Calls that the platform stores together with the preceding call, or not at all. A run cannot be lost
 * between the two.
 */
const joinedToPrevious = ["setAlarm", "deleteAlarm"];

/** The methods that are steps: methods of the platform's classes. */
async function listStepMethods(): Promise<readonly (readonly [Record<string, Run>, string])[]> {
  const unusedGuard = env.GUARD.get(env.GUARD.idFromName("unused"));
  const storage = await runInDurableObject(unusedGuard, (_guard, ctx) =>
    Object.getPrototypeOf(ctx.storage),
  );
  const all: readonly (readonly [Record<string, Run>, readonly string[]])[] = [
    [Object.getPrototypeOf(env.DB.prepare("SELECT 1")), [...reads, "run"]],
    [Object.getPrototypeOf(env.DB), ["batch"]],
    [Object.getPrototypeOf(env.IP_REPUTATION), ["get"]],
    [Object.getPrototypeOf(env.QUEUE_FOR_TESTS), ["send"]],
    [Object.getPrototypeOf(crypto.subtle), computations],
    [Object(globalThis), ["fetch"]],
    [storage, ["getAlarm", "setAlarm", "deleteAlarm", "deleteAll"]],
  ];
  return all.flatMap(([on, names]) => names.map((name) => [on, name] as const));
}

/** Whether the call is about the stamp of an event. The Worker computes stamps too, and is not lost with the guards. */
function isAboutStamp(args: readonly unknown[]): boolean {
  return args.some((arg) => {
    const { hash, algorithm } = Object(arg);
    return (hash ?? algorithm?.hash?.name) === "SHA-256";
  });
}

/** Runs `work` and calls `step` instead of each method that is a step. */
async function withSteps<T>(
  step: (name: string, go: () => unknown) => unknown,
  work: () => Promise<T>,
): Promise<T> {
  const spies = (await listStepMethods()).map(([on, name]) => {
    const real = on[name];
    if (real === undefined) throw new Error(`The platform has no ${name}`);
    return vi.spyOn(on, name).mockImplementation(function (this: unknown, ...args) {
      const go = () => real.apply(this, args);
      return isAboutStamp(args) ? go() : step(name, go);
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

/** Runs `act` undisturbed and lists every point at which it could have been cut off. */
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
 * Runs `act` and loses every guard at the cut, with its memory and its pending calls.
 * @param isReady whether guards may be lost; the step at the cut waits for it
 * @returns the answer of `act`, and whether the run reached the cut
 */
export async function cutOff<T>(
  cut: Cut,
  act: () => Promise<T>,
  isReady: () => boolean = () => true,
): Promise<{ readonly answer: T; readonly reached: boolean }> {
  let taken = 0;
  let reached = false;
  let lost = false;
  let answered = false;
  const step = async (name: string, go: () => unknown) => {
    const isHere = name === cut.name && taken++ === cut.nth;
    // A guard that is about to be lost makes no further calls. Stored data stays stored.
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
      while (!(reached && isReady()) && !answered) await scheduler.wait(1);
      if (reached) await abortAllDurableObjects();
      lost = true;
      return pending;
    }),
  );
  return { answer, reached };
}
