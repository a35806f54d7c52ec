/** What of a state is sealed, and under which keys. */
import { renewAuditKey } from "../audit/personal.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner, SealContext } from "../crypto/seal-context.ts";
import { reseal } from "../crypto/sealed-box.ts";
import type { IdentityState } from "./decisions/state.ts";
import { sealingVersionsOf } from "./delivery/delivery.ts";

export function totpContext({ tenantId, identityId }: Owner): SealContext {
  return { tenantId, identityId, purpose: "totp_secret" };
}

/**
 * The state with all of it under the newest key; the state itself where that is so already.
 * @throws MissingKeyError, BrokenSealError
 */
export async function resealState(
  sealingKeys: Keyring,
  state: IdentityState,
): Promise<IdentityState> {
  if (sealingVersionsOf(state).every((version) => version === sealingKeys.newest)) return state;
  const { totp, pendingTotp, auditKey } = state;
  const anew = async <T extends { readonly sealed: string }>(holder: T | null) =>
    holder === null
      ? null
      : { ...holder, sealed: await reseal(sealingKeys, totpContext(state), holder.sealed) };
  return {
    ...state,
    totp: await anew(totp),
    pendingTotp: await anew(pendingTotp),
    auditKey: auditKey === null ? null : await renewAuditKey(sealingKeys, state, auditKey),
  };
}
