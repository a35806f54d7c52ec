/** `edge-idp tenants`: the tenants of the service, for the operator. */
import type { Command } from "commander";
import { addCreateCommand } from "./tenants/create.ts";
import { addDeleteCommand } from "./tenants/delete.ts";
import { addFindCommand } from "./tenants/find.ts";
import { addMoveCommand } from "./tenants/move.ts";
import { addListCommand, addShowCommand } from "./tenants/show.ts";
import { addReactivateCommand, addSuspendCommand } from "./tenants/status.ts";
import { addTokensCommand } from "./tenants/tokens.ts";
import { addUsageCommand } from "./tenants/usage.ts";

export function addTenantsCommand(program: Command): void {
  const group = program
    .command("tenants")
    .summary("create, suspend, move and delete tenants")
    .description("The tenants of the service, for the operator.");
  addListCommand(group);
  addShowCommand(group);
  addFindCommand(group);
  addCreateCommand(group);
  addSuspendCommand(group);
  addReactivateCommand(group);
  addDeleteCommand(group);
  addUsageCommand(group);
  addTokensCommand(group);
  addMoveCommand(group);
}
