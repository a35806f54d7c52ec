import "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** The number of histories to record, and the seed of their schedules. See vitest.config.ts. */
    histories: { readonly count: number; readonly seed: number };
  }
}
