/** Starts the built command `edge-idp` as a child process, as a user does. */
import { join } from "node:path";
import { ProcessGroup } from "./process-group.ts";

/** Variables that would name another service, or another Node. */
const unset = ["IDP_URL", "IDP_TOKEN", "OPERATOR_TOKEN", "NODE_OPTIONS"];

export interface StartOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Where it runs; the project unless named. */
  readonly folder?: string;
  /** The Node that runs it. */
  readonly node?: string;
}

export interface Finished {
  /** Null after a signal that ended it. */
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** The file that the command begins with. */
export function entryOf(project: string): string {
  return join(project, "node_modules", "@edge-idp", "cli", "bin", "edge-idp.js");
}

/** Unsets the variables in a shell. */
export const unsetInShell = unset.map((name) => `unset ${name}`).join("; ");

export function startEdgeIdp(
  project: string,
  args: readonly string[],
  { environment = {}, folder = project, node = process.execPath }: StartOptions = {},
): ProcessGroup {
  const without = unset.filter((name) => !(name in environment)).flatMap((name) => ["-u", name]);
  const words = [...without, node, entryOf(project), ...args];
  return new ProcessGroup("env", words, folder, environment);
}

export async function finish(group: ProcessGroup): Promise<Finished> {
  const code = await group.ended;
  return { code, output: group.output, errors: group.errors };
}
