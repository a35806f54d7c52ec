/** Runs `edge-idp users` as an operator does. */
import { join } from "node:path";
import { ProcessGroup } from "../../e2e/process-group.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const command = join(root, "packages", "cli", "bin", "edge-idp.js");

export interface Account {
  readonly url: string;
  readonly token: string;
}

export interface Finished {
  /** Null after a signal. */
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** @param cwd a folder outside of any clone, so that nothing but the environment names the service */
export function startUsersCommand(
  { url, token }: Account,
  cwd: string,
  args: readonly string[],
): ProcessGroup {
  return new ProcessGroup(process.execPath, [command, "users", ...args], cwd, {
    IDP_URL: url,
    IDP_TOKEN: token,
  });
}

export async function finish(group: ProcessGroup): Promise<Finished> {
  return { code: await group.ended, output: group.output, errors: group.errors };
}

export async function runUsersCommand(
  account: Account,
  cwd: string,
  args: readonly string[],
): Promise<Finished> {
  return await finish(startUsersCommand(account, cwd, args));
}
