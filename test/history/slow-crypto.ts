/**
 * Delays some encryptions, decryptions and verifications by milliseconds, so that calls overlap while the guard
 * gathers evidence. Without the delay they would rarely overlap.
 */
import { vi } from "vitest";

type Run = (this: unknown, ...args: unknown[]) => Promise<unknown>;

const delaysMs: readonly number[] = [0, 0, 1, 2, 4];

export function slowDownCrypto(): void {
  const prototype = Object.getPrototypeOf(crypto.subtle);
  let calls = 0;
  for (const name of ["decrypt", "encrypt", "verify"]) {
    const real: Run = prototype[name];
    vi.spyOn(prototype, name).mockImplementation(async function (this: unknown, ...args) {
      calls += 1;
      const ms = delaysMs[calls % delaysMs.length] ?? 0;
      if (ms > 0) await scheduler.wait(ms);
      return await real.apply(this, args);
    });
  }
}
