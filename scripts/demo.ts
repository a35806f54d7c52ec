/**
 * `npm run demo`: creates a test tenant with 200 users and a month of logins, attacks and locks, so that every page of
 * the console has something to show. It needs a running service, such as that of `npm run dev`.
 *
 * Its options are `--url`, `--file` (the file with OPERATOR_TOKEN), `--users` and `--seed`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { EdgeIdp } from "@edge-idp/sdk";
import { Failure } from "../packages/cli/src/failure.ts";
import { readSecret } from "../packages/cli/src/secret-file.ts";
import { fillDemoTenant } from "./support/demo-fill.ts";
import { findDemoUrl } from "./support/operator-api.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");

function parseCount(name: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Failure(`--${name} ${text}: expected a whole number above 0.`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: "string", default: findDemoUrl() },
      file: { type: "string", default: join(root, ".dev.vars") },
      users: { type: "string", default: "200" },
      seed: { type: "string", default: "1" },
    },
  });
  const { url, file } = values;
  const size = {
    users: parseCount("users", values.users),
    seed: parseCount("seed", values.seed),
  };
  const operator = new EdgeIdp({ url, token: readSecret(file, "OPERATOR_TOKEN") });
  const { tenant, token } = await operator.tenants.create({ name: "Demo data", mode: "test" });
  await fillDemoTenant(new EdgeIdp({ url, token: token.secret }), size, print);
  print(`
The tenant "Demo data" is there.

  Tenant   ${tenant.id}
  Console  ${url}/console
  Token    ${token.secret}
`);
  return 0;
}

await runScript(main);
process.exit();
