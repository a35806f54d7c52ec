/** `edge-idp audit`: saves a tenant's audit trail, and verifies it. */
import type { Command } from "commander";
import { exitCodes } from "../failure.ts";
import { addExamples } from "../help.ts";
import { addTenantOptions, connectAsTenant } from "../service.ts";
import { quoteForShell } from "../shell.ts";

function addVerifyCommand(group: Command): void {
  const command = group
    .command("verify")
    .summary("verify a saved trail, without the service")
    .description(
      "Verifies a tenant's audit trail from saved files, without the service, network and secrets.\n\n" +
        "Exits with 0 if all is verified, with 1 if not, and with 2 if there is no verdict: an argument is wrong, or a file cannot be used. docs/audit-verification.md explains each message.",
    )
    .argument("<export>", "the answer of GET /v1/audit/export, from leaf 0 on")
    .argument("<checkpoint>", "the answer of GET /v1/audit/checkpoint, taken before the export")
    .argument(
      "[older]",
      "an earlier answer: proves that history was not rewritten since it was taken",
    )
    .option("--keys <file>", "an earlier answer of GET /v1/audit/keys: accept only these keys")
    .option("--json", "print one JSON object instead of text")
    .action(
      async (
        exported: string,
        checkpoint: string,
        older: string | undefined,
        { keys, json = false }: { readonly keys?: string; readonly json?: boolean },
      ) => {
        const { verifyFiles } = await import("../audit/verify.ts");
        const { formatJson, formatText } = await import("../audit/verdict.ts");
        const verdict = await verifyFiles({ exported, checkpoint, older, keys });
        const shown = json ? formatJson(verdict) : formatText(verdict, keys !== undefined);
        process.stdout.write(`${shown}\n`);
        process.exitCode = verdict.ok ? exitCodes.success : exitCodes.failed;
      },
    );
  addExamples(command, [
    { line: "audit verify export.ndjson checkpoint.json", what: "as saved by audit export" },
    {
      line: "audit verify export.ndjson checkpoint.json last-year.json --keys keys.json",
      what: "also that history was not rewritten, nor signed with another key",
    },
  ]);
}

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
