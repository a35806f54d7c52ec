/** Keeps what the service logs out of the output of a file whose tests cause failures. */
import { afterEach, beforeEach, vi } from "vitest";

export function useQuietConsole(): void {
  beforeEach(() => {
    for (const level of ["info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation(() => {});
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
}
