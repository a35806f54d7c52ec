/**
 * Deadlines in virtual time. As soon as a call hangs, the service's deadlines pass within a fraction of
 * their real time.
 */
import { vi } from "vitest";

/** A timer of at least this length is a deadline of the service. */
const minDeadlineMs = 1_000;
/**
 * A deadline passes after a number of event loop turns and not by the clock, so that calls that do answer
 * have the same chance on a slow machine. The number is large, because an object needs turns to start.
 */
const turnsPerSecond = 100;
/** A longer deadline passes after the shorter ones, and not much later. */
const maxFullSeconds = 2;
const turnsPerFurtherSecond = 2;
const turnMs = 2;

const wait = globalThis.setTimeout.bind(globalThis);
let hanging = false;

/** Returns a promise that never settles, and lets the deadlines pass. */
export function hangForever(): Promise<never> {
  hanging = true;
  return new Promise<never>(() => {});
}

/** Lets every deadline of a request pass at once, while longer ones stay. Restore the mocks afterwards. */
export function passRequestDeadlines(): void {
  const maxRequestDeadlineMs = 10_000;
  const quick = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): unknown => {
    const isDeadline = ms >= minDeadlineMs && ms <= maxRequestDeadlineMs;
    return wait(callback, isDeadline ? turnMs : ms, ...args);
  };
  vi.spyOn(globalThis, "setTimeout").mockImplementation(Object(quick));
}

/** Runs `work` with quick deadlines while its request body never arrives. */
export async function withSilentSender<T>(work: () => Promise<T>): Promise<T> {
  return await withQuickDeadlines(async () => {
    hanging = true;
    return await work();
  });
}

/** Runs `work`. After a call hangs, every wait with a deadline ends soon. */
export async function withQuickDeadlines<T>(work: () => Promise<T>): Promise<T> {
  hanging = false;
  const quick = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): unknown => {
    if (ms < minDeadlineMs) return wait(callback, ms, ...args);
    const due = Date.now() + ms;
    const seconds = ms / 1_000;
    const fullSeconds = Math.min(maxFullSeconds, seconds);
    let turns = fullSeconds * turnsPerSecond + (seconds - fullSeconds) * turnsPerFurtherSecond;
    // The timer belongs to the waiting request, because no other request can end its wait.
    const timer = setInterval(() => {
      if (hanging) turns -= 1;
      if (turns > 0 && Date.now() < due) return;
      clearInterval(timer);
      callback(...args);
    }, turnMs);
    return timer;
  };
  const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(Object(quick));
  try {
    return await work();
  } finally {
    spy.mockRestore();
  }
}
