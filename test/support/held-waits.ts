/** Holds the service's long waits until a test ends them. */
import { vi } from "vitest";

const longMs = 5_000;
const pollMs = 5;

/** Holds waits of `longMs` and more. @returns a function that ends them. Restore the mocks afterwards */
export function holdLongWaits(): () => void {
  const wait = scheduler.wait.bind(scheduler);
  let held = true;
  vi.spyOn(scheduler, "wait").mockImplementation(async (ms, ...options) => {
    if (ms < longMs) return await wait(ms, ...options);
    // This polls, because one request cannot wake another.
    while (held) await wait(pollMs);
  });
  return () => {
    held = false;
  };
}
