/**
 * `npm run stats:rebuild`: counts all events of a tenant's trail again, while the service goes on integrating.
 * docs/operations.md says when that is needed.
 */
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

const helpText = `Rebuild a tenant's statistics from its audit trail.

  npm run stats:rebuild -- --tenant ID               delete the statistics, and count all events again
  npm run stats:rebuild -- --tenant ID --continue    count the events that are not counted yet

If the command is stopped, the service continues in the background.

${serviceHelp}  --limit N     steps of 2,000 events in one request (default 8: the free plan allows 50 subrequests)
`;

async function rebuild(api: OperatorApi, tenantId: string, isRestart: boolean, limit: number) {
  let restart = isRestart;
  for (;;) {
    const { counted, total, done } = await api.rebuildStatistics(tenantId, restart, limit);
    restart = false;
    process.stdout.write(`${counted} of ${total} events counted\n`);
    if (done) break;
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      tenant: { type: "string" },
      continue: { type: "boolean", default: false },
      ...serviceOptions,
      limit: { type: "string", default: "8" },
      help: { type: "boolean", default: false },
    },
  });
  const { tenant, limit, help } = values;
  if (help || tenant === undefined) {
    process.stdout.write(helpText);
    return help ? 0 : 1;
  }
  if (!idPattern.test(tenant)) throw new Failure("--tenant is an id of 24 hex digits.");
  const service = resolveService(values);
  const api = new OperatorApi(requireUrl(service), readSecret(service.file, "OPERATOR_TOKEN"));
  await rebuild(api, tenant, !values.continue, Number(limit));
  return 0;
}

await runScript(main);
