/** `edge-idp sentinel`: the network data of Sentinel, and what its scores say. */
import type { Command } from "commander";
import { networkKinds } from "../../../../src/sentinel/network/network-facts.ts";
import { exitCodes, requireUsable } from "../failure.ts";
import { addExamples } from "../help.ts";
import {
  addBacktestOptions,
  type BacktestValues,
  readOptions,
} from "../sentinel/backtest/options.ts";
import { addImportOptions, type ImportValues } from "../sentinel/import/options.ts";

const importText = `Builds the network data set from lists and tables, and writes it to KV (binding IP_REPUTATION). Needs a clone of the repository.

The name of a list gives the kind of its addresses (vpn=…, x4b_datacenter=…, ipsum=…), and the import prints it; any other name needs the kind: NAME:KIND=FILE. KIND is one of ${networkKinds.join(", ")}.

A line of a list is an address, a CIDR network, address<TAB>count of blacklists, CSV "first,last,…", JSON with "cidr", or a network number ("AS64500 # name" or JSON with "asn"), which needs a table of networks. IPv4 and IPv6; # and ; start a comment. The import reports and skips invalid lines.

A list that is empty, mostly invalid or a page of HTML is refused: its stored version stays in use, the other lists are imported, and the exit code is 1. A refused table of geography ends the import, and nothing is written.

Each import replaces the whole data set: name every list and the geography every time. An import that would remove a stored list names it and stops, unless --replace is given. docs/sentinel-data.md says more.`;

function addImportCommand(group: Command): void {
  const command = group
    .command("import")
    .summary("import IP lists and geography into KV")
    .description(importText);
  addImportOptions(command);
  command.action(async (values: ImportValues) => {
    const startedAt = Date.now();
    const { planImport } = await import("../sentinel/import/plan.ts");
    const { runImport } = await import("../sentinel/import/run-import.ts");
    const plan = await requireUsable(() => planImport(values));
    process.exitCode = (await runImport(plan, startedAt)) ? exitCodes.success : exitCodes.failed;
  });
  addExamples(command, [
    { line: "sentinel import --geography --catalogue", what: "everything, into the local KV" },
    {
      line: "sentinel import --remote --geography --feed vpn=vpn_v4.txt --feed vpn=vpn_v6.txt",
      what: "two files of one list, into the KV of the deployed service",
    },
  ]);
}

function addExplainCommand(group: Command): void {
  const command = group
    .command("explain")
    .summary("show how a score came about, and recompute it")
    .description(
      "Recomputes the score of an assessment from its stored inputs, and prints each contribution, the thresholds in force and the data that was missing. Then it prints every step to the contributions: how probable the session is for the user, for the population and for each kind of attacker, the ratios, the weights and the bounds. Each step has a formula over the steps before it. Needs no service and no network.\n\nOf an assessment of another model it prints what was stored. docs/sentinel.md explains the steps.\n\nExits with 0 if every score, reason and recommendation equals the stored one, with 1 if one differs, and with 2 if the file cannot be used or holds another model.",
    )
    .argument(
      "<file>",
      'an answer of GET /v1/sentinel/assessments, with or without an id, or one assessment of it; "-" reads standard input',
    )
    .option("--brief", "leave out the steps")
    .action(async (file: string, { brief = false }: { readonly brief?: boolean }) => {
      const { explainFile } = await import("../sentinel/explain/explain.ts");
      const isAsStored = await requireUsable(() => explainFile(file, brief));
      process.exitCode = isAsStored ? exitCodes.success : exitCodes.failed;
    });
  addExamples(command, [
    { line: "sentinel explain assessment.json", what: "every step to the score of one assessment" },
    {
      line: "sentinel explain assessments.json --brief",
      what: "the contributions of every assessment of a saved answer",
    },
  ]);
}

function addBacktestCommand(group: Command): void {
  const command = group
    .command("backtest")
    .summary("replay past logins: who would have been challenged")
    .description(
      "Replays past logins through Sentinel, and reports who would have been challenged, and why. Nothing is sent anywhere, and no service is needed. Without network data, sessions are compared by address and block alone.\n\nThe file has a header with the columns time (RFC 3339), user, ip, ua and outcome (success, verified with a second factor, or failure), and may have label (legitimate, fraud or empty), accept_language, time_zone, client_hints (JSON) and ja4. It is sorted by time, the oldest first. Invalid lines are reported and left out. docs/backtest.md says more.",
    )
    .argument("<file>", "past logins as CSV");
  addBacktestOptions(command);
  command.action(async (file: string, values: BacktestValues) => {
    const { planNetwork } = await import("../sentinel/import/plan.ts");
    const { runBacktest } = await import("../sentinel/backtest/run-backtest.ts");
    const options = await requireUsable(() => readOptions(values));
    const network = await requireUsable(() => planNetwork(values));
    await runBacktest({ ...options, file, network });
  });
  addExamples(command, [
    { line: "sentinel backtest logins.csv --geography", what: "with networks and countries" },
    {
      line: "sentinel backtest logins.csv --challenge-at 0.4 --kind phisher=0.2,0.6",
      what: "with other thresholds",
    },
  ]);
}

export function addSentinelCommand(program: Command): void {
  const group = program
    .command("sentinel")
    .summary("import network data, explain and replay scores")
    .description(
      "The network data of Sentinel, its stored assessments, and a replay of past logins.",
    );
  addImportCommand(group);
  addExplainCommand(group);
  addBacktestCommand(group);
}
