/** Relocations whose tenant is between two databases. */
import { and, isNull, ne } from "drizzle-orm";
import { AppError } from "../errors.ts";
import { awaitStore } from "./client.ts";
import { controlDbOf } from "./shards.ts";
import { relocations } from "./tables.ts";

/**
 * Requires that each tenant's data is in one database. A tenant whose relocation fails after the switch returns to
 * rows that counted as leftovers meanwhile.
 * @throws AppError `relocation_in_progress`; StoreError
 */
export async function requireNoOpenRelocation(env: Env): Promise<void> {
  const open = await awaitStore(
    controlDbOf(env)
      .select({ tenantId: relocations.tenantId })
      .from(relocations)
      .where(and(isNull(relocations.finishedAt), ne(relocations.phase, "cleaning")))
      .limit(1),
  );
  if (open.length > 0) throw new AppError("relocation_in_progress");
}
