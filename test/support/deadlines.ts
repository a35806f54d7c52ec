/**
 * Deadlines in virtual time: once something hangs that never answers, there is nothing to wait for, and
 * the deadlines of the service come within a fraction of their time.
 */
import { vi } from "vitest";

/** What the service waits for as long, it waits for with a deadline. */
const minDeadlineMs = 1_000;
/**
 * A deadline comes after so many turns of the event loop, and not by the clock: on a slow machine what
 * does answer has as many turns to do so. They are many, as an object that begins takes some.
 */
const turnsPerSecond = 100;
const turnMs = 2;

const wait = globalThis.setTimeout.bind(globalThis);
let hanging = false;

/** The promise of an answer that never comes. */
export function hangForever(): Promise<never> {
  hanging = true;
  return new Promise<never>(() => {});
}

/** The same for what waits for somebody who sends nothing. */
export async function withSilentSender<T>(work: () => Promise<T>): Promise<T> {
  return await withQuickDeadlines(async () => {
    hanging = true;
    return await work();
  });
}

/** Runs `work`; what it waits for with a deadline, once something hangs, is given up soon. */
export async function withQuickDeadlines<T>(work: () => Promise<T>): Promise<T> {
  hanging = false;
  const quick = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): unknown => {
    if (ms < minDeadlineMs) return wait(callback, ms, ...args);
    const due = Date.now() + ms;
    let turns = (ms / 1_000) * turnsPerSecond;
    // A timer of whoever waits: the platform lets nobody else end its waiting.
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
