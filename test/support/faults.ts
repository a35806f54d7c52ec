/** Faults of D1, injected under everything that talks to it: the platform's classes themselves. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

export type D1Fault =
  | "throws"
  | "hangs"
  | "fails on write"
  | "loses the reply"
  | "loses the reply to a write";

type Run = (this: unknown, ...args: unknown[]) => Promise<unknown>;

/** Real calls that a fault decided to make and not to tell of. */
const neverAnswers = () => new Promise<never>(() => {});

function broken(fault: D1Fault, isWrite: boolean, real: Run): Run {
  return async function (...args) {
    switch (fault) {
      case "throws":
        throw new Error("D1_ERROR: injected");
      case "hangs":
        return await neverAnswers();
      case "fails on write":
        if (isWrite) throw new Error("D1_ERROR: injected");
        return await real.apply(this, args);
      case "loses the reply":
        await real.apply(this, args);
        throw new Error("D1_ERROR: injected after commit");
      case "loses the reply to a write": {
        const answer = await real.apply(this, args);
        if (isWrite) throw new Error("D1_ERROR: injected after commit");
        return answer;
      }
    }
  };
}

/** Runs `work` while every D1 of this isolate is broken in the given way. */
export async function withD1Fault<T>(fault: D1Fault, work: () => Promise<T>): Promise<T> {
  const database = Object.getPrototypeOf(env.DB);
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
  const spies = [
    ...["all", "raw", "run", "first"].map((name) => [statement, name, false] as const),
    ...["batch", "exec"].map((name) => [database, name, true] as const),
  ].map(([target, name, isWrite]) => {
    const real: Run = target[name];
    return vi.spyOn(target, name).mockImplementation(broken(fault, isWrite, real));
  });
  try {
    return await work();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
