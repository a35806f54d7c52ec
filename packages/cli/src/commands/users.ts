/** `edge-idp users`: brings users from another system, and takes them to one. */
import type { Command } from "commander";
import { addExportCommand } from "./users/export.ts";
import { addImportCommand } from "./users/import.ts";

export function addUsersCommand(program: Command): void {
  const users = program
    .command("users")
    .summary("import users from another system, and export them")
    .description("Imports users with their TOTP secrets from another system, and exports them.");
  addImportCommand(users);
  addExportCommand(users);
}
