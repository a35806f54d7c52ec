/** A copy of the project in which the service runs, so that a developer's own data stays as it is. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** Files that belong to this machine, not to the project. */
const excluded = new Set([
  ...["node_modules", ".git", ".wrangler", ".dev", ".dev.vars", "dist"],
  // Of a deployment.
  ...[".prod.vars", ".prod.env", ".env", "wrangler.prod.toml"],
]);

export interface ProjectCopy {
  readonly project: string;
  /** A directory for the check's own files. */
  readonly scratch: string;
  readonly remove: () => void;
}

export function copyProject(root: string): ProjectCopy {
  const directory = mkdtempSync(join(tmpdir(), "edge-idp-e2e-"));
  const project = join(directory, "project");
  const scratch = join(directory, "scratch");
  mkdirSync(scratch);
  const isProject = (source: string) => source === root || !excluded.has(basename(source));
  cpSync(root, project, { recursive: true, filter: isProject });
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"), "junction");
  return {
    project,
    scratch,
    remove: () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }),
  };
}
