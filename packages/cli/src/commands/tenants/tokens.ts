/** `edge-idp tenants tokens`: the API tokens of a tenant, such as one that lost its own. */
import type { ApiToken } from "@edge-idp/sdk";
import { type Command, InvalidArgumentError } from "commander";
import { type Permission, permissions } from "../../../../../src/tenancy/permission.ts";
import { parseInstant, parseTokenId } from "../../arguments.ts";
import { addExamples } from "../../help.ts";
import { addOperatorOptions, connectAsOperator } from "../../service.ts";
import { formatFields, formatTable } from "../../text.ts";
import { addSaveTokenOption, describeToken, hideSaved, saveToken } from "../../token-file.ts";
import { addTenantArgument, exampleId } from "./tenant-argument.ts";

const all = "all";
const pageSize = 100;

function parsePermissions(
  text: string,
  earlier: readonly Permission[] = [],
): readonly Permission[] {
  if (text === all) return permissions;
  const found = permissions.find((permission) => permission === text);
  if (found !== undefined) return [...new Set([...earlier, found])];
  throw new InvalidArgumentError(`Expected ${all}, or one of ${permissions.join(", ")}.`);
}

function addListCommand(group: Command): void {
  const command = group
    .command("list")
    .summary("list the API tokens of a tenant")
    .description("Lists the API tokens of a tenant, without the tokens themselves.");
  addTenantArgument(command).option(
    "--json",
    "print one JSON object for each token, on a line of its own",
  );
  addOperatorOptions(command);
  command.action(async (tenantId: string, { json = false }: { readonly json?: boolean }) => {
    const pages = connectAsOperator(command).tenants.tokens(tenantId).list({ limit: pageSize });
    const tokens: ApiToken[] = [];
    for await (const token of pages) tokens.push(token);
    if (json) {
      for (const token of tokens) process.stdout.write(`${JSON.stringify(token)}\n`);
      return;
    }
    const rows = tokens.map((token) => [
      ...[token.id, token.created_at, token.expires_at ?? "never", token.last_used_at ?? "never"],
      ...[token.permissions.join(","), token.name],
    ]);
    const heading = ["TOKEN", "CREATED", "EXPIRES", "LAST USED", "PERMISSIONS", "NAME"];
    process.stdout.write(formatTable([heading, ...rows]));
  });
  addExamples(command, [
    { line: `tenants tokens list ${exampleId}`, what: "of the local service" },
  ]);
}

interface NewTokenOptions {
  readonly name: string;
  readonly permission: readonly Permission[];
  readonly expiresAt?: string;
  readonly saveToken?: string;
  readonly json?: boolean;
}

function addCreateCommand(group: Command): void {
  const command = group
    .command("create")
    .summary("create an API token, such as for a tenant that lost its own")
    .description("Creates an API token of a tenant. The token is shown once.");
  addTenantArgument(command)
    .requiredOption("--name <name>", "the name of the token")
    .requiredOption(
      "--permission <permission>",
      `${all}, or one of ${permissions.join(", ")}; repeatable`,
      parsePermissions,
    )
    .option("--expires-at <time>", "when the token expires (default: never)", parseInstant)
    .option("--json", "print the answer of the service as JSON");
  addSaveTokenOption(command);
  addOperatorOptions(command);
  command.action(async (tenantId: string, options: NewTokenOptions) => {
    const { name, permission, expiresAt, saveToken: file, json = false } = options;
    const expiry = expiresAt === undefined ? {} : { expires_at: expiresAt };
    const tokens = connectAsOperator(command).tenants.tokens(tenantId);
    const token = await saveToken(file, () =>
      tokens.create({ name, permissions: [...permission], ...expiry }),
    );
    if (json) {
      process.stdout.write(`${JSON.stringify(hideSaved(token, file))}\n`);
      return;
    }
    const { id, permissions: given, secret } = token;
    const shown = describeToken(secret, file);
    const fields = { Id: id, Name: token.name, Permissions: given.join(", "), Token: shown };
    process.stdout.write(
      `${formatFields(fields)}\nThe token is not shown again. Hand it over where nobody else can read it.\n`,
    );
  });
  addExamples(command, [
    {
      line: `tenants tokens create ${exampleId} --name recovery --permission tokens:write`,
      what: "for a tenant that lost its tokens, and makes its own with this one",
    },
  ]);
}

function addRevokeCommand(group: Command): void {
  const command = group
    .command("revoke")
    .summary("end an API token")
    .description(
      "Ends an API token everywhere within 30 seconds, also the last one of the tenant.",
    );
  addTenantArgument(command).argument("<token>", "the id of the token", parseTokenId);
  addOperatorOptions(command);
  command.action(async (tenantId: string, tokenId: string) => {
    await connectAsOperator(command).tenants.tokens(tenantId).revoke(tokenId);
    process.stdout.write(`The token ${tokenId} is revoked; it ends within 30 seconds.\n`);
  });
  addExamples(command, [
    {
      line: `tenants tokens revoke ${exampleId} 6908bffd1c2e4a5b9d7f0a32`,
      what: "a token that leaked",
    },
  ]);
}

export function addTokensCommand(group: Command): void {
  const tokens = group
    .command("tokens")
    .summary("list, create and revoke a tenant's API tokens")
    .description("The API tokens of a tenant, for the operator. Works for a suspended tenant too.");
  addListCommand(tokens);
  addCreateCommand(tokens);
  addRevokeCommand(tokens);
}
