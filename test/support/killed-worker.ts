/** A Worker that dies between two statements to D1: what came before is stored, and nothing after runs. */
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
 * Runs the work and fails every statement after the first few; with `isDone` the one at which it dies is
 * carried out, and only its answer is lost.
 * @returns what the work gave, and whether it came that far
 */
export async function killWorkerAfter<T>(
  statements: number,
  isDone: boolean,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly reached: boolean }> {
  let asked = 0;
  const spies = listD1Calls().map(([on, name]) => {
    const real = on[name];
    if (real === undefined) throw new Error(`D1 has no ${name}`);
    return vi.spyOn(on, name).mockImplementation(async function (this: unknown, ...args) {
      asked += 1;
      if (asked <= statements) return await real.apply(this, args);
      if (asked === statements + 1 && isDone) await real.apply(this, args);
      throw new Error("D1_ERROR: injected: the Worker is gone");
    });
  });
  try {
    return { result: await work(), reached: asked > statements };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
