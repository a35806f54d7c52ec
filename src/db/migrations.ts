/** Compares the migrations that a database has with those that this build needs. */
import { sql } from "drizzle-orm";
import { z } from "zod";
import journal from "../../migrations/meta/_journal.json" with { type: "json" };
import { AppError } from "../errors.ts";
import { log } from "../log.ts";
import { awaitStore, type Database, MissingMigrationsError } from "./client.ts";

export const wantedMigrations = journal.entries.length;

const answer = z.object({ count: z.int() });

/** The number of migrations that `wrangler d1 migrations apply` has recorded. @throws StoreError */
export async function countMigrations(db: Database): Promise<number> {
  try {
    const found = await awaitStore(db.get(sql`SELECT count(*) AS count FROM d1_migrations`));
    return answer.parse(found).count;
  } catch (error) {
    if (error instanceof MissingMigrationsError) return 0;
    throw error;
  }
}

/**
 * A database may have more migrations than this build knows: those of a newer build, which a deployment follows.
 * @throws AppError `unavailable` if migrations are missing; the log says how many. StoreError
 */
export async function requireMigrations(db: Database, shard: number): Promise<void> {
  const count = await countMigrations(db);
  if (count >= wantedMigrations) return;
  log("error", "migrations_missing", { shard, count, wanted: wantedMigrations });
  throw new AppError("unavailable", {
    message: `Database ${shard} has ${count} of ${wantedMigrations} migrations; apply the others with 'wrangler d1 migrations apply'.`,
    causeName: "migrations_missing",
  });
}
