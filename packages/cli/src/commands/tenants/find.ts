/** `edge-idp tenants find`: which tenant a token or a request belongs to. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { exitCodes, Failure } from "../../failure.ts";
import { addExamples } from "../../help.ts";
import { addOperatorOptions, findOperatorService } from "../../service.ts";
import { describeRequest, describeTokenOwner } from "../../tenants/find.ts";
import { readTenantOfPrefix, readTenantOfToken } from "../../tenants/read-token.ts";

interface FindOptions {
  readonly tokenFile?: string;
  readonly prefix?: string;
  readonly request?: string;
}

export function addFindCommand(group: Command): void {
  const command = group
    .command("find")
    .summary("find the tenant of a token or of a request")
    .description(
      "Says which tenant an API token or a request belongs to, and whether the token works. A token is read from a file, because other users of the machine can read arguments.",
    )
    .option("--token-file <file>", "a file with a whole API token, such as one that has leaked")
    .option("--prefix <text>", "the beginning of a token: idp_live_ and 21 digits")
    .option("--request <id>", "the `request_id` of an answer or of a line in the log");
  addOperatorOptions(command);
  command.action(async ({ tokenFile, prefix, request }: FindOptions) => {
    if ([tokenFile, prefix, request].filter((one) => one !== undefined).length !== 1) {
      throw new Failure("Name one of --token-file, --prefix and --request.", exitCodes.unusable);
    }
    const service = findOperatorService(command);
    if (request !== undefined) {
      process.stdout.write(`${await describeRequest(service, request)}\n`);
      return;
    }
    const secret = tokenFile === undefined ? undefined : readFileSync(tokenFile, "utf8").trim();
    const found =
      secret === undefined ? readTenantOfPrefix(prefix ?? "") : readTenantOfToken(secret);
    process.stdout.write(`${await describeTokenOwner(service, found, secret)}\n`);
  });
  addExamples(command, [
    { line: "tenants find --token-file leaked.token", what: "whose token is it?" },
    { line: "tenants find --request 6908bffd1c2e4a5b9d7f0a31", what: "whose request was it?" },
  ]);
}
