/** Counts the users of tenants, each in the database with its data. */
import { databaseOf } from "../db/shards.ts";
import { countIdentitiesOf, type IdentityCount } from "../identity/count-store.ts";
import { runJob } from "../job.ts";
import type { Tenant } from "./tenant-store.ts";

/** By tenant id. The tenants of a database that fails are left out, and the failure is logged. */
export async function countUsers(
  env: Env,
  tenants: readonly Tenant[],
): Promise<ReadonlyMap<string, IdentityCount>> {
  const byShard = [...Map.groupBy(tenants, ({ shard }) => shard)];
  const counts = new Map<string, IdentityCount>();
  await Promise.all(
    byShard.map(async ([shard, some]) => {
      const count = async () => {
        const found = await countIdentitiesOf(
          databaseOf(env, shard),
          some.map(({ id }) => id),
        );
        for (const [id, users] of found) counts.set(id, users);
      };
      await runJob("users_not_counted", count, { shard });
    }),
  );
  return counts;
}
