/** Measures how far destinations are behind, over all tenants, for the operator. */
import { mapConcurrently } from "../concurrent.ts";
import { controlDbOf } from "../db/shards.ts";
import { findLocations } from "../tenancy/find-locations.ts";
import { describeDestinations } from "./describe.ts";
import { countEnabled, listAnyEnabled } from "./store.ts";

/** Each takes one call of its follower; the platform's free plan allows 50 subrequests. */
const maxMeasured = 20;
const maxConcurrentTenants = 5;

export interface DestinationLag {
  readonly enabled: number;
  /** How many of them were looked at: up to 20, chosen at random. */
  readonly measured: number;
  readonly behind: number;
  readonly failing: number;
  /** Their followers did not answer. */
  readonly unreachable: number;
  /** How long the first event has waited that a measured destination was not sent. */
  readonly oldestSeconds: number;
}

/** @param now real time, Unix ms @throws StoreError */
export async function measureDestinations(env: Env, now: number): Promise<DestinationLag> {
  const control = controlDbOf(env);
  const [enabled, some] = await Promise.all([
    countEnabled(control),
    listAnyEnabled(control, maxMeasured),
  ]);
  const byTenant = [...Map.groupBy(some, ({ tenantId }) => tenantId)];
  const locations = await findLocations(
    control,
    byTenant.map(([tenantId]) => tenantId),
  );
  const described = await mapConcurrently(
    byTenant,
    maxConcurrentTenants,
    async ([tenantId, own]) => {
      const location = locations.get(tenantId);
      if (location === undefined) return { found: [], unreachable: 0 };
      const call = { env, caller: { tenantId, location }, arrivedAt: now };
      return await describeDestinations(call, own).then(
        (found) => ({ found, unreachable: 0 }),
        () => ({ found: [], unreachable: own.length }),
      );
    },
  );
  const found = described.flatMap((one) => one.found);
  return {
    enabled,
    measured: found.length,
    behind: found.filter(({ statistics }) => statistics.behind.events > 0).length,
    failing: found.filter(({ statistics }) => statistics.status === "failing").length,
    unreachable: described.reduce((sum, one) => sum + one.unreachable, 0),
    oldestSeconds: Math.max(0, ...found.map(({ statistics }) => statistics.behind.seconds)),
  };
}
