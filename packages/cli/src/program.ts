/** Every command of `edge-idp`. Each file in commands/ adds one command, or one group of them. */
import { Command } from "commander";
import { addQrCommand } from "./commands/qr.ts";
import { addSetupCommand } from "./commands/setup.ts";
import { addUpgradeCommand } from "./commands/upgrade.ts";

export function createProgram(): Command {
  const program = new Command("edge-idp")
    .description("Set up, operate and audit Edge IDP.")
    .configureHelp({ sortSubcommands: true, showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride();
  addQrCommand(program);
  addSetupCommand(program);
  addUpgradeCommand(program);
  return program;
}
