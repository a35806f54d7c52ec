/** `edge-idp tenants create`. */
import { type Command, Option } from "commander";
import { jurisdictions } from "../../../../../src/location.ts";
import { parseIndex } from "../../arguments.ts";
import { addExamples } from "../../help.ts";
import { addOperatorOptions, connectAsOperator, repeatGivenOptions } from "../../service.ts";
import { formatFields } from "../../text.ts";
import { addSaveTokenOption, describeToken, hideSaved, saveToken } from "../../token-file.ts";

interface CreateOptions {
  readonly mode: "live" | "test";
  readonly jurisdiction?: (typeof jurisdictions)[number];
  readonly database: number;
  readonly saveToken?: string;
  readonly json?: boolean;
}

export function addCreateCommand(group: Command): void {
  const command = group
    .command("create")
    .summary("create a tenant and its first API token")
    .description(
      "Creates a tenant and its first API token, which has all permissions. The token is shown once.",
    )
    .argument("<name>", "the name of the tenant")
    .addOption(
      new Option(
        "--mode <mode>",
        "live, or test: requests of a test tenant may carry the time at which they run",
      )
        .choices(["live", "test"])
        .default("live"),
    )
    .addOption(
      new Option(
        "--jurisdiction <name>",
        "where the tenant's Durable Objects run; it cannot be changed later",
      ).choices(jurisdictions),
    )
    .option("--database <n>", "where the tenant's data is: 0 for DB, 1 for DB_1", parseIndex, 0)
    .option("--json", "print the answer of the service as JSON");
  addSaveTokenOption(command);
  addOperatorOptions(command);
  command.action(async (name: string, options: CreateOptions) => {
    const { mode, jurisdiction = null, database: shard, saveToken: file, json = false } = options;
    const idp = connectAsOperator(command);
    const { tenant, ...token } = await saveToken(file, async () => {
      const created = await idp.tenants.create({ name, mode, jurisdiction, shard });
      return { ...created.token, tenant: created.tenant };
    });
    if (json) {
      process.stdout.write(`${JSON.stringify({ tenant, token: hideSaved(token, file) })}\n`);
      return;
    }
    const { id } = tenant;
    const shown = describeToken(token.secret, file);
    const fields = { Tenant: id, Name: tenant.name, Mode: tenant.mode, Token: shown };
    const given = repeatGivenOptions(command);
    process.stdout.write(`${formatFields(fields)}
The token has all permissions, and is not shown again. Store it where the tenant's backend
reads its secrets, and nowhere else. If it is lost, make another one:

  npx edge-idp tenants tokens create ${id} --name recovery --permission tokens:write${given}
`);
  });
  addExamples(command, [
    { line: "tenants create Acme", what: "in the local service" },
    {
      line: "tenants create Acme --save-token acme.token --secrets-file .prod.vars --url https://idp.example.com",
      what: "in another service, with the token in a file",
    },
  ]);
}
