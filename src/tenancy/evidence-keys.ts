/** Finds the day keys that open stored assessments, where no request says where the tenant's objects are. */
import { findDayKeys } from "../audit/personal-keys/client.ts";
import { controlDbOf } from "../db/shards.ts";
import type { FindDayKeys } from "../sentinel/sealed-evidence.ts";
import { getLocation } from "./find-locations.ts";

/** What it returns throws StoreError, also if the tenant is unknown. */
export function createKeysFinder(env: Env, tenantId: string): FindDayKeys {
  return async (days) => {
    const location = await getLocation(controlDbOf(env), tenantId);
    return await findDayKeys(env, { tenantId, location }, days);
  };
}
