/** A guard that handles each call, and whose answers are lost. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";

/** Runs `work` while every answer of a guard is lost. The guard still handles each call. */
export async function withLostReplies<T>(work: () => Promise<T>): Promise<T> {
  const get = env.GUARD.get.bind(env.GUARD);
  const spy = vi.spyOn(env.GUARD, "get").mockImplementation((...given) => {
    const stub = get(...given);
    return new Proxy(stub, {
      get: (_stub, name) => {
        const real: unknown = Reflect.get(stub, name, stub);
        if (typeof real !== "function") return real;
        return async (...args: unknown[]) => {
          await Reflect.apply(real, stub, args);
          throw new Error("Network connection lost.");
        };
      },
    });
  });
  try {
    return await work();
  } finally {
    spy.mockRestore();
  }
}
