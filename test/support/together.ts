/** Runs several test files in one Worker, one after the other, so that it loads the service only once. */
import { describe, inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** The files of each area, relative to test/; see vitest.config.ts. */
    areas: Readonly<Record<string, readonly string[]>>;
  }
}

/** Imports each file of the area in its own describe block, so that its hooks apply only to its tests. */
export function together(area: string): void {
  for (const file of inject("areas")[area] ?? []) {
    describe(file, async () => {
      await import(/* @vite-ignore */ `../${file}`);
    });
  }
}
