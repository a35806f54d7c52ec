/** Re-encryption of a state: seals the content of every box in it under the newest key. */
import { renewAuditKey } from "../audit/personal.ts";
import type { Keyring } from "../crypto/keyring.ts";
import { reseal } from "../crypto/sealed-box.ts";
import type { IdentityState } from "./decisions/state.ts";
import { sealingVersionsOf } from "./delivery/build-delivery.ts";
import { totpContextOf } from "./totp-keys.ts";

/**
 * Seals everything in the state under the newest key. Returns the same object if nothing had to change.
 * @throws MissingKeyError, BrokenSealError
 */
export async function resealState(
  sealingKeys: Keyring,
  state: IdentityState,
): Promise<IdentityState> {
  if (sealingVersionsOf(state).every((version) => version === sealingKeys.newest)) return state;
  const { totp, pendingTotp, authenticators, auditKey } = state;
  const resealTotp = async <T extends { readonly sealed: string }>(
    secret: T,
    addedId?: string,
  ) => ({
    ...secret,
    sealed: await reseal(sealingKeys, totpContextOf(state, addedId), secret.sealed),
  });
  return {
    ...state,
    totp: totp && (await resealTotp(totp)),
    pendingTotp: pendingTotp && (await resealTotp(pendingTotp)),
    authenticators: await Promise.all(
      authenticators.map((secret) => resealTotp(secret, secret.id)),
    ),
    auditKey: auditKey === null ? null : await renewAuditKey(sealingKeys, state, auditKey),
  };
}
