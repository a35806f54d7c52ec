/** Long campaigns run completely with `npm run test:full`, and in part with `npm test`. */
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Whether campaigns run completely; see vitest.config.ts. */
    isFull: boolean;
  }
}

/** The distance between the steps that a campaign tests, of many similar ones. */
export function strideOf(part: number): number {
  return inject("isFull") ? 1 : part;
}

/** All cases of a campaign, or one test's share where `parts` tests divide them. */
export function shareOf<T>(all: readonly T[], part: number, parts: number): readonly T[] {
  return inject("isFull") ? all : all.filter((_, index) => index % parts === part);
}

/** All cases of a campaign, or the first of each kind. */
export function selectByKind<T>(all: readonly T[], kindOf: (one: T) => string): readonly T[] {
  if (inject("isFull")) return all;
  const firsts = new Map(all.toReversed().map((one) => [kindOf(one), one]));
  return all.filter((one) => firsts.get(kindOf(one)) === one);
}
