/** Files of tests that run in one Worker, one after the other: it has to load the service once only. */
import { describe, inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** The files of each area, below test/; see vitest.config.ts. */
    areas: Readonly<Record<string, readonly string[]>>;
  }
}

/** Each file of the area, in a group of its own: its hooks are for its own tests. */
export function together(area: string): void {
  for (const file of inject("areas")[area] ?? []) {
    describe(file, async () => {
      await import(/* @vite-ignore */ `../${file}`);
    });
  }
}
