/** An identity's TOTP secrets as a list (pure): the primary one, a new one that shall replace it, and those added. */
import { deriveId, timeOfId } from "../../crypto/id.ts";
import { defaultParameters, type TotpParameters } from "../../otp/totp.ts";
import type { PendingSecret, PrimarySecret } from "./authenticator-state.ts";
import { restartDisableCount } from "./lockout.ts";
import { applyChange, refuse } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import {
  type EventEntry,
  type GuardCall,
  type GuardError,
  succeed,
  type Transition,
} from "./transition.ts";

/** The primary secret included. */
export const maxAuthenticators = 5;
/** How long a pending secret can be confirmed (enrolment `confirm`). */
export const pendingLifetimeMs = 10 * 60 * 1000;
const defaultName = "Authenticator";

/** One TOTP secret of an identity. Times are Unix ms. */
export interface Authenticator extends TotpParameters {
  readonly id: string;
  readonly name: string;
  readonly sealed: string;
  readonly isPrimary: boolean;
  /** When it expires unless a code of it is accepted; null once it is live. */
  readonly pendingUntil: number | null;
  /** Null for a primary secret that an older build created. */
  readonly createdAt: number | null;
  readonly lastTimeStep: number | null;
  readonly lastUsedAt: number | null;
  readonly driftSeconds: number | null;
}

/** An older build gave a primary secret no id. */
function describePrimary(
  { tenantId, identityId, createdAt }: IdentityState,
  secret: PrimarySecret | PendingSecret,
  place: "primary" | "pending",
) {
  return {
    id: secret.id ?? deriveId(createdAt, 0, tenantId, identityId, place),
    name: secret.name ?? defaultName,
    sealed: secret.sealed,
    isPrimary: true,
    createdAt: secret.id === undefined ? null : timeOfId(secret.id),
    ...defaultParameters,
  };
}

/** The secrets that are live or can still be confirmed, in the order in which a code is compared with them. */
export function listAuthenticators(state: IdentityState, now: number): readonly Authenticator[] {
  const { totp, pendingTotp, authenticators } = state;
  const unused = { lastTimeStep: null, lastUsedAt: null, driftSeconds: null };
  const all: readonly (Authenticator | null)[] = [
    totp && {
      ...describePrimary(state, totp, "primary"),
      pendingUntil: null,
      lastTimeStep: totp.lastTimeStep,
      lastUsedAt: totp.lastUsedAt ?? null,
      driftSeconds: totp.driftSeconds ?? null,
    },
    pendingTotp && {
      ...describePrimary(state, pendingTotp, "pending"),
      ...unused,
      pendingUntil: pendingTotp.expiresAt,
    },
    ...authenticators.map((secret) => ({
      ...secret,
      isPrimary: false,
      createdAt: timeOfId(secret.id),
    })),
  ];
  return all
    .filter(
      (secret) => secret !== null && (secret.pendingUntil === null || now < secret.pendingUntil),
    )
    .flatMap((secret) => secret ?? []);
}

/** An authenticator as the API shows it. */
export type ShownAuthenticator = Omit<Authenticator, "sealed" | "lastTimeStep">;

export function showAuthenticator({
  sealed: _sealed,
  lastTimeStep: _lastTimeStep,
  ...shown
}: Authenticator): ShownAuthenticator {
  return shown;
}

export function isLive({ pendingUntil }: Pick<Authenticator, "pendingUntil">): boolean {
  return pendingUntil === null;
}

/** Whether a secret is live, also if failures disabled it. */
export function hasLiveSecret({ totp, authenticators }: IdentityState): boolean {
  return totp !== null || authenticators.some(isLive);
}

/** What no code can be compared with any more is left out. */
function listUnexpired({ authenticators }: IdentityState, now: number) {
  return authenticators.filter(({ pendingUntil }) => pendingUntil === null || now < pendingUntil);
}

/** Whether a secret more than the identity has would be too many. The primary one and its replacement count once. */
export function isFull(state: IdentityState, now: number, added: "primary" | "added"): boolean {
  const { pendingTotp, totp } = state;
  const hasPending = pendingTotp !== null && now < pendingTotp.expiresAt;
  const primary = added === "primary" || totp !== null || hasPending ? 1 : 0;
  const others = listUnexpired(state, now).length + (added === "added" ? 1 : 0);
  return primary + others > maxAuthenticators;
}

