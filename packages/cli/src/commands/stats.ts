/** `edge-idp stats`: the statistics of a tenant. */
import type { Command } from "commander";
import { parseCount, parseTenantId } from "../arguments.ts";
import { addExamples } from "../help.ts";
import { longRequest } from "../long-request.ts";
import { addOperatorOptions, connectAsOperator } from "../service.ts";

/** The free plan allows 50 subrequests. */
const defaultSteps = 8;

interface RebuildOptions {
  readonly continue?: boolean;
  readonly limit: number;
}

export function addStatsCommand(program: Command): void {
  const group = program
    .command("stats")
    .summary("rebuild a tenant's statistics")
    .description("The statistics of a tenant, which follow from its audit trail.");
  const command = group
    .command("rebuild")
    .summary("count the events of a tenant's trail again")
    .description(
      "Deletes a tenant's statistics, and counts all events of its trail again, while the tenant works on. If the command is stopped, the service continues in the background. docs/operations.md says when this is needed.",
    )
    .argument("<tenant>", "the id of the tenant", parseTenantId)
    .option("--continue", "count only the events that are not counted yet")
    .option(
      "--limit <n>",
      "steps of 2,000 events in one request; the free plan allows 50 subrequests",
      parseCount,
      defaultSteps,
    );
  addOperatorOptions(command);
  command.action(async (tenantId: string, { limit, ...options }: RebuildOptions) => {
    const idp = connectAsOperator(command);
    let restart = !options.continue;
    for (;;) {
      const step = { restart, limit };
      const { counted, total, done } = await idp.tenants.rebuildStatistics(
        tenantId,
        step,
        longRequest,
      );
      restart = false;
      process.stdout.write(`${counted} of ${total} events counted\n`);
      if (done) break;
    }
  });
  addExamples(command, [
    {
      line: "stats rebuild 6908bffd1c2e4a5b9d7f0a31 --continue",
      what: "count the rest, after an upgrade",
    },
  ]);
}
