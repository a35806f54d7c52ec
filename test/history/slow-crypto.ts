/**
 * Opening and sealing a secret now and then takes some milliseconds, so that calls meet while what
 * decides them is being computed. Alone, they would pass each other by most of the time.
 */
import { vi } from "vitest";

type Run = (this: unknown, ...args: unknown[]) => Promise<unknown>;

const shares: readonly number[] = [0, 0, 1, 2, 4];

export function slowCrypto(): void {
  const prototype = Object.getPrototypeOf(crypto.subtle);
  let calls = 0;
  for (const name of ["decrypt", "encrypt"]) {
    const real: Run = prototype[name];
    vi.spyOn(prototype, name).mockImplementation(async function (this: unknown, ...args) {
      calls += 1;
      const ms = shares[calls % shares.length] ?? 0;
      if (ms > 0) await scheduler.wait(ms);
      return await real.apply(this, args);
    });
  }
}
