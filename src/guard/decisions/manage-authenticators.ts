/** Adding, renaming and removing one of an identity's TOTP secrets (pure). */
import type { TotpParameters } from "../../otp/totp.ts";
import {
  type Authenticator,
  changeAuthenticator,
  defaultName,
  isFull,
  isLive,
  listAuthenticators,
  listUnexpired,
  lockoutForNewSecret,
  pendingLifetimeMs,
  type ShownAuthenticator,
  showAuthenticator,
} from "./authenticators.ts";
import { removeDevices } from "./devices.ts";
import { applyChange, refuse } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import {
  type EventEntry,
  type GuardCall,
  type GuardError,
  succeed,
  type Transition,
} from "./transition.ts";

/** A secret to add, sealed before the decision. */
export interface NewAuthenticator extends TotpParameters {
  readonly id: string;
  /** Null: it gets one. */
  readonly name: string | null;
  readonly sealed: string;
  /** Whether it is live only with its first accepted code. */
  readonly isPending: boolean;
}

/**
 * Adds a secret beside those that the identity has. A live one enables a disabled TOTP and removes the known devices, as
 * a new primary one does.
 */
export function addAuthenticator(
  state: IdentityState,
  call: GuardCall,
  { isPending, name, ...secret }: NewAuthenticator,
): Transition<ShownAuthenticator> {
  const { now } = call;
  const code = state.status === "suspended" ? "user_suspended" : "too_many";
  if (state.status === "suspended" || isFull(state, now, "added")) {
    return refuse(state, call, "authenticator.added", { code });
  }
  const added = {
    ...secret,
    name: name ?? `${defaultName} ${listAuthenticators(state, now).length + 1}`,
    pendingUntil: isPending ? now + pendingLifetimeMs : null,
    lastTimeStep: null,
    lastUsedAt: null,
  };
  const { id: authenticator_id, algorithm, digits, period } = secret;
  const details = { authenticator_id, enrolment: isPending ? "confirm" : "immediate" };
  const removal = removeDevices(state, "otp_configured", () => !isPending);
  return applyChange(
    state,
    {
      ...removal.change,
      authenticators: [...listUnexpired(state, now), added],
      otpDisabled: isPending && state.otpDisabled,
      lockout: lockoutForNewSecret({ ...state, ...removal.change }),
    },
    [
      {
        action: "authenticator.added",
        outcome: "success",
        details: { ...details, algorithm, digits, period },
      },
      ...removal.entries,
    ],
    succeed(showAuthenticator(state, { ...added, isPrimary: false })),
    now,
  );
}

function findAuthenticator(
  state: IdentityState,
  id: string,
  now: number,
): Authenticator | undefined {
  return listAuthenticators(state, now).find((authenticator) => authenticator.id === id);
}

const notFound: GuardError = { code: "authenticator_not_found" };

export function renameAuthenticator(
  state: IdentityState,
  call: GuardCall,
  id: string,
  name: string,
): Transition<ShownAuthenticator> {
  const found = findAuthenticator(state, id, call.now);
  if (found === undefined) return refuse(state, call, "authenticator.renamed", notFound);
  const entry: EventEntry = {
    action: "authenticator.renamed",
    outcome: "success",
    details: { authenticator_id: id },
  };
  const renamed = changeAuthenticator(state, found, { name });
  return applyChange(
    state,
    renamed,
    [entry],
    succeed(showAuthenticator(state, { ...found, name })),
    call.now,
  );
}

/**
 * Removes one secret, and with a live one the known devices, which may have been verified with it. The backup codes
 * stay: they are how a user gets in who has lost the phone. If failures disabled TOTP, it stays disabled.
 */
export function removeAuthenticator(
  state: IdentityState,
  call: GuardCall,
  id: string,
): Transition<void> {
  const found = findAuthenticator(state, id, call.now);
  if (found === undefined) return refuse(state, call, "authenticator.removed", notFound);
  const { sealed, isPrimary } = found;
  const { totp, pendingTotp, authenticators } = state;
  const removal = removeDevices(state, "otp_removed", () => isLive(found));
  const change = {
    ...removal.change,
    totp: totp?.sealed === sealed ? null : totp,
    pendingTotp: pendingTotp?.sealed === sealed ? null : pendingTotp,
    authenticators: authenticators.filter((secret) => secret.sealed !== sealed),
  };
  const entry: EventEntry = {
    action: "authenticator.removed",
    outcome: "success",
    details: { authenticator_id: id, is_primary: isPrimary },
  };
  return applyChange(state, change, [entry, ...removal.entries], succeed(undefined), call.now);
}
