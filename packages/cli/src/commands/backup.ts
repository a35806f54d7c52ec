/** `edge-idp backup`: exports every database of the service. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { backUp } from "../backup/back-up.ts";
import { exportDatabase, listProjectDatabases } from "../backup/wrangler.ts";
import { addExamples } from "../help.ts";
import { printLine } from "../progress.ts";
import { requireProjectFolder } from "../project.ts";

interface Options {
  readonly out: string;
  readonly remote?: boolean;
}

export function addBackupCommand(program: Command): void {
  const command = program
    .command("backup")
    .summary("export every database, with a manifest")
    .description(
      "Exports every database into a new folder that only you can read, reads each export back, and writes a manifest: time, version, migrations, rows, the checkpoint of each tenant's trail, and the SHA-256 of each file. The secrets are not in it, and neither is the storage of the guards: docs/operations.md says what that means.",
    )
    .requiredOption("--out <folder>", "the new folder")
    .option(
      "--remote",
      "export the deployed databases, which answer nothing else meanwhile (default: those of `npm run dev`)",
    )
    .action(async ({ out, remote }: Options) => {
      const folder = resolve(out);
      const project = requireProjectFolder();
      const source = remote === true ? "remote" : "local";
      const manifest = await backUp({
        folder,
        source,
        databases: await listProjectDatabases(project, source),
        exportTo: (file, database) => exportDatabase(project, source, file, database),
        now: Date.now(),
        onProgress: printLine,
      });
      const rows = manifest.databases.flatMap((database) => Object.values(database.rows));
      const total = rows.reduce((sum, count) => sum + count, 0);
      process.stdout.write(
        `${folder} has ${manifest.databases.length} database(s) with ${total} rows, and the checkpoints of ${manifest.trails.length} trails.\nRehearse a restore: npx edge-idp restore drill ${out} --secrets-file FILE\n`,
      );
    });
  addExamples(command, [
    { line: "backup --out backup-2026-11", what: "of the service of npm run dev" },
    { line: "backup --remote --out backup-2026-11", what: "of the deployed databases" },
  ]);
}
