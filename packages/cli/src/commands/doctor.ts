/** `edge-idp doctor`: examines the service and says what to do. */
import { EdgeIdp } from "@edge-idp/sdk";
import type { Command } from "commander";
import { examine } from "../doctor/examine.ts";
import { formatFinding } from "../doctor/finding.ts";
import { addExamples } from "../help.ts";
import { requireDeployed } from "../keys/deployed-keys.ts";
import { addOperatorOptions, findOperatorService, findSecretsFile } from "../service.ts";

/** The service measures each part for 5 s at most. */
const requestTimeoutMs = 30_000;

interface DoctorOptions {
  readonly json?: boolean;
  readonly secretsFile?: string;
}

/** Undefined if the operator has named only the token, by OPERATOR_TOKEN. */
function findFile(command: Command, { secretsFile }: DoctorOptions): string | undefined {
  const isTokenNamed = process.env.OPERATOR_TOKEN !== undefined && secretsFile === undefined;
  return isTokenNamed ? undefined : findSecretsFile(command);
}

export function addDoctorCommand(program: Command): void {
  const command = program
    .command("doctor")
    .summary("examine the service and say what to do")
    .description(
      "Asks the running service about its parts: bindings, keys, migrations, size, queue, scheduled work, clock, witness, lists of addresses, late deliveries, events that wait, and destinations. Changes nothing. Exits with 1 if a part fails.",
    )
    .option("--json", "print one JSON object instead of text");
  addOperatorOptions(command);
  command.action(async (options: DoctorOptions) => {
    const { url, token } = findOperatorService(command);
    const secretsFile = findFile(command, options);
    const idp = new EdgeIdp({ url, token, maxRetries: 0, timeoutMs: requestTimeoutMs });
    const compareKeys =
      secretsFile === undefined
        ? undefined
        : async () => void (await requireDeployed(secretsFile, idp));
    const findings = await examine({ url, idp, compareKeys, readClock: Date.now });
    const isOk = findings.every(({ level }) => level !== "fail");
    const shown = options.json
      ? JSON.stringify({ ok: isOk, url, findings }, undefined, 2)
      : findings.map(formatFinding).join("\n");
    process.stdout.write(`${shown}\n`);
    if (!isOk) process.exitCode = 1;
  });
  addExamples(command, [
    { line: "doctor", what: "the local service" },
    { line: "doctor --secrets-file .prod.vars --url https://idp.example.com", what: "another one" },
  ]);
}
