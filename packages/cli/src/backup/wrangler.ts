/** What backups need of wrangler: the databases of the project, and its commands for D1. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { configurationFile } from "../cloudflare/configuration.ts";
import { Failure } from "../failure.ts";
import { finishWrangler, startWrangler } from "../local/wrangler-process.ts";
import type { Manifest } from "./manifest.ts";

export interface ProjectDatabase {
  readonly shard: number;
  readonly binding: string;
  readonly name: string;
}

const configuration = z.object({
  d1_databases: z.array(z.object({ binding: z.string(), database_name: z.string().optional() })),
});

/** The number of a database from its binding: 0 for `DB`, 1 for `DB_1`. Undefined for another binding. */
export function findShard(binding: string): number | undefined {
  const match = /^DB(?:_([1-9]\d*))?$/.exec(binding);
  return match === null ? undefined : Number(match[1] ?? 0);
}

/** The configuration of the local service, or of the deployed one, which `edge-idp setup` has written. */
function configurationOf(project: string, source: Manifest["source"]): string {
  const isDerived = source === "remote" && existsSync(join(project, configurationFile));
  return isDerived ? configurationFile : "wrangler.toml";
}

/** The databases of the configuration, in the order of shards. @throws Failure if `DB` is not among them */
export async function listProjectDatabases(
  project: string,
  source: Manifest["source"],
): Promise<ProjectDatabase[]> {
  const file = configurationOf(project, source);
  // Loaded here alone, because it takes long.
  const { unstable_readConfig } = await import("wrangler");
  const read = unstable_readConfig({ config: join(project, file) });
  const databases = configuration
    .parse(read)
    .d1_databases.flatMap(({ binding, database_name: name }) => {
      const shard = findShard(binding);
      return shard === undefined || name === undefined ? [] : [{ shard, binding, name }];
    });
  if (!databases.some(({ shard }) => shard === 0)) {
    throw new Failure(`${file} has no database with the binding DB.`);
  }
  return databases.toSorted((a, b) => a.shard - b.shard);
}

/** Writes D1's own export of a database into a file. @throws Failure with wrangler's output */
export async function exportDatabase(
  project: string,
  source: Manifest["source"],
  output: string,
  { binding }: ProjectDatabase,
): Promise<void> {
  const where = source === "remote" ? ["--remote", "--skip-confirmation"] : ["--local"];
  const config = ["--config", configurationOf(project, source)];
  const args = ["d1", "export", binding, ...where, ...config, "--output", output];
  await runWrangler(project, args, `export ${binding}`);
}

/** Runs a wrangler command without questions. @returns its output @throws Failure with its output */
export async function runWrangler(
  project: string,
  args: readonly string[],
  purpose: string,
): Promise<string> {
  return await finishWrangler(startWrangler(project, args), purpose);
}
