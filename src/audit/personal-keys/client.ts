/**
 * Calls tenants' day keys. A call that fails is repeated once, with a new stub: the object may just be moving, and no
 * call does harm twice. One that gets no answer in time is not, because a request may wait for it.
 */
import { StoreError } from "../../db/client.ts";
import { awaitWithin, DeadlineError } from "../../deadline.ts";
import { type Location, stubFor } from "../../location.ts";
import { causeOf, log } from "../../log.ts";
import type { DayKeys } from "./day.ts";
import type { PersonalKeys } from "./personal-keys.ts";

const timeoutMs = 2_000;
const maxTries = 2;

/** Whose day keys, and where they are. */
export interface KeysOwner {
  readonly tenantId: string;
  readonly location: Location;
}

type KeysEnv = Pick<Env, "PERSONAL_KEYS">;

/** @throws StoreError if the object does not answer, or its storage fails; the call may have been applied */
async function askKeys<T>(
  { PERSONAL_KEYS }: KeysEnv,
  { tenantId, location }: KeysOwner,
  ask: (keys: DurableObjectStub<PersonalKeys>) => Promise<T | undefined>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await awaitWithin(timeoutMs, ask(stubFor(PERSONAL_KEYS, tenantId, location)));
      if (answer === undefined) throw new Error("The storage of the day keys has failed");
      return answer;
    } catch (error) {
      if (tries < maxTries && !(error instanceof DeadlineError)) continue;
      log("error", "personal_keys_unreachable", { tenant_id: tenantId, cause: causeOf(error) });
      throw new StoreError(error);
    }
  }
}

/**
 * The key of a day, which is made at its first use.
 * @param day UTC, as `dayOf` counts
 * @returns undefined if the keys of that day and of all before it were deleted
 * @throws StoreError
 */
export async function findOrCreateDayKey(
  env: KeysEnv,
  owner: KeysOwner,
  day: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return (await askKeys(env, owner, async (keys) => await keys.keyOf(day))) ?? undefined;
}

/**
 * Finds the keys of these days in one call, and what is known of the others.
 * @throws StoreError
 */
export async function findDayKeys(
  env: KeysEnv,
  owner: KeysOwner,
  days: readonly number[],
): Promise<DayKeys> {
  return await askKeys(env, owner, async (keys) => await keys.findKeys([...days]));
}

/**
 * Deletes the keys of all days before this one, for good. It may be repeated.
 * @returns how many keys this call deleted
 * @throws StoreError
 */
export async function deleteDayKeysBelow(
  env: KeysEnv,
  owner: KeysOwner,
  day: number,
): Promise<number> {
  return await askKeys(env, owner, async (keys) => await keys.deleteKeysBelow(day));
}

/** Deletes everything, for a tenant that is deleted. @throws StoreError */
export async function deleteAllDayKeys(env: KeysEnv, owner: KeysOwner): Promise<void> {
  await askKeys(env, owner, async (keys) => (await keys.deleteAll()) || undefined);
}
