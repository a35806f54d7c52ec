/** Compares the bound databases with those that tenants and relocations name. */
import { and, gt, isNull } from "drizzle-orm";
import { AppError } from "../errors.ts";
import { log } from "../log.ts";
import { awaitStore } from "./client.ts";
import { controlDbOf, countDatabases } from "./shards.ts";
import { relocations, tenantDeletions, tenants } from "./tables.ts";

/**
 * Finds the shards that are not bound although a tenant's data or a deleted tenant's trail is there, or is moving
 * there. A database that a tenant
 * has left is not among them.
 * @throws StoreError
 */
async function findUnboundShards(env: Env): Promise<number[]> {
  const control = controlDbOf(env);
  const lastShard = countDatabases(env) - 1;
  const rows = await awaitStore(
    control
      .selectDistinct({ shard: tenants.shard })
      .from(tenants)
      .where(gt(tenants.shard, lastShard))
      .union(
        control
          .selectDistinct({ shard: relocations.to })
          .from(relocations)
          .where(and(isNull(relocations.finishedAt), gt(relocations.to, lastShard))),
      )
      .union(
        control
          .selectDistinct({ shard: tenantDeletions.shard })
          .from(tenantDeletions)
          .where(gt(tenantDeletions.shard, lastShard)),
      ),
  );
  return rows.map(({ shard }) => shard);
}

/**
 * Requires that work on all databases reaches all tenants' data. Without it, data in a database that is not
 * bound would count as absent, and a key that it needs as unused.
 * @throws AppError `unavailable` if a database is not bound; the log names it; StoreError
 */
export async function requireAllDatabases(env: Env): Promise<void> {
  const unbound = await findUnboundShards(env);
  if (unbound.length === 0) return;
  const problems = unbound.map((shard) => `DB_${shard} is not bound, although tenants need it`);
  log("error", "database_not_bound", { problems });
  throw new AppError("unavailable", {
    message: "A database that tenants need is not bound; the log names it.",
    causeName: "database_not_bound",
  });
}
