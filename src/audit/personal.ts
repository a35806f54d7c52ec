/**
 * The personal parts of events, sealed under a key that is derived from the identity's own audit key and from a day key
 * of the tenant (derived-key.ts). The audit key is stored, sealed, with the identity. Erasure destroys it: what it
 * sealed is unreadable from then on, here and in every copy. The parts of events about no identity are sealed with the
 * tenant's audit key in the same way. Older builds sealed under the audit key alone.
 */
import { z } from "zod";
import { encodeUtf8, toHex } from "../crypto/bytes.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner, SealContext } from "../crypto/seal-context.ts";
import { BrokenSealError, reseal, seal, unseal } from "../crypto/sealed-box.ts";
import { type PersonalParts, personalParts, type SealedParts, type StampedEvent } from "./event.ts";
import { computePersonalDigest, type NoncedParts } from "./leaf.ts";

const keyBytes = 32;
const keyIdBytes = 8;
const nonceBytes = 16;

/** The audit key of an identity or a tenant as it is stored. */
export interface AuditKey {
  /**
   * Random, 16 hex digits. A user who is erased and provisioned again gets another key under the same
   * identity id; this id distinguishes their events.
   */
  readonly id: string;
  /** The key in a box, sealed under the service's keys. */
  readonly sealed: string;
}

/** An audit key that is ready for use. */
export interface OpenAuditKey {
  readonly id: string;
  readonly keyring: Keyring;
}

const noncedParts: z.ZodType<NoncedParts> = z.strictObject({
  ...personalParts.shape,
  nonce: z.string(),
});

function drawBytes(bytes: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(bytes));
}

function contextOf({ tenantId, identityId }: Owner, purpose: SealContext["purpose"]): SealContext {
  return { tenantId, identityId, purpose };
}

/** What a tenant's own audit key is bound to. No identity has an empty id. */
export function tenantKeyOwner(tenantId: string): Owner {
  return { tenantId, identityId: "" };
}

/** What the key is bound to that seals the personal parts of an event. */
export function keyOwnerOf(
  event: Pick<StampedEvent, "tenantId" | "targetType" | "targetId">,
): Owner {
  const { tenantId, targetType, targetId } = event;
  return targetType === "identity" ? { tenantId, identityId: targetId } : tenantKeyOwner(tenantId);
}

export async function createAuditKey(sealingKeys: Keyring, owner: Owner): Promise<AuditKey> {
  const sealed = await seal(sealingKeys, contextOf(owner, "audit_key"), drawBytes(keyBytes));
  return { id: toHex(drawBytes(keyIdBytes)), sealed };
}

/**
 * Returns the key as it should be stored: the same key if it is sealed under the service's newest key,
 * the key sealed anew if an older one sealed it, and a new key if there is none.
 * @throws MissingKeyError if the key that sealed it is no longer in the ring
 */
export async function renewAuditKey(
  sealingKeys: Keyring,
  owner: Owner,
  stored: AuditKey | null,
): Promise<AuditKey> {
  if (stored === null) return await createAuditKey(sealingKeys, owner);
  const sealed = await reseal(sealingKeys, contextOf(owner, "audit_key"), stored.sealed);
  return sealed === stored.sealed ? stored : { id: stored.id, sealed };
}

/** @throws MissingKeyError, BrokenSealError */
export async function openAuditKey(
  sealingKeys: Keyring,
  owner: Owner,
  { id, sealed }: AuditKey,
): Promise<OpenAuditKey> {
  const key = await unseal(sealingKeys, contextOf(owner, "audit_key"), sealed);
  return { id, keyring: { newest: 1, keys: new Map([[1, key]]) } };
}

export async function sealParts(
  { id, keyring }: OpenAuditKey,
  owner: Owner,
  parts: PersonalParts,
): Promise<SealedParts> {
  const nonced: NoncedParts = { ...parts, nonce: toHex(drawBytes(nonceBytes)) };
  const text = new Uint8Array(encodeUtf8(JSON.stringify(nonced)));
  return {
    personalKey: id,
    personal: await seal(keyring, contextOf(owner, "audit_personal"), text),
    personalDigest: await computePersonalDigest(nonced),
  };
}

/**
 * Seals under another key what was sealed before. The parts, their nonce and their digest stay the same.
 * @returns the parts as they were if they do not open: nobody can read them under any key
 */
export async function resealParts(
  from: OpenAuditKey,
  to: OpenAuditKey,
  owner: Owner,
  sealed: SealedParts,
): Promise<SealedParts> {
  const context = contextOf(owner, "audit_personal");
  try {
    const text = await unseal(from.keyring, context, sealed.personal);
    return { ...sealed, personalKey: to.id, personal: await seal(to.keyring, context, text) };
  } catch (error) {
    if (error instanceof BrokenSealError) return sealed;
    throw error;
  }
}

/** Opens a stored event's personal parts; undefined if they were altered and no longer match the leaf. */
export async function openParts(
  { keyring }: OpenAuditKey,
  owner: Owner,
  stored: { readonly personal: string; readonly personalDigest: string },
): Promise<NoncedParts | undefined> {
  let text: Uint8Array;
  try {
    text = await unseal(keyring, contextOf(owner, "audit_personal"), stored.personal);
  } catch (error) {
    if (error instanceof BrokenSealError) return undefined;
    throw error;
  }
  const { data: parts } = noncedParts.safeParse(JSON.parse(new TextDecoder().decode(text)));
  if (parts === undefined) return undefined;
  return (await computePersonalDigest(parts)) === stored.personalDigest ? parts : undefined;
}
