/** `edge-idp upgrade`: backs up, migrates, deploys, and goes back to the version before if the new one is not ready. */
import { homedir } from "node:os";
import { isAbsolute, join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { backUpDeployed } from "../cloudflare/backup.ts";
import { configurationFile } from "../cloudflare/configuration.ts";
import { deploy } from "../cloudflare/deploy.ts";
import {
  type DeployedVersion,
  findDeployedVersion,
  findMissingTriggers,
} from "../cloudflare/deployed.ts";
import { computeFingerprint } from "../cloudflare/fingerprint.ts";
import { ensureKeys } from "../cloudflare/keys.ts";
import { applyMigrations, findAllMissingMigrations } from "../cloudflare/migrations.ts";
import { provision } from "../cloudflare/provision.ts";
import { findReadinessProblem, isReady, waitUntilReady } from "../cloudflare/readiness.ts";
import { findObstacle, rollBack } from "../cloudflare/roll-back.ts";
import { Steps } from "../cloudflare/steps.ts";
import {
  findTarget,
  listBoundDatabases,
  readSecretsText,
  type Target,
  wranglerOptionsOf,
} from "../cloudflare/target.ts";
import {
  deleteUpgradeNote,
  findUpgradeNote,
  type UpgradeNote,
  writeUpgradeNote,
} from "../cloudflare/upgrade-note.ts";
import { Failure } from "../failure.ts";

interface UpgradeOptions {
  readonly backupFolder: string;
  readonly export: boolean;
  readonly url?: string;
  readonly readyWithin: string;
  readonly dryRun?: boolean;
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** @throws Failure for a folder in the repository, from where a backup could be committed */
function requireOutside(project: string, folder: string): string {
  const path = relative(project, resolve(folder));
  if (path.startsWith("..") || isAbsolute(path)) return resolve(folder);
  throw new Failure(`--backup-folder ${folder}: choose a folder outside of the repository.`);
}

/** Goes back, and ends with a failure in any case. */
async function endWithRollback(
  target: Target,
  steps: Steps,
  url: string,
  note: UpgradeNote,
  problem: string,
): Promise<never> {
  const deployed = await findDeployedVersion(target.login, target.name);
  const obstacle = findObstacle(note, deployed?.migrationTag);
  const backup = note.backup === null ? "" : ` The backup from before is in ${note.backup}.`;
  if (obstacle !== undefined) {
    deleteUpgradeNote(target.project);
    throw new Failure(
      `The new version is not ready: ${problem} The version before cannot come back: ${obstacle}. ` +
        `Correct the cause and run edge-idp upgrade again.${backup}`,
    );
  }
  await steps.change("Worker", `rolled back to the version ${note.previousVersion}`, () =>
    rollBack(target.login, target.name, note.previousVersion),
  );
  deleteUpgradeNote(target.project);
  const after = await findReadinessProblem(url);
  const state = after === undefined ? "It is ready." : `It is not ready: ${after}`;
  throw new Failure(
    `The new version was not ready: ${problem} The version before answers again, with the secrets that it was deployed with. ${state} ` +
      `The rollback does not undo migrations, which the older version can run with, cron triggers and routes.${backup}`,
  );
}

/** The note of an interrupted run, or a new one. */
async function beginNote(
  target: Target,
  url: string,
  tag: string,
  deployed: DeployedVersion,
  migrations: readonly string[],
): Promise<UpgradeNote> {
  return (
    findUpgradeNote(target.project, tag) ?? {
      tag,
      startedAt: new Date().toISOString(),
      previousVersion: deployed.id,
      previousMigrationTag: deployed.migrationTag ?? null,
      wasReady: await isReady(url),
      migrations: [...migrations],
      backup: null,
    }
  );
}

async function upgrade(options: UpgradeOptions): Promise<void> {
  const isDryRun = options.dryRun === true;
  const steps = new Steps({ isDryRun, write });
  const target = await findTarget(steps, undefined);
  const { project, login, name, version } = target;
  const folder = requireOutside(project, options.backupFolder);
  if (target.previous === undefined) {
    throw new Failure(`There is no ${configurationFile}: run edge-idp setup, which writes it.`);
  }
  const deployed = await findDeployedVersion(login, name);
  if (deployed === undefined) throw new Failure("Nothing is deployed yet: run edge-idp setup.");

  const { configuration, text, publicUrl } = await provision(target, steps, {});
  const databases = listBoundDatabases(configuration);
  await ensureKeys(target, steps, deployed, databases);
  const url = options.url?.replace(/\/+$/, "") ?? publicUrl;
  const tag = computeFingerprint(project, text, readSecretsText(project));
  const missing = await findAllMissingMigrations(login, project, databases);
  const migrations = [...new Set([...missing.values()].flat())];
  const isDeployed =
    deployed.tag === tag && (await findMissingTriggers(login, configuration)).length === 0;
  const begun = findUpgradeNote(project, tag);
  if (isDeployed && migrations.length === 0 && begun === undefined) {
    steps.note(`Worker ${name}`, "deployed as it is here");
    const problem = await findReadinessProblem(url);
    if (problem !== undefined) throw new Failure(`Nothing to upgrade, and not ready: ${problem}`);
    write("Nothing had to be changed.");
    return;
  }

  const note = await beginNote(target, url, tag, deployed, migrations);
  if (!isDryRun) writeUpgradeNote(project, note);
  if (!note.wasReady) steps.note("/readyz", "not ready before the upgrade, so it cannot roll back");
  if (note.backup === null) {
    const now = new Date();
    const wanted = { name, folder, exportsData: options.export, now };
    const made = await backUpDeployed(steps, login, wranglerOptionsOf(target), databases, wanted);
    note.backup = made ?? null;
    if (!isDryRun) writeUpgradeNote(project, note);
  } else steps.note("backup", `made before the interruption: ${note.backup}`);
  for (const [database, names] of missing) {
    await applyMigrations(steps, wranglerOptionsOf(target), database, names);
  }
  if (isDeployed) steps.note(`Worker ${name}`, "deployed as it is here");
  else await steps.change(`Worker ${name}`, "deployed", () => deploy(target, tag));
  if (isDryRun) {
    write("This was a dry run: nothing has changed.");
    return;
  }
  const problem = await waitUntilReady(url, version, Number(options.readyWithin));
  if (problem !== undefined) await endWithRollback(target, steps, url, note, problem);
  deleteUpgradeNote(project);
  steps.note("/readyz", `ready, version ${version}`);
  write(`The service runs version ${version} at ${publicUrl}`);
}

export function addUpgradeCommand(program: Command): void {
  program
    .command("upgrade")
    .summary("bring the deployed service to this version")
    .description(
      "Backs up every database, applies migrations, deploys, and waits for /readyz. If the new version is not ready, " +
        "it goes back to the version before. A run after an interruption goes on.",
    )
    .option(
      "--backup-folder <folder>",
      "where backups go, outside of the repository",
      join(homedir(), "edge-idp-backups"),
    )
    .option(
      "--no-export",
      "only note the bookmarks of D1 Time Travel: during an export, D1 answers nothing else",
    )
    .option("--url <url>", "the address at which this machine reaches the service")
    .option("--ready-within <seconds>", "how long to wait for /readyz before going back", "120")
    .option("--dry-run", "show the steps and change nothing")
    .action((options: UpgradeOptions) => upgrade(options));
}
