/** Every command of `edge-idp`. Each file in commands/ adds one command, or one group of them. */
import { Command } from "commander";
import { addQrCommand } from "./commands/qr.ts";
import { addUsersCommand } from "./commands/users/index.ts";

export function createProgram(): Command {
  const program = new Command("edge-idp")
    .description("Set up, operate and audit Edge IDP.")
    .configureHelp({ sortSubcommands: true, showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride();
  addQrCommand(program);
  addUsersCommand(program);
  return program;
}
