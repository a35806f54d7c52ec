/** Long waits of the service are over when a test says so. */
import { vi } from "vitest";

const longMs = 5_000;
const pollMs = 5;

/** Holds waits of some seconds. @returns what ends them; the mocks must be restored afterwards */
export function holdLongWaits(): () => void {
  const wait = scheduler.wait.bind(scheduler);
  let held = true;
  vi.spyOn(scheduler, "wait").mockImplementation(async (ms, ...options) => {
    if (ms < longMs) return await wait(ms, ...options);
    // Looked at again and again: who waits cannot be woken by somebody else's request.
    while (held) await wait(pollMs);
  });
  return () => {
    held = false;
  };
}
