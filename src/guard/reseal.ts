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
  const { totp, pendingTotp, auditKey } = state;
  const resealTotp = async <T extends { readonly sealed: string }>(secret: T | null) =>
    secret === null
      ? null
      : { ...secret, sealed: await reseal(sealingKeys, totpContextOf(state), secret.sealed) };
  return {
    ...state,
    totp: await resealTotp(totp),
    pendingTotp: await resealTotp(pendingTotp),
    auditKey: auditKey === null ? null : await renewAuditKey(sealingKeys, state, auditKey),
  };
}
