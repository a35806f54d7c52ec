/** `edge-idp tenants move`: moves a tenant's data to another database while the tenant uses the service. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { parseCount, parseIndex } from "../../arguments.ts";
import { addExamples } from "../../help.ts";
import { longRequest } from "../../long-request.ts";
import { addOperatorOptions, connectAsOperator } from "../../service.ts";
import { addTenantArgument, exampleId } from "./tenant-argument.ts";

/** The last phase waits a minute for readers that have cached the old database. */
const cleaningPauseMs = 10_000;
/** The free plan allows 50 subrequests. */
const defaultPages = 14;

interface MoveOptions {
  readonly to: number;
  readonly limit: number;
}

export function addMoveCommand(group: Command): void {
  const command = group
    .command("move")
    .summary("move a tenant's data to another database")
    .description(
      "Moves a tenant's data to another database while the tenant uses the service, and prints the progress. It can be stopped at any time, and resumes when it is started again. During a move, --to with the database that the tenant is leaving cancels it. docs/operations.md has the whole procedure.",
    );
  addTenantArgument(command)
    .requiredOption("--to <n>", "the database: 0 for DB, 1 for DB_1, and so on", parseIndex)
    .option(
      "--limit <n>",
      "pages of 300 rows in one request; the free plan allows 50 subrequests",
      parseCount,
      defaultPages,
    );
  addOperatorOptions(command);
  command.action(async (id: string, { to: shard, limit }: MoveOptions) => {
    const idp = connectAsOperator(command);
    let shown = "";
    for (;;) {
      const part = { shard, limit };
      const { from, to, phase, table, copied, done } = await idp.tenants.relocate(
        id,
        part,
        longRequest,
      );
      const where = table === null ? "" : ` ${table}`;
      const line = `From ${from} to ${to}: ${phase}${where}, ${copied} rows copied\n`;
      if (line !== shown) process.stdout.write(line);
      else if (phase === "cleaning") await sleep(cleaningPauseMs);
      shown = line;
      if (done) break;
    }
    process.stdout.write(`Tenant ${id} is in database ${shard}.\n`);
  });
  addExamples(command, [
    {
      line: `tenants move ${exampleId} --to 1 --secrets-file .prod.vars --url https://idp.example.com`,
      what: "start a move to DB_1, or go on with it",
    },
  ]);
}
