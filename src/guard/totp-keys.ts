/**
 * The cache of a guard's TOTP keys: each sealed secret is opened and imported once, not for every code.
 * The keys are not extractable, and are lost with the guard's memory.
 */
import { BoundedMap } from "../bounded-map.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner, SealContext } from "../crypto/seal-context.ts";
import { unseal } from "../crypto/sealed-box.ts";
import { importSecret } from "../otp/hotp.ts";

/** The live secret and the pending one. */
const maxCached = 2;

/** What the box of a TOTP secret is bound to. */
export function totpContextOf({ tenantId, identityId }: Owner): SealContext {
  return { tenantId, identityId, purpose: "totp_secret" };
}

export class TotpKeys {
  readonly #cache = new BoundedMap<string, CryptoKey>({ maxEntries: maxCached });

  /** The HMAC key of a sealed secret. @throws MissingKeyError, BrokenSealError */
  async keyFor(sealed: string, sealingKeys: Keyring, owner: Owner): Promise<CryptoKey> {
    const cached = this.#cache.get(sealed);
    if (cached !== undefined) return cached;
    const key = await importSecret(await unseal(sealingKeys, totpContextOf(owner), sealed));
    this.#cache.set(sealed, key);
    return key;
  }

  clear(): void {
    this.#cache.clear();
  }
}
