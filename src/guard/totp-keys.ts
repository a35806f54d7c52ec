/**
 * The cache of a guard's TOTP keys: each sealed secret is opened and imported once, not for every code.
 * The keys are not extractable, and are lost with the guard's memory.
 */
import { BoundedMap } from "../bounded-map.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner, SealContext } from "../crypto/seal-context.ts";
import { unseal } from "../crypto/sealed-box.ts";
import { importTotpSecret } from "../otp/totp.ts";
import { type Authenticator, maxAuthenticators } from "./decisions/authenticators.ts";

/** All secrets, and one that shall replace the primary one. */
const maxCached = maxAuthenticators + 1;

/**
 * What the box of a TOTP secret is bound to.
 * @param addedId the id of an added secret. The box of the primary one must open in older builds, which gave it no id
 */
export function totpContextOf({ tenantId, identityId }: Owner, addedId?: string): SealContext {
  const purpose = addedId === undefined ? "totp_secret" : (`totp_secret ${addedId}` as const);
  return { tenantId, identityId, purpose };
}

export class TotpKeys {
  readonly #cache = new BoundedMap<string, CryptoKey>({ maxEntries: maxCached });

  /** The HMAC key of a sealed secret. @throws MissingKeyError, BrokenSealError */
  async keyFor(
    { id, sealed, isPrimary, algorithm }: Authenticator,
    sealingKeys: Keyring,
    owner: Owner,
  ): Promise<CryptoKey> {
    // With the id: a box that was copied to another secret does not open.
    const name = `${id} ${sealed}`;
    const cached = this.#cache.get(name);
    if (cached !== undefined) return cached;
    const context = totpContextOf(owner, isPrimary ? undefined : id);
    const key = await importTotpSecret(await unseal(sealingKeys, context, sealed), { algorithm });
    this.#cache.set(name, key);
    return key;
  }

  clear(): void {
    this.#cache.clear();
  }
}
