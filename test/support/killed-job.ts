/** A scheduled job whose Worker ends between two of its calls to stores: D1, the archive and the day keys. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

type Run = (this: unknown, ...args: unknown[]) => Promise<unknown>;

function listStoreCalls(): readonly (readonly [Record<string, Run>, string])[] {
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
  const database = Object.getPrototypeOf(env.DB);
  const bucket = Object.getPrototypeOf(env.AUDIT_ARCHIVE);
  return [
    ...["all", "raw", "first", "run"].map((name) => [statement, name] as const),
    [database, "batch"],
    ...["get", "put", "list"].map((name) => [bucket, name] as const),
  ];
}

/**
 * Runs `work`, and fails every call after the first `calls`. With `isDone` the first failing call is applied, and only
 * its answer is lost.
 * @returns the names of the calls that were made, and whether one failed
 */
export async function killJobAfter(
  calls: number,
  isDone: boolean,
  work: () => Promise<void>,
): Promise<{ readonly names: readonly string[]; readonly reached: boolean }> {
  const names: string[] = [];
  const step = async (name: string, go: () => Promise<unknown>) => {
    names.push(name);
    if (names.length <= calls) return await go();
    if (names.length === calls + 1 && isDone) await go();
    throw new Error("injected: the Worker is gone");
  };
  const spies = listStoreCalls().map(([on, name]) => {
    const real = on[name];
    if (real === undefined) throw new Error(`The platform has no ${name}`);
    return vi.spyOn(on, name).mockImplementation(async function (this: unknown, ...args) {
      return await step(name, () => real.apply(this, args));
    });
  });
  const get = env.PERSONAL_KEYS.get.bind(env.PERSONAL_KEYS);
  const keys = vi.spyOn(env.PERSONAL_KEYS, "get").mockImplementation((...given) => {
    const stub = get(...given);
    return new Proxy(stub, {
      get: (_stub, name) => {
        const real: unknown = Reflect.get(stub, name, stub);
        if (typeof real !== "function") return real;
        return (...args: unknown[]) =>
          step(String(name), async () => await Reflect.apply(real, stub, args));
      },
    });
  });
  try {
    await work();
    return { names, reached: names.length > calls };
  } finally {
    for (const spy of [...spies, keys]) spy.mockRestore();
  }
}
