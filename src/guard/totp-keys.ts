/**
 * The TOTP keys of a guard while it is awake: each box is opened and its key imported once, not with
 * every code. The keys cannot be read out, and go with the guard's memory.
 */
import { BoundedMap } from "../bounded-map.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { unseal } from "../crypto/sealed-box.ts";
import { importSecret } from "../otp/hotp.ts";
import { totpContext } from "./reseal.ts";

/** The live secret and the pending one. */
const maxKept = 2;

export class TotpKeys {
  readonly #kept = new BoundedMap<string, CryptoKey>({ maxEntries: maxKept });

  /** @throws MissingKeyError, BrokenSealError */
  async keyFor(sealed: string, sealingKeys: Keyring, owner: Owner): Promise<CryptoKey> {
    const known = this.#kept.get(sealed);
    if (known !== undefined) return known;
    const key = await importSecret(await unseal(sealingKeys, totpContext(owner), sealed));
    this.#kept.set(sealed, key);
    return key;
  }

  clear(): void {
    this.#kept.clear();
  }
}
