import type { Command } from "commander";
import { parseTenantId } from "../../arguments.ts";

/** Adds the argument of every command about one tenant. */
export function addTenantArgument(command: Command): Command {
  return command.argument("<tenant>", "the id of the tenant", parseTenantId);
}

/** A tenant in examples. */
export const exampleId = "6908bffd1c2e4a5b9d7f0a31";
