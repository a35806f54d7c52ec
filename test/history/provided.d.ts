import "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** How many histories are recorded, and the seed of their schedules: vitest.config.ts. */
    histories: { readonly count: number; readonly seed: number };
  }
}
