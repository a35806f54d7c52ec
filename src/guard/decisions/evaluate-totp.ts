/** The decision on a TOTP code (pure): which of the identity's secrets accepts it, if any. */
import { normaliseBackupCode } from "../../otp/backup-codes.ts";
import { defaultParameters } from "../../otp/totp.ts";
import {
  type Authenticator,
  changeAuthenticator,
  confirmAuthenticator,
  driftOf,
  isLive,
  listAuthenticators,
} from "./authenticators.ts";
import { type Attempt, alreadyUsed, type Evaluation, type Purpose, stale } from "./evaluation.ts";
import type { IdentityState } from "./state.ts";

/** What was computed about a code and one secret. */
export interface Comparison {
  /** The sealed secret. If the secrets to compare with changed, the evidence is stale. */
  readonly sealed: string;
  /** The newest time step of the window that has this code. */
  readonly step?: number | undefined;
  /** The nearest unspent time step beyond the window that has it. Only computed for a code that was not accepted. */
  readonly distantStep?: number | undefined;
}

export interface TotpEvidence {
  readonly method: "totp";
  /** One for each of the secrets that `findSecrets` returned. */
  readonly comparisons: readonly Comparison[];
  /**
   * The time step that was accepted last, and whether it has this code too; it may be before the window. Only computed
   * for a code that was not accepted.
   */
  readonly last?: {
    readonly sealed: string;
    readonly timeStep: number;
    readonly isLastCode: boolean;
  };
}

/**
 * The secrets that a code is compared with: the live ones, unless failures disabled them, and the pending ones, until
 * they expire. A code that confirms is compared with the pending ones alone.
 */
export function findSecrets(
  state: IdentityState,
  now: number,
  purpose: Purpose = "login",
): readonly Authenticator[] {
  const isPendingOnly = state.otpDisabled || purpose === "confirm";
  return listAuthenticators(state, now).filter((secret) => !isPendingOnly || !isLive(secret));
}

/**
 * Whether a code has a length that codes of the identity have. Without any secret, that is the default one. A backup
 * code in a form that the service does not give its own is possible for an identity with imported ones.
 */
export function isPossibleCode(
  state: IdentityState | undefined,
  { method, code }: Attempt,
  now: number,
): boolean {
  if (method === "backup_code") {
    return normaliseBackupCode(code) === code || state?.backupCodes?.imported !== undefined;
  }
  const secrets = state === undefined ? [] : listAuthenticators(state, now);
  const lengths = secrets.length === 0 ? [defaultParameters] : secrets;
  return lengths.some(({ digits }) => digits === code.length);
}

/** The secret whose code was accepted last, if codes are compared with it. */
export function findLastUsed(
  { lastMethod, lastAuthenticatorId }: IdentityState,
  secrets: readonly Authenticator[],
): (Authenticator & { readonly lastTimeStep: number }) | undefined {
  if (lastMethod !== "totp") return undefined;
  const used = secrets.find((secret) =>
    lastAuthenticatorId === null
      ? secret.isPrimary && isLive(secret)
      : secret.id === lastAuthenticatorId,
  );
  const lastTimeStep = used?.lastTimeStep ?? null;
  return used === undefined || lastTimeStep === null ? undefined : { ...used, lastTimeStep };
}

export function isUnspent({ lastTimeStep }: Authenticator, step: number | undefined): boolean {
  return step !== undefined && (lastTimeStep === null || step > lastTimeStep);
}

/** A secret with what was computed about it. */
interface Compared {
  readonly secret: Authenticator;
  readonly step: number | undefined;
  readonly distantStep: number | undefined;
}

/** Spends the code for every secret that has it. The first one counts as the one that accepted it. */
function acceptCode(
  state: IdentityState,
  { secret }: Compared,
  matches: readonly Compared[],
  now: number,
): Evaluation {
  const secrets = {
    totp: state.totp,
    pendingTotp: state.pendingTotp,
    authenticators: state.authenticators,
  };
  const isConfirmed = !isLive(secret);
  const live = isConfirmed ? confirmAuthenticator(secrets, secret) : secrets;
  const spent = matches.reduce((all, { secret: { sealed, id }, step = null }) => {
    return changeAuthenticator(all, { sealed }, { id, lastTimeStep: step, lastUsedAt: now });
  }, live);
  return {
    accepted: true,
    ...(isConfirmed ? { confirmed: true } : {}),
    authenticator: secret,
    change: {
      ...spent,
      ...(isConfirmed ? { otpDisabled: false } : {}),
      lastAuthenticatorId: secret.isPrimary ? null : secret.id,
    },
  };
}

/** The secret that would have had the code at another time, if the clock that is off least explains it. */
function findClockError(compared: readonly Compared[], now: number): Partial<Evaluation> {
  const [nearest] = compared
    .flatMap(({ secret, distantStep }) =>
      distantStep !== undefined && isUnspent(secret, distantStep)
        ? [{ authenticator: secret, clockOffBySeconds: driftOf(secret, distantStep, now) }]
        : [],
    )
    .toSorted((a, b) => Math.abs(a.clockOffBySeconds) - Math.abs(b.clockOffBySeconds));
  return nearest ?? {};
}

export function evaluateTotp(
  state: IdentityState,
  { comparisons, last }: TotpEvidence,
  now: number,
  purpose: Purpose,
): Evaluation | typeof stale {
  const secrets = findSecrets(state, now, purpose);
  if (secrets.length !== comparisons.length) return stale;
  const compared: Compared[] = [];
  for (const [index, secret] of secrets.entries()) {
    const { sealed, step, distantStep } = comparisons[index] ?? {};
    if (sealed !== secret.sealed) return stale;
    compared.push({ secret, step, distantStep });
  }
  const matches = compared.filter(({ step }) => step !== undefined);
  const isSpent = matches.some(({ secret, step }) => !isUnspent(secret, step));
  const used = matches.find(({ secret }) => isLive(secret)) ?? matches[0];
  if (used !== undefined && !isSpent) return acceptCode(state, used, matches, now);
  const lastUsed = findLastUsed(state, secrets);
  if (lastUsed !== undefined) {
    const { sealed, lastTimeStep } = lastUsed;
    const isLastStep = matches.some(
      ({ secret, step }) => secret.sealed === sealed && step === lastTimeStep,
    );
    if (isLastStep) return alreadyUsed;
    if (last?.sealed !== sealed || last.timeStep !== lastTimeStep) return stale;
    if (last.isLastCode) return alreadyUsed;
  }
  if (isSpent) return { accepted: false, reason: "replayed_code", change: {} };
  return { accepted: false, reason: "invalid_code", change: {}, ...findClockError(compared, now) };
}
