/** Long campaigns: all of one with `npm run test:full`, some of each kind with `npm test`. */
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Whether campaigns run whole; see vitest.config.ts. */
    isFull: boolean;
  }
}

/** How far apart are the steps, of many alike, that a campaign tries. */
export function strideOf(part: number): number {
  return inject("isFull") ? 1 : part;
}

/** All that a campaign tries, or what is one test's share of it where several try alike. */
export function shareOf<T>(all: readonly T[], part: number, parts: number): readonly T[] {
  return inject("isFull") ? all : all.filter((_, index) => index % parts === part);
}

/** All that a campaign tries, or the first of each kind. */
export function selectByKind<T>(all: readonly T[], kindOf: (one: T) => string): readonly T[] {
  if (inject("isFull")) return all;
  const firsts = new Map(all.toReversed().map((one) => [kindOf(one), one]));
  return all.filter((one) => firsts.get(kindOf(one)) === one);
}
