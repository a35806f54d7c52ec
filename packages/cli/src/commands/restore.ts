/** `edge-idp restore drill`: rehearses a restore without touching a deployed service. */
import { resolve } from "node:path";
import { performance } from "node:perf_hooks";
import type { Command } from "commander";
import { Failure } from "../failure.ts";
import { addExamples } from "../help.ts";
import { printLine, showProgress } from "../progress.ts";
import { findDemoService, requireProjectFolder } from "../project.ts";
import { rehearseRestore } from "../restore/drill.ts";

interface Options {
  readonly secretsFile?: string;
}

function findDefaultSecrets(): string {
  const file = findDemoService()?.secretsFile;
  if (file === undefined) throw new Failure("Name the file of secrets with --secrets-file.");
  return file;
}

export function addRestoreCommand(program: Command): void {
  const command = program
    .command("restore")
    .summary("rehearse a restore")
    .description("Rehearses a restore. docs/operations.md has the steps of a real one.")
    .command("drill")
    .summary("restore a backup into a throw-away local service")
    .description(
      "Restores a backup into a local service of its own, starts it with the secrets, compares the rows, verifies each tenant's trail against its checkpoint, says how long it took, and deletes the copy. Nothing is sent to the receivers of webhooks and streams. Exits with 1 if a check fails.",
    )
    .argument("<folder>", "what `edge-idp backup` has made")
    .option(
      "--secrets-file <file>",
      "the file of secrets of the service whose backup it is (default: .dev.vars)",
    )
    .action(async (folder: string, { secretsFile }: Options) => {
      const startedAt = performance.now();
      const isOk = await rehearseRestore({
        project: requireProjectFolder(),
        folder: resolve(folder),
        secretsFile: resolve(secretsFile ?? findDefaultSecrets()),
        onProgress: process.stderr.isTTY ? showProgress : () => {},
        onCheck: ({ title, problems }) => {
          printLine("");
          const details = problems.map((problem) => `      ${problem}\n`).join("");
          process.stdout.write(`${problems.length === 0 ? "ok  " : "FAIL"}  ${title}\n${details}`);
        },
      });
      const seconds = Math.ceil((performance.now() - startedAt) / 1000);
      process.stdout.write(
        isOk
          ? `The backup can be restored. The drill took ${seconds} s.\n`
          : `The backup cannot be restored as it is. The drill took ${seconds} s.\n`,
      );
      if (!isOk) process.exitCode = 1;
    });
  addExamples(command, [
    {
      line: "restore drill backup-2026-11 --secrets-file .prod.vars",
      what: "can the backup be restored, and how long does it take?",
    },
  ]);
}
