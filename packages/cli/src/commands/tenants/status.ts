/** `edge-idp tenants suspend` and `reactivate`. */
import type { Command } from "commander";
import { addExamples } from "../../help.ts";
import { addOperatorOptions, connectAsOperator } from "../../service.ts";
import { toPrintable } from "../../text.ts";
import { addTenantArgument, exampleId } from "./tenant-argument.ts";

export function addSuspendCommand(group: Command): void {
  const command = group
    .command("suspend")
    .summary("refuse all requests of a tenant")
    .description(
      "Refuses every request with an API token of the tenant, within 30 seconds. Nothing is deleted, and jobs and deliveries go on.",
    );
  addOperatorOptions(addTenantArgument(command));
  command.action(async (id: string) => {
    const { name } = await connectAsOperator(command).tenants.suspend(id);
    process.stdout.write(
      `The tenant "${toPrintable(name)}" is suspended: within 30 seconds, every request with one of its tokens is refused.\n`,
    );
  });
  addExamples(command, [{ line: `tenants suspend ${exampleId}`, what: "of the local service" }]);
}

export function addReactivateCommand(group: Command): void {
  const command = group
    .command("reactivate")
    .alias("resume")
    .summary("end the suspension of a tenant")
    .description("Accepts the tenant's API tokens again, within 30 seconds.");
  addOperatorOptions(addTenantArgument(command));
  command.action(async (id: string) => {
    const { name } = await connectAsOperator(command).tenants.reactivate(id);
    process.stdout.write(
      `The tenant "${toPrintable(name)}" is active: within 30 seconds, its tokens are accepted.\n`,
    );
  });
  addExamples(command, [{ line: `tenants reactivate ${exampleId}`, what: "of the local service" }]);
}
