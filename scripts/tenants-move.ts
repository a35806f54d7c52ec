/**
 * `npm run tenants:move`: moves a tenant's data to another database while the tenant uses the service.
 * docs/operations.md has the whole procedure.
 */
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Failure } from "../packages/cli/src/failure.ts";
import { readSecret } from "../packages/cli/src/secret-file.ts";
import { idPattern } from "../src/crypto/id-time.ts";
import { OperatorApi } from "./support/operator-api.ts";
import { runScript } from "./support/run-script.ts";
import {
  requireUrl,
  resolveService,
  serviceHelp,
  serviceOptions,
} from "./support/service-options.ts";

/** The last phase waits a minute for readers that have cached the old database. */
const cleaningPauseMs = 10_000;

const helpText = `Move a tenant's data to another database.

  npm run tenants:move -- --tenant ID --to N   start or resume; N is 0 for DB, 1 for DB_1, …

During a move, --to with the database that the tenant is leaving cancels it.

${serviceHelp}  --limit N     pages of 300 rows in one request (default 14: the free plan allows 50 subrequests)
`;

async function moveTenant(api: OperatorApi, tenantId: string, shard: number, limit: number) {
  let shown = "";
  for (;;) {
    const { from, to, phase, table, copied, done } = await api.relocate(tenantId, shard, limit);
    const where = table === null ? "" : ` ${table}`;
    const line = `From ${from} to ${to}: ${phase}${where}, ${copied} rows copied\n`;
    if (line !== shown) process.stdout.write(line);
    else if (phase === "cleaning") await setTimeout(cleaningPauseMs);
    shown = line;
    if (done) break;
  }
  process.stdout.write(`Tenant ${tenantId} is in database ${shard}.\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      tenant: { type: "string" },
      to: { type: "string" },
      ...serviceOptions,
      limit: { type: "string", default: "14" },
      help: { type: "boolean", default: false },
    },
  });
  const { tenant, to, limit, help } = values;
  if (help || tenant === undefined || to === undefined) {
    process.stdout.write(helpText);
    return help ? 0 : 1;
  }
  if (!idPattern.test(tenant)) throw new Failure("--tenant is an id of 24 hex digits.");
  if (!/^\d+$/.test(to)) throw new Failure("--to is a number: 0 for DB, 1 for DB_1, and so on.");
  const service = resolveService(values);
  const api = new OperatorApi(requireUrl(service), readSecret(service.file, "OPERATOR_TOKEN"));
  await moveTenant(api, tenant, Number(to), Number(limit));
  return 0;
}

await runScript(main);
