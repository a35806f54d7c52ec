/** Every command of `edge-idp`. Each file in commands/ adds one command, or one group of them. */
import { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { addAuditCommand } from "./commands/audit.ts";
import { addBackupCommand } from "./commands/backup.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addKeysCommand } from "./commands/keys.ts";
import { addQrCommand } from "./commands/qr.ts";
import { addRestoreCommand } from "./commands/restore.ts";
import { addSentinelCommand } from "./commands/sentinel.ts";
import { addSetupCommand } from "./commands/setup.ts";
import { addStatsCommand } from "./commands/stats.ts";
import { addTenantsCommand } from "./commands/tenants.ts";
import { addTrailCommand } from "./commands/trail.ts";
import { addUpgradeCommand } from "./commands/upgrade.ts";
import { addUsersCommand } from "./commands/users.ts";
import { addHelpCommand } from "./help.ts";

export function createProgram(): Command {
  const program = new Command("edge-idp")
    .description("Set up, operate and audit Edge IDP.")
    .version(manifest.version)
    .configureHelp({ sortSubcommands: true })
    .showSuggestionAfterError()
    .exitOverride();
  addAuditCommand(program);
  addBackupCommand(program);
  addDoctorCommand(program);
  addKeysCommand(program);
  addQrCommand(program);
  addRestoreCommand(program);
  addSentinelCommand(program);
  addSetupCommand(program);
  addStatsCommand(program);
  addTenantsCommand(program);
  addTrailCommand(program);
  addUpgradeCommand(program);
  addUsersCommand(program);
  // The last one, because it looks at the others.
  addHelpCommand(program);
  return program;
}
