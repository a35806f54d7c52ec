/** Every command of `edge-idp`. Each file in commands/ adds one command, or one group of them. */
import { Command } from "commander";
import { addBackupCommand } from "./commands/backup.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addQrCommand } from "./commands/qr.ts";
import { addRestoreCommand } from "./commands/restore.ts";
import { addTenantsFindCommand } from "./commands/tenants-find.ts";

export function createProgram(): Command {
  const program = new Command("edge-idp")
    .description("Set up, operate and audit Edge IDP.")
    .configureHelp({ sortSubcommands: true, showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride();
  addBackupCommand(program);
  addDoctorCommand(program);
  addQrCommand(program);
  addRestoreCommand(program);
  addTenantsFindCommand(program);
  return program;
}
