/**
 * Writes the reference of all commands into docs/cli.md, from the help of the program itself, below the line that says
 * so. `--check` compares only, and exits with 1 if it is out of date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { Failure } from "../packages/cli/src/failure.ts";
import { listCommands } from "../packages/cli/src/help.ts";
import { createProgram } from "../packages/cli/src/program.ts";
import { runScript } from "./support/run-script.ts";

const file = join(import.meta.dirname, "..", "docs", "cli.md");
const marker = "<!-- `npm run generate` writes everything below this line. -->\n";
const helpWidth = 100;

/** The words that a reader types, such as `edge-idp audit verify`. */
function wordsOf(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${wordsOf(parent)} ${command.name()}`;
}

function readHelp(command: Command): string {
  let text = "";
  command.configureOutput({
    getOutHelpWidth: () => helpWidth,
    getOutHasColors: () => false,
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text.trimEnd();
}

function renderReference(): string {
  return listCommands(createProgram())
    .map((command) => `\n## ${wordsOf(command)}\n\n\`\`\`text\n${readHelp(command)}\n\`\`\`\n`)
    .join("");
}

await runScript(async () => {
  const before = readFileSync(file, "utf8");
  const [head = "", ...rest] = before.split(marker);
  if (rest.length !== 1) throw new Failure(`docs/cli.md must have this line once: ${marker}`);
  const text = `${head}${marker}${renderReference()}`;
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text);
    return 0;
  }
  if (before === text) return 0;
  throw new Failure("docs/cli.md is out of date; run: npm run generate");
});