/** The event names an authenticator by its id, unless it is the primary one. */
export function nameInEvent({ id, isPrimary }: Authenticator): {
  readonly authenticator_id?: string;
} {
  return isPrimary ? {} : { authenticator_id: id };
}

type AuthenticatorChange = Partial<
  Pick<Authenticator, "name" | "lastTimeStep" | "lastUsedAt" | "driftSeconds">
>;
type Secrets = Pick<IdentityState, "totp" | "pendingTotp" | "authenticators">;

/** Changes one of the secrets. */
export function changeAuthenticator<State extends Secrets>(
  state: State,
  { sealed }: Pick<Authenticator, "sealed">,
  change: AuthenticatorChange,
): State {
  const { totp, pendingTotp, authenticators } = state;
  const { name } = change;
  return {
    ...state,
    totp: totp?.sealed === sealed ? { ...totp, ...change } : totp,
    pendingTotp:
      pendingTotp?.sealed === sealed && name !== undefined ? { ...pendingTotp, name } : pendingTotp,
    authenticators: authenticators.map((secret) =>
      secret.sealed === sealed ? { ...secret, ...change } : secret,
    ),
  };
}

/** Makes a pending secret live. It replaces the primary one if it was created for that. */
export function confirmAuthenticator<State extends Secrets>(
  state: State,
  { sealed }: Pick<Authenticator, "sealed">,
): State {
  const { pendingTotp, authenticators } = state;
  if (pendingTotp?.sealed === sealed) {
    const { expiresAt: _expiresAt, ...confirmed } = pendingTotp;
    return { ...state, totp: { ...confirmed, lastTimeStep: null }, pendingTotp: null };
  }
  return {
    ...state,
    authenticators: authenticators.map((secret) =>
      secret.sealed === sealed ? { ...secret, pendingUntil: null } : secret,
    ),
  };
}

/** A secret to add, sealed before the decision. */
export interface NewAuthenticator extends TotpParameters {
  readonly id: string;
  /** Null: it gets one. */
  readonly name: string | null;
  readonly sealed: string;
  /** Whether it is live only with its first accepted code. */
  readonly isPending: boolean;
}

/** The lockout when a new secret is set up: if failures disabled TOTP, the count until that starts over. */
export function lockoutForNewSecret({
  otpDisabled,
  lockout,
}: IdentityState): IdentityState["lockout"] {
  return otpDisabled ? restartDisableCount(lockout) : lockout;
}

/** Adds a secret beside those that the identity has. A live one enables a disabled TOTP, as a new primary one does. */
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
    driftSeconds: null,
  };
  const { id: authenticator_id, algorithm, digits, period } = secret;
  const details = { authenticator_id, enrolment: isPending ? "confirm" : "immediate" };
  return applyChange(
    state,
    {
      authenticators: [...listUnexpired(state, now), added],
      otpDisabled: isPending && state.otpDisabled,
      lockout: lockoutForNewSecret(state),
    },
    [
      {
        action: "authenticator.added",
        outcome: "success",
        details: { ...details, algorithm, digits, period },
      },
    ],
    succeed(showAuthenticator({ ...added, isPrimary: false, createdAt: timeOfId(secret.id) })),
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
    succeed(showAuthenticator({ ...found, name })),
    call.now,
  );
}

/**
 * Removes one secret. The backup codes stay: they are how a user gets in who has lost the device. If failures disabled
 * TOTP, it stays disabled.
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
  const change = {
    totp: totp?.sealed === sealed ? null : totp,
    pendingTotp: pendingTotp?.sealed === sealed ? null : pendingTotp,
    authenticators: authenticators.filter((secret) => secret.sealed !== sealed),
  };
  const entry: EventEntry = {
    action: "authenticator.removed",
    outcome: "success",
    details: { authenticator_id: id, is_primary: isPrimary },
  };
  return applyChange(state, change, [entry], succeed(undefined), call.now);
}
