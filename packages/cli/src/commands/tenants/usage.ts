/** `edge-idp tenants usage`. */
import type { Command } from "commander";
import { parseInstant } from "../../arguments.ts";
import { addExamples } from "../../help.ts";
import { addOperatorOptions, connectAsOperator } from "../../service.ts";
import { formatFields } from "../../text.ts";
import { addTenantArgument, exampleId } from "./tenant-argument.ts";

interface UsageOptions {
  readonly from?: string;
  readonly to?: string;
  readonly json?: boolean;
}

export function addUsageCommand(group: Command): void {
  const command = group
    .command("usage")
    .summary("sum up what a tenant has used")
    .description(
      "Sums up what a tenant has used between two times, which are widened to whole hours.",
    );
  addTenantArgument(command)
    .option("--from <time>", "default: the calendar month (UTC) of --to begins", parseInstant)
    .option("--to <time>", "default: now", parseInstant)
    .option("--json", "print one JSON object");
  addOperatorOptions(command);
  command.action(async (id: string, { json = false, ...range }: UsageOptions) => {
    const { from, to } = range;
    const usage = await connectAsOperator(command).tenants.usage(id, {
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    });
    if (json) {
      process.stdout.write(`${JSON.stringify(usage)}\n`);
      return;
    }
    const fields = Object.entries(usage).map(([name, value]) => [name, String(value)] as const);
    process.stdout.write(formatFields(Object.fromEntries(fields)));
    if (!usage.complete) {
      process.stderr.write(
        "The service has not counted all events yet, so the numbers may grow.\n",
      );
    }
  });
  addExamples(command, [
    {
      line: `tenants usage ${exampleId} --from 2026-07-01T00:00:00Z --to 2026-08-01T00:00:00Z`,
      what: "one month, as for an invoice",
    },
  ]);
}
