/**
 * Receipts: what is kept of a request with an `Idempotency-Key`, in a sealed box. It holds the request's
 * digest, because an open digest would let an attacker guess the body (it may hold a code), and what was
 * shown once and is stored nowhere else.
 */
import { z } from "zod";
import { encodeUtf8 } from "../crypto/bytes.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner, SealContext } from "../crypto/seal-context.ts";
import { reseal, seal, unseal } from "../crypto/sealed-box.ts";
import type { RequestKey } from "./request-key.ts";

interface Receipt {
  readonly digest: string;
  /** Fields of the answer that were shown once. */
  readonly shown: Readonly<Record<string, unknown>>;
}

const receiptSchema: z.ZodType<Receipt> = z.strictObject({
  digest: z.string(),
  shown: z.record(z.string(), z.unknown()),
});

/** Binds a receipt to its key, so that it does not open under another key. */
function contextOf({ tenantId, identityId }: Owner, key: string): SealContext {
  return { tenantId, identityId, purpose: `receipt ${key}` };
}

export async function sealReceipt(
  sealingKeys: Keyring,
  owner: Owner,
  { key, digest }: RequestKey,
  shown: Receipt["shown"] = {},
): Promise<string> {
  const text = new Uint8Array(encodeUtf8(JSON.stringify({ digest, shown })));
  return await seal(sealingKeys, contextOf(owner, key), text);
}

/** @throws MissingKeyError, BrokenSealError */
export async function openReceipt(
  sealingKeys: Keyring,
  owner: Owner,
  key: string,
  box: string,
): Promise<Receipt> {
  const text = await unseal(sealingKeys, contextOf(owner, key), box);
  return receiptSchema.parse(JSON.parse(new TextDecoder().decode(text)));
}

/** Seals the receipt under the newest key. @throws MissingKeyError, BrokenSealError */
export async function resealReceipt(
  sealingKeys: Keyring,
  owner: Owner,
  key: string,
  box: string,
): Promise<string> {
  return await reseal(sealingKeys, contextOf(owner, key), box);
}
