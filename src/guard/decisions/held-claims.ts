/** The claims of the passkeys that an identity has (pure). */
import type { PasskeyClaim } from "../../identity/passkey-claim.ts";
import type { IdentityState } from "./state.ts";

export function heldClaimsOf({ passkeys }: IdentityState): readonly PasskeyClaim[] {
  return (passkeys?.credentials ?? []).map(({ id, claimId }) => ({ passkeyId: id, claimId }));
}
