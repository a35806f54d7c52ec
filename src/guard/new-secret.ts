/** Creates the secret of an authenticator. */
import { base32nopad } from "@scure/base";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { seal } from "../crypto/sealed-box.ts";
import { secretBytes, type TotpAlgorithm } from "../otp/totp.ts";
import { totpContextOf } from "./totp-keys.ts";

export interface CreatedSecret {
  /** Base32 (RFC 4648) without padding. It leaves the guard once. */
  readonly secret: string;
  readonly sealed: string;
}

/** @param addedId the id of an added secret */
export async function createSecret(
  sealingKeys: Keyring,
  owner: Owner,
  algorithm: TotpAlgorithm,
  addedId?: string,
): Promise<CreatedSecret> {
  const bytes = crypto.getRandomValues(new Uint8Array(secretBytes[algorithm]));
  const sealed = await seal(sealingKeys, totpContextOf(owner, addedId), bytes);
  return { secret: base32nopad.encode(bytes), sealed };
}
