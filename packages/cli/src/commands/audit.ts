/** `edge-idp audit`: saves a tenant's audit trail, and verifies it. */
import type { Command } from "commander";
import { addExamples } from "../help.ts";
import { addTenantOptions, connectAsTenant } from "../service.ts";
import { quoteForShell } from "../shell.ts";
import { addVerifyCommand } from "./audit-verify.ts";

function addExportCommand(group: Command): void {
  const command = group
    .command("export")
    .summary("save a trail with its checkpoint and keys")
    .description(
      "Saves the whole trail (export.ndjson), the checkpoint that covers it (checkpoint.json) and the public keys (keys.json) in a folder, in the order that verification needs. Needs the permission audit:read. Files that exist are never replaced: keep every checkpoint.",
    )
    .requiredOption("--out <folder>", "where to save; the folder is made if it does not exist");
  addTenantOptions(command);
  command.action(async ({ out }: { readonly out: string }) => {
    const { saveExport } = await import("../audit/export.ts");
    const { leaves, files } = await saveExport(connectAsTenant(command), out);
    const { exported, checkpoint, keys } = files;
    process.stdout.write(
      `${leaves} events: ${exported}\n` +
        `Verify them: npx edge-idp audit verify ${quoteForShell(exported)} ${quoteForShell(checkpoint)}\n` +
        `Keep ${checkpoint} and ${keys} where the operator of the service cannot write.\n`,
    );
  });
  addExamples(command, [
    {
      line: "audit export --out trail-2026-08",
      what: "with IDP_URL and IDP_TOKEN of the environment",
    },
  ]);
}

export function addAuditCommand(program: Command): void {
  const group = program
    .command("audit")
    .summary("save and verify an audit trail")
    .description("Saves a tenant's audit trail, and verifies it on this machine.");
  addVerifyCommand(group);
  addExportCommand(group);
}
