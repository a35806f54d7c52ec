/** Finds the migrations of the project that a D1 database does not have, and applies them. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { CloudflareError } from "./api.ts";
import { configurationFile } from "./configuration.ts";
import type { Login } from "./login.ts";
import { idOfDryRun } from "./resources.ts";
import type { Steps } from "./steps.ts";
import { runWrangler, type WranglerOptions } from "./wrangler.ts";

const answerSchema = z.array(z.object({ results: z.array(z.record(z.string(), z.unknown())) }));

export interface BoundDatabase {
  readonly binding: string;
  readonly name: string;
  readonly id: string;
}

/** In the order in which they apply. */
function listMigrations(project: string): string[] {
  return readdirSync(join(project, "migrations"))
    .filter((name) => name.endsWith(".sql"))
    .sort();
}

/** The rows of a query that changes nothing. Undefined if the table does not exist. */
export async function findRows(
  { api, accountId }: Login,
  databaseId: string,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[] | undefined> {
  const path = `/accounts/${accountId}/d1/database/${databaseId}/query`;
  try {
    const [answer] = await api.post(path, answerSchema, { body: { sql } });
    return answer?.results ?? [];
  } catch (error) {
    if (error instanceof CloudflareError && error.message.includes("no such table"))
      return undefined;
    throw error;
  }
}

/** Wrangler records what it has applied in the table d1_migrations. */
async function findMissingMigrations(
  login: Login,
  project: string,
  databaseId: string,
): Promise<string[]> {
  const rows = await findRows(login, databaseId, "SELECT name FROM d1_migrations");
  const applied = new Set(rows?.map(({ name }) => name));
  return listMigrations(project).filter((name) => !applied.has(name));
}

/** The missing migrations of each database. In a dry run, a database that does not exist yet lacks all. */
export async function findAllMissingMigrations(
  login: Login,
  project: string,
  databases: readonly BoundDatabase[],
): Promise<ReadonlyMap<BoundDatabase, readonly string[]>> {
  const missing = new Map<BoundDatabase, readonly string[]>();
  for (const database of databases) {
    const names =
      database.id === idOfDryRun
        ? listMigrations(project)
        : await findMissingMigrations(login, project, database.id);
    missing.set(database, names);
  }
  return missing;
}

export async function applyMigrations(
  steps: Steps,
  options: WranglerOptions,
  { binding, name }: BoundDatabase,
  missing: readonly string[],
): Promise<void> {
  const subject = `migrations of ${name}`;
  if (missing.length === 0) {
    steps.note(subject, "all applied");
    return;
  }
  await steps.change(subject, `applied: ${missing.length}`, () =>
    runWrangler(
      ["d1", "migrations", "apply", binding, "--remote", "--config", configurationFile],
      options,
    ),
  );
}
