/** An identity's TOTP secrets as a list (pure): the primary one, a new one that shall replace it, and those added. */
import { joinParts, toHex } from "../../crypto/bytes.ts";
import { sha256Of } from "../../crypto/digest.ts";
import { idPattern, timeOfId } from "../../crypto/id-time.ts";
import type { Owner } from "../../crypto/seal-context.ts";
import { defaultParameters, type TotpParameters, timeStepOf } from "../../otp/totp.ts";
import type { PendingSecret, PrimarySecret } from "./authenticator-state.ts";
import { countDeviceFailures } from "./devices.ts";
import { restartDisableCount } from "./lockout.ts";
import type { IdentityState } from "./state.ts";

/** The primary secret included. */
export const maxAuthenticators = 5;
/** How long a pending secret can be confirmed (enrolment `confirm`). */
export const pendingLifetimeMs = 10 * 60 * 1000;
export const defaultName = "Authenticator";

/** One TOTP secret of an identity. Times are Unix ms. */
export interface Authenticator extends TotpParameters {
  readonly id: string;
  readonly name: string;
  readonly sealed: string;
  readonly isPrimary: boolean;
  /** When it expires unless a code of it is accepted; null once it is live. */
  readonly pendingUntil: number | null;
  readonly lastTimeStep: number | null;
  readonly lastUsedAt: number | null;
}

/** The id of a primary secret that an older build gave none, or one that is no id of the service. */
function deriveId({ tenantId, identityId }: Owner, place: "primary" | "pending"): string {
  return toHex(sha256Of(joinParts(tenantId, identityId, place)).subarray(0, 12));
}

function describePrimary(
  owner: Owner,
  { id, name, sealed, lastTimeStep, lastUsedAt }: PrimarySecret | PendingSecret,
  place: "primary" | "pending",
) {
  return {
    ...defaultParameters,
    id: id !== undefined && idPattern.test(id) ? id : deriveId(owner, place),
    name: name ?? defaultName,
    sealed,
    isPrimary: true,
    lastTimeStep: lastTimeStep ?? null,
    lastUsedAt: lastUsedAt ?? null,
  };
}

/** Whether a code can still be compared with the secret. */
function isUnexpired({ pendingUntil }: Pick<Authenticator, "pendingUntil">, now: number): boolean {
  return pendingUntil === null || now < pendingUntil;
}

/** The secrets that are live or can still be confirmed, in the order in which a code is compared with them. */
export function listAuthenticators(state: IdentityState, now: number): readonly Authenticator[] {
  const { totp, pendingTotp, authenticators } = state;
  const all: readonly (Authenticator | null)[] = [
    totp && { ...describePrimary(state, totp, "primary"), pendingUntil: null },
    pendingTotp && {
      ...describePrimary(state, pendingTotp, "pending"),
      pendingUntil: pendingTotp.expiresAt,
    },
    ...authenticators.map((secret) => ({ ...secret, isPrimary: false })),
  ];
  return all.flatMap((secret) => (secret !== null && isUnexpired(secret, now) ? [secret] : []));
}

/** How far a step is after the step of a moment, in seconds. @param at Unix ms */
export function driftOf(
  { period }: Pick<Authenticator, "period">,
  step: number,
  at: number,
): number {
  return (step - timeStepOf(at, period)) * period;
}

/** An authenticator as the API shows it. */
export interface ShownAuthenticator extends Omit<Authenticator, "sealed" | "lastTimeStep"> {
  /** Null for a primary secret that an older build created. */
  readonly createdAt: number | null;
  /** Of the code accepted last; null before the first one. */
  readonly driftSeconds: number | null;
}

export function showAuthenticator(
  owner: Owner,
  { sealed: _sealed, lastTimeStep, ...shown }: Authenticator,
): ShownAuthenticator {
  const { id, isPrimary, lastUsedAt } = shown;
  // A derived id has no time. It is stored with the first accepted code.
  const isDerived =
    isPrimary && (id === deriveId(owner, "primary") || id === deriveId(owner, "pending"));
  const isUnused = lastTimeStep === null || lastUsedAt === null;
  return {
    ...shown,
    createdAt: isDerived ? null : timeOfId(id),
    driftSeconds: isUnused ? null : driftOf(shown, lastTimeStep, lastUsedAt),
  };
}

export function isLive({ pendingUntil }: Pick<Authenticator, "pendingUntil">): boolean {
  return pendingUntil === null;
}

/** Whether a secret is live, also if failures disabled it. */
export function hasLiveSecret({ totp, authenticators }: IdentityState): boolean {
  return totp !== null || authenticators.some(isLive);
}

/** What no code can be compared with any more is left out. */
export function listUnexpired({ authenticators }: IdentityState, now: number) {
  return authenticators.filter((secret) => isUnexpired(secret, now));
}

/** Whether the identity has a primary secret, or one that can still become it. */
export function hasPrimarySecret({ pendingTotp, totp }: IdentityState, now: number): boolean {
  return totp !== null || (pendingTotp !== null && now < pendingTotp.expiresAt);
}

/** The number of secrets, live or pending. The primary one and its replacement count once. */
export function countAuthenticators(state: IdentityState, now: number): number {
  return (hasPrimarySecret(state, now) ? 1 : 0) + listUnexpired(state, now).length;
}

/** Whether a secret more than the identity has would be too many. */
export function isFull(state: IdentityState, now: number, added: "primary" | "added"): boolean {
  const isReplaced = added === "primary" && hasPrimarySecret(state, now);
  return countAuthenticators(state, now) + (isReplaced ? 0 : 1) > maxAuthenticators;
}

/** The event names an authenticator by its id, unless it is the primary one. */
export function nameInEvent({ id, isPrimary }: Authenticator): {
  readonly authenticator_id?: string;
} {
  return isPrimary ? {} : { authenticator_id: id };
}

type AuthenticatorChange = Partial<
  Pick<Authenticator, "id" | "name" | "lastTimeStep" | "lastUsedAt">
>;
type Secrets = Pick<IdentityState, "totp" | "pendingTotp" | "authenticators">;

/** Changes one of the secrets. */
export function changeAuthenticator<State extends Secrets>(
  state: State,
  { sealed }: Pick<Authenticator, "sealed">,
  change: AuthenticatorChange,
): State {
  const { totp, pendingTotp, authenticators } = state;
  return {
    ...state,
    totp: totp?.sealed === sealed ? { ...totp, ...change } : totp,
    pendingTotp: pendingTotp?.sealed === sealed ? { ...pendingTotp, ...change } : pendingTotp,
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
    const { lastTimeStep = null } = confirmed;
    return { ...state, totp: { ...confirmed, lastTimeStep }, pendingTotp: null };
  }
  return {
    ...state,
    authenticators: authenticators.map((secret) =>
      secret.sealed === sealed ? { ...secret, pendingUntil: null } : secret,
    ),
  };
}

/** Drops the secrets that wait for their first code: failures that disable TOTP end every enrolment. */
export function dropPending({
  authenticators,
}: IdentityState): Pick<IdentityState, "pendingTotp" | "authenticators"> {
  return { pendingTotp: null, authenticators: authenticators.filter(isLive) };
}

/** The lockout when a new secret is set up: if failures disabled TOTP, the count until that starts over. */
export function lockoutForNewSecret({
  otpDisabled,
  lockout,
  devices,
}: Pick<IdentityState, "otpDisabled" | "lockout" | "devices">): IdentityState["lockout"] {
  return otpDisabled ? restartDisableCount(lockout, countDeviceFailures({ devices })) : lockout;
}
