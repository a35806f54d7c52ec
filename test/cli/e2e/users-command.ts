/** Runs `edge-idp users` for a tenant. */
import { join } from "node:path";
import { type Finished, finish, startEdgeIdp } from "../../e2e/edge-idp.ts";
import type { ProcessGroup } from "../../e2e/process-group.ts";

const root = join(import.meta.dirname, "..", "..", "..");

export interface Account {
  readonly url: string;
  readonly token: string;
}

/** @param folder outside of any clone, so that nothing but the environment names the service */
export function startUsersCommand(
  { url, token }: Account,
  folder: string,
  args: readonly string[],
): ProcessGroup {
  const environment = { IDP_URL: url, IDP_TOKEN: token };
  return startEdgeIdp(root, ["users", ...args], { environment, folder });
}

export function runUsersCommand(
  account: Account,
  folder: string,
  args: readonly string[],
): Promise<Finished> {
  return finish(startUsersCommand(account, folder, args));
}
