/** Makes a backup: an export of each database, and a manifest of what they contain. */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { Failure } from "../failure.ts";
import { OrderedDump } from "./dump-order.ts";
import {
  type BackedUpDatabase,
  digestFile,
  type Manifest,
  manifestName,
  type Trail,
} from "./manifest.ts";
import { scanDump } from "./scan-dump.ts";
import type { ProjectDatabase } from "./wrangler.ts";

/** The exports contain sealed secrets and personal data, so only their owner may read them. */
const modes = { folder: 0o700, file: 0o600 };

export interface BackupOptions {
  /** An absolute path. */
  readonly folder: string;
  readonly source: Manifest["source"];
  readonly databases: readonly ProjectDatabase[];
  /** Writes D1's own export of a database into a file that exists. */
  readonly exportTo: (file: string, database: ProjectDatabase) => Promise<unknown>;
  /** Unix ms. */
  readonly now: number;
  readonly onProgress: (text: string) => void;
}

/** @throws Failure if the folder has files */
function createFolder(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new Failure(`${folder} is not empty; name a new folder with --out.`);
  }
  mkdirSync(folder, { recursive: true, mode: modes.folder });
  // The mode above applies only to a new folder.
  chmodSync(folder, modes.folder);
}

async function backUpDatabase(
  { folder, exportTo, onProgress }: BackupOptions,
  database: ProjectDatabase,
): Promise<{ database: BackedUpDatabase; trails: Trail[] }> {
  const { shard, binding, name } = database;
  const file = `${binding}.sql`;
  const path = join(folder, file);
  const exported = `${path}.export`;
  const scratch = `${path}.scratch`;
  // Nobody else may read them from the beginning.
  for (const one of [exported, scratch]) writeFileSync(one, "", { mode: modes.file });
  const ordered = new OrderedDump(path);
  try {
    onProgress(`Exporting ${binding} (${name}) …`);
    await exportTo(exported, database);
    onProgress(`Reading the export of ${binding} back …`);
    const { trails, migrations, rows } = await scanDump(exported, scratch, (statement) =>
      ordered.add(statement),
    );
    await ordered.finish();
    const digest = await digestFile(path);
    return {
      database: { shard, binding, name, file, ...digest, migrations, rows },
      trails: trails.map((trail) => ({ ...trail, shard })),
    };
  } finally {
    ordered.remove();
    for (const one of [exported, scratch]) rmSync(one, { force: true });
  }
}

/** The manifest is written last, so a folder without one is no backup. @throws Failure */
export async function backUp(options: BackupOptions): Promise<Manifest> {
  const { folder, source, databases, now } = options;
  createFolder(folder);
  const parts = [];
  for (const database of databases) parts.push(await backUpDatabase(options, database));
  const manifest: Manifest = {
    form: 1,
    made_at: new Date(now).toISOString(),
    version: packageJson.version,
    source,
    databases: parts.map(({ database }) => database),
    trails: parts.flatMap(({ trails }) => trails),
  };
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
  writeFileSync(join(folder, manifestName), text, { mode: modes.file });
  return manifest;
}
