/** `edge-idp tenants delete`: erases a suspended tenant, and shows the progress until nothing is left. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { exitCodes, Failure } from "../../failure.ts";
import { addExamples } from "../../help.ts";
import { addOperatorOptions, connectAsOperator } from "../../service.ts";
import { deleteTenant } from "../../tenants/delete-tenant.ts";
import { toPrintable } from "../../text.ts";
import { addTenantArgument, exampleId } from "./tenant-argument.ts";

/** The service goes on by itself, so a request more often would only hurry it. */
const pauseMs = 2_000;

export function addDeleteCommand(group: Command): void {
  const command = group
    .command("delete")
    .summary("erase a suspended tenant with every user")
    .description(
      "Erases a tenant with every user, which cannot be stopped or undone. The tenant must have been suspended for 24 hours, a test tenant for a minute. The service continues by itself if the command is stopped; started again, the command shows the progress. The sealed audit trail stays for its retention.",
    );
  addTenantArgument(command).requiredOption(
    "--confirm <name>",
    "the name of the tenant, so that no other one is deleted by mistake",
  );
  addOperatorOptions(command);
  command.action(async (id: string, { confirm: name }: { readonly confirm: string }) => {
    if (name === "") throw new Failure("--confirm is empty.", exitCodes.unusable);
    await deleteTenant({
      idp: connectAsOperator(command),
      id,
      name,
      print: (line) => process.stdout.write(`${line}\n`),
      pause: async () => await sleep(pauseMs),
    });
    process.stdout.write(
      `The tenant "${toPrintable(name)}" is deleted. Its sealed audit trail stays for its retention.\n`,
    );
  });
  addExamples(command, [
    {
      line: `tenants delete ${exampleId} --confirm "Acme"`,
      what: "a day after edge-idp tenants suspend",
    },
  ]);
}
