/** `edge-idp doctor`: examines the service and says what to do. */
import { EdgeIdp } from "@edge-idp/sdk";
import type { Command } from "commander";
import { requireDeployed } from "../../../../scripts/support/deployed-keys.ts";
import { OperatorApi } from "../../../../scripts/support/operator-api.ts";
import { examine } from "../doctor/examine.ts";
import { formatFinding } from "../doctor/finding.ts";
import { addOperatorOptions, findOperatorService, findSecretsFile } from "../service.ts";

const requestTimeoutMs = 30_000;

export function addDoctorCommand(program: Command): void {
  const command = program
    .command("doctor")
    .summary("examine the service and say what to do")
    .description(
      "Asks the running service about its parts: bindings, keys, migrations, size, queue, scheduled work, clock, witness, lists of addresses, late deliveries, events that wait, and destinations. Changes nothing. Exits with 1 if a part fails.",
    )
    .option("--json", "print one JSON object instead of text");
  addOperatorOptions(command).action(async () => {
    const { url, token } = findOperatorService(command);
    const secretsFile = findSecretsFile(command);
    const findings = await examine({
      url,
      idp: new EdgeIdp({ url, token, maxRetries: 0, timeoutMs: requestTimeoutMs }),
      compareKeys:
        secretsFile === undefined
          ? undefined
          : async () => void (await requireDeployed(secretsFile, new OperatorApi(url, token))),
      readClock: Date.now,
    });
    const isOk = findings.every(({ level }) => level !== "fail");
    const shown = command.opts<{ json?: boolean }>().json
      ? JSON.stringify({ ok: isOk, url, findings }, undefined, 2)
      : findings.map(formatFinding).join("\n");
    process.stdout.write(`${shown}\n`);
    if (!isOk) process.exitCode = 1;
  });
}
