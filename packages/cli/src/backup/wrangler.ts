/** What backups need of wrangler: the databases of the project, and its commands for D1. */
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { finishWrangler, startWrangler } from "../local/wrangler-process.ts";

export interface ProjectDatabase {
  readonly shard: number;
  readonly binding: string;
  readonly name: string;
}

const configuration = z.object({
  d1_databases: z.array(z.object({ binding: z.string(), database_name: z.string().optional() })),
});

/** The databases of wrangler.toml, in the order of shards. @throws Failure if `DB` is not among them */
export async function listProjectDatabases(project: string): Promise<ProjectDatabase[]> {
  // Loaded here alone, because it takes long.
  const { unstable_readConfig } = await import("wrangler");
  const read = unstable_readConfig({ config: join(project, "wrangler.toml") });
  const databases = configuration
    .parse(read)
    .d1_databases.flatMap(({ binding, database_name: name }) => {
      const [, number] = /^DB(?:_([1-9]\d*))?$/.exec(binding) ?? [];
      if (!/^DB(?:_[1-9]\d*)?$/.test(binding) || name === undefined) return [];
      return [{ shard: Number(number ?? 0), binding, name }];
    });
  if (!databases.some(({ shard }) => shard === 0)) {
    throw new Failure("wrangler.toml has no database with the binding DB.");
  }
  return databases.toSorted((a, b) => a.shard - b.shard);
}

/** Runs a wrangler command without questions. @returns its output @throws Failure with its output */
export async function runWrangler(
  project: string,
  args: readonly string[],
  purpose: string,
): Promise<string> {
  return await finishWrangler(startWrangler(project, args), purpose);
}
