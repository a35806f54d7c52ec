/** Finds the user of an identity: the API names identities by their ids in some answers. */
import type { EdgeIdp } from "@edge-idp/sdk";

const idDigits = 24;

/** The id before this one; undefined before the first. */
function findIdBefore(id: string): string | undefined {
  const number = BigInt(`0x${id}`);
  return number === 0n ? undefined : (number - 1n).toString(16).padStart(idDigits, "0");
}

/** @returns the `external_id`; undefined if the user was erased */
export async function findExternalId(idp: EdgeIdp, id: string): Promise<string | undefined> {
  // Users are listed by their ids, so the first one after the id before is the wanted one, if it is there.
  const { items } = await idp.users.list({ limit: 1 }).page({ after: findIdBefore(id) });
  const [user] = items;
  return user?.id === id ? user.external_id : undefined;
}
