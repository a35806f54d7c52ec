/**
 * `npm run demo`: creates a test tenant with 200 users and a month of logins, attacks and locks, so that every page of
 * the console has something to show. It needs a running service, such as that of `npm run dev`.
 *
 * It finds the service as `edge-idp` does. Its own options are `--users` and `--seed`.
 */
import { EdgeIdp, IdpError } from "@edge-idp/sdk";
import { Command, CommanderError } from "commander";
import { parseCount } from "../packages/cli/src/arguments.ts";
import { describeIdpError } from "../packages/cli/src/describe-error.ts";
import { Failure } from "../packages/cli/src/failure.ts";
import { addOperatorOptions, connect, findOperatorService } from "../packages/cli/src/service.ts";
import { fillDemoTenant } from "./support/demo-fill.ts";
import { runScript } from "./support/run-script.ts";

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function createDemoData(
  command: Command,
  size: { readonly users: number; readonly seed: number },
): Promise<void> {
  const service = findOperatorService(command);
  const operator = connect(service);
  const { tenant, token } = await operator.tenants.create({ name: "Demo data", mode: "test" });
  await fillDemoTenant(new EdgeIdp({ url: service.url, token: token.secret }), size, print);
  print(`
The tenant "Demo data" is there.

  Tenant   ${tenant.id}
  Console  ${service.url}/console
  Token    ${token.secret}
`);
}

async function main(): Promise<number> {
  const command = addOperatorOptions(new Command("npm run demo --"))
    .description("Creates a test tenant with a month of logins, attacks and locks.")
    .option("--users <n>", "users of the tenant", parseCount, 200)
    .option("--seed <n>", "the same seed makes the same month", parseCount, 1)
    .exitOverride();
  command.action(async (size) => await createDemoData(command, size));
  try {
    await command.parseAsync();
    return 0;
  } catch (error) {
    // Commander has printed the help or what is wrong.
    if (error instanceof CommanderError) return error.exitCode;
    if (error instanceof IdpError) throw new Failure(describeIdpError(error));
    throw error;
  }
}

await runScript(main);
process.exit();
