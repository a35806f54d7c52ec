/** A Worker that ends between two D1 statements. Earlier statements are stored, and no later one runs. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

type Run = (this: unknown, ...args: unknown[]) => Promise<unknown>;

function listD1Calls(): readonly (readonly [Record<string, Run>, string])[] {
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
  const database = Object.getPrototypeOf(env.DB);
  return [
    ...["all", "raw", "first", "run"].map((name) => [statement, name] as const),
    [database, "batch"],
  ];
}

/**
 * Runs `work` and fails every statement after the first `statements`. With `isDone` the first failing
 * statement is applied, and only its answer is lost.
 * @returns the result of `work`, and whether any statement failed
 */
export async function killWorkerAfter<T>(
  statements: number,
  isDone: boolean,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly reached: boolean }> {
  let sent = 0;
  const spies = listD1Calls().map(([on, name]) => {
    const real = on[name];
    if (real === undefined) throw new Error(`D1 has no ${name}`);
    return vi.spyOn(on, name).mockImplementation(async function (this: unknown, ...args) {
      sent += 1;
      if (sent <= statements) return await real.apply(this, args);
      if (sent === statements + 1 && isDone) await real.apply(this, args);
      throw new Error("D1_ERROR: injected: the Worker is gone");
    });
  });
  try {
    return { result: await work(), reached: sent > statements };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
