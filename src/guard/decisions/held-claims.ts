/** The claims of the passkeys that an identity has (pure). */
import type { PasskeyClaim } from "../../identity/passkey-claim.ts";
import type { IdentityState } from "./state.ts";

export function heldClaimsOf(_state: IdentityState): readonly PasskeyClaim[] {
  return [];
}
