/** `edge-idp tenants find`: which tenant a token or a request belongs to. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { Failure } from "../failure.ts";
import { addOperatorOptions, findOperatorService } from "../service.ts";
import { describeRequest, describeTokenOwner } from "../tenants/find.ts";
import { readTenantOfPrefix, readTenantOfToken } from "../tenants/read-token.ts";

interface Options {
  readonly tokenFile?: string;
  readonly prefix?: string;
  readonly request?: string;
}

function readFile(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new Failure(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The group may be there already, with other commands about tenants. */
function groupOf(program: Command): Command {
  const known = program.commands.find((command) => command.name() === "tenants");
  return known ?? program.command("tenants").summary("look after tenants");
}

export function addTenantsFindCommand(program: Command): void {
  const command = groupOf(program)
    .command("find")
    .summary("find the tenant of a token or of a request")
    .description(
      "Says which tenant an API token or a request belongs to, and whether the token works. A token is read from a file, because other users of the machine can read arguments.",
    )
    .option("--token-file <file>", "a file with a whole API token, such as one that has leaked")
    .option("--prefix <text>", "the beginning of a token: idp_live_ and 21 digits")
    .option("--request <id>", "the `request_id` of an answer or of a line in the log");
  addOperatorOptions(command).action(async () => {
    const { tokenFile, prefix, request } = command.opts<Options>();
    if ([tokenFile, prefix, request].filter((one) => one !== undefined).length !== 1) {
      throw new Failure("Name one of --token-file, --prefix and --request.");
    }
    const service = findOperatorService(command);
    if (request !== undefined) {
      process.stdout.write(`${await describeRequest(service, request)}\n`);
      return;
    }
    const secret = tokenFile === undefined ? undefined : readFile(tokenFile);
    const found =
      secret === undefined ? readTenantOfPrefix(prefix ?? "") : readTenantOfToken(secret);
    process.stdout.write(`${await describeTokenOwner(service, found, secret)}\n`);
  });
}
