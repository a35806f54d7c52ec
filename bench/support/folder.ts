/** The temporary folder of a bench. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { whenNpmEnds } from "../../scripts/support/parent.ts";

function deleteFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/**
 * Creates the folder, and ends this process when the terminal or npm ends it.
 * @param onExit gets the folder when the process ends; by default it is deleted
 */
export function createBenchFolder(onExit: (folder: string) => void = deleteFolder): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-idp-bench-"));
  // On exit and synchronously, because on Ctrl-C Miniflare ends the process at once.
  process.once("exit", () => onExit(folder));
  const end = () => process.exit(1);
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  whenNpmEnds(end);
  return folder;
}
