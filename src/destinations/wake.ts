/**
 * Wakes the followers of a tenant after events were filed. An isolate calls a follower again only for events that are
 * filed after the time at which it looks at the log next. A call that is lost delays events by minutes at most, because
 * followers look at the log by themselves too.
 */
import { BoundedMap } from "../bounded-map.ts";
import { awaitWithin } from "../deadline.ts";
import { type Location, stubFor } from "../location.ts";
import { causeOf, log } from "../log.ts";
import type { DestinationOwner } from "./destination.ts";
import type { DestinationFollower } from "./follower.ts";

const callTimeoutMs = 5_000;
const maxRemembered = 10_000;

/** When followers look at the log next, Unix ms, by destination id. */
const looks = new BoundedMap<string, { readonly at: number }>({ maxEntries: maxRemembered });

export function followerOf(
  env: Pick<Env, "FOLLOWERS">,
  { tenantId, id }: DestinationOwner,
  location: Location,
): DurableObjectStub<DestinationFollower> {
  return stubFor(env.FOLLOWERS, `${tenantId} ${id}`, location);
}

/** Wakes one follower. Never throws. */
export async function wakeFollower(
  env: Env,
  { tenantId, id }: DestinationOwner,
  location: Location,
  reason: "filed" | "changed" = "filed",
): Promise<void> {
  // Nothing else of a row may reach the follower, which stores it.
  const owner = { tenantId, id };
  try {
    const waking = followerOf(env, owner, location).wake(owner, reason);
    const looksAt = await awaitWithin(callTimeoutMs, waking);
    if (looksAt !== null) looks.set(id, { at: looksAt });
  } catch (error) {
    log("warn", "follower_not_woken", { tenant_id: tenantId, cause: causeOf(error) });
  }
}

/** Wakes followers that do not look at the log soon anyway. Never throws. @param now real time, Unix ms */
export async function wakeDestinations(
  env: Env,
  {
    tenantId,
    destinations,
  }: { readonly tenantId: string; readonly destinations: readonly string[] },
  location: Location,
  now: number,
): Promise<void> {
  const sleeping = destinations.filter((id) => (looks.get(id)?.at ?? 0) <= now);
  await Promise.all(sleeping.map((id) => wakeFollower(env, { tenantId, id }, location)));
}
