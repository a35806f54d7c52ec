/**
 * Seals the credentials of destinations (see destinations/). They are bound to the destination, and opened only to send
 * and to seal them anew.
 */
import type { ZodType } from "zod";
import { encodeUtf8 } from "../crypto/bytes.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { SealContext } from "../crypto/seal-context.ts";
import { reseal, seal, unseal } from "../crypto/sealed-box.ts";

interface DestinationOwner {
  readonly tenantId: string;
  /** The destination's id. */
  readonly id: string;
}

function contextOf({ tenantId, id }: DestinationOwner): SealContext {
  return { tenantId, identityId: "", purpose: `destination ${id}` };
}

export async function sealCredentials(
  sealingKeys: Keyring,
  owner: DestinationOwner,
  credentials: object,
): Promise<string> {
  const text = new Uint8Array(encodeUtf8(JSON.stringify(credentials)));
  return await seal(sealingKeys, contextOf(owner), text);
}

/** @throws MissingKeyError, BrokenSealError */
export async function openCredentials<T>(
  sealingKeys: Keyring,
  owner: DestinationOwner,
  box: string,
  schema: ZodType<T>,
): Promise<T> {
  const text = await unseal(sealingKeys, contextOf(owner), box);
  return schema.parse(JSON.parse(new TextDecoder().decode(text)));
}

/** Seals the credentials under the newest key. @throws MissingKeyError, BrokenSealError */
export async function resealCredentials(
  sealingKeys: Keyring,
  owner: DestinationOwner,
  box: string,
): Promise<string> {
  return await reseal(sealingKeys, contextOf(owner), box);
}
