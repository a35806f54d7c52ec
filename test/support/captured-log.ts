/** Collects what the service logs, for tests that search it. */
import { afterEach, beforeEach, vi } from "vitest";

/** Captures the log of each test of the file. @returns the lines of the present test */
export function captureLog(): string[] {
  const log: string[] = [];
  beforeEach(() => {
    log.length = 0;
    for (const level of ["debug", "log", "info", "warn", "error", "trace"] as const) {
      vi.spyOn(console, level).mockImplementation(
        (...line: unknown[]) =>
          void log.push(
            line.map((part) => (part instanceof Error ? part.stack : JSON.stringify(part))).join(),
          ),
      );
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  return log;
}
