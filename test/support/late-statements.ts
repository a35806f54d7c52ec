/** A D1 whose answers get lost, and that applies some of these statements much later. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

type Run = (this: unknown, ...args: unknown[]) => Promise<unknown>;

/** Every method that writes through Drizzle. */
function listD1Writes(): readonly (readonly [Record<string, Run>, string])[] {
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
  const database = Object.getPrototypeOf(env.DB);
  return [
    [statement, "run"],
    [statement, "raw"],
    [database, "batch"],
  ];
}

/**
 * Runs `work`. The n-th statement fails if the n-th number of `delays` is not 0, and is applied after that many
 * further statements, or at the end; the numbers repeat.
 */
export async function withLateStatements<T>(
  delays: readonly number[],
  work: () => Promise<T>,
): Promise<T> {
  let sent = 0;
  const late: { readonly due: number; readonly apply: () => Promise<unknown> }[] = [];
  const applyDue = async () => {
    for (const one of late.filter(({ due }) => due <= sent)) {
      late.splice(late.indexOf(one), 1);
      await one.apply().catch(() => {});
    }
  };
  const spies = listD1Writes().map(([on, name]) => {
    const real = on[name];
    if (real === undefined) throw new Error(`D1 has no ${name}`);
    return vi.spyOn(on, name).mockImplementation(async function (this: unknown, ...args) {
      const delay = delays[sent % delays.length] ?? 0;
      sent += 1;
      await applyDue();
      if (delay === 0) return await real.apply(this, args);
      late.push({ due: sent + delay, apply: () => real.apply(this, args) });
      throw new Error("D1_ERROR: injected: no answer in time");
    });
  });
  try {
    return await work();
  } finally {
    for (const spy of spies) spy.mockRestore();
    sent = Number.POSITIVE_INFINITY;
    await applyDue();
  }
}
