/** An example identity, and calls and evidence for the tests of the guard's decisions. */

import type { AuditEntry } from "../../../src/audit/event.ts";
import type { KnownDevice } from "../../../src/guard/decisions/device-state.ts";
import type { Comparison, TotpEvidence } from "../../../src/guard/decisions/evaluate-totp.ts";
import type { StoredPasskey } from "../../../src/guard/decisions/passkey-state.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import type { GuardCall, Transition } from "../../../src/guard/decisions/transition.ts";
import type { Evidence } from "../../../src/guard/decisions/verify.ts";
import type { LockoutPolicy } from "../../../src/tenancy/policy.ts";

export const minute = 60_000;
/** The present of these tests, Unix ms. */
export const now = 1_700_000_000_000;
/** The time step that `now` lies in. */
export const step = Math.floor(now / 30_000);

/** The contract's defaults. */
export const lockoutPolicy: LockoutPolicy = {
  maxFailedAttempts: 5,
  lockSeconds: 900,
  maxLockSeconds: 86_400,
  disableAfter: 100,
};

export function callAt(at: number, requestId = `request-${at}`): GuardCall {
  return {
    tenantId: "0123456789abcdef01234567",
    identityId: "89abcdef0123456789abcdef",
    now: at,
    requestId,
    actor: { type: "api_token", id: "aaaaaaaaaaaaaaaaaaaaaaaa" },
    jurisdiction: null,
    requestKey: null,
  };
}

export const call = callAt(now);

export const examplePasskey: StoredPasskey = {
  id: "3f9c1a7be2045d8816c0aa47",
  claimId: "01a2279b48deb7d3b88625c1",
  credentialId: "RjGpVjhppRlVb0LZRw4qYw",
  publicKey: "pQECAyYgASFYIA",
  algorithm: -7,
  name: "Passkey 1",
  rpId: "login.example.com",
  aaguid: "00000000-0000-0000-0000-000000000000",
  transports: ["internal"],
  backupEligible: false,
  backedUp: false,
  userVerified: true,
  signCount: 1,
  createdAt: now - 500,
  lastUsedAt: null,
};

export const exampleDevice: KnownDevice = {
  id: "01a20a4597691de6cc1dbcad",
  digest: "d".repeat(64),
  name: "Chrome on Windows",
  createdAt: now - 2_000,
  expiresAt: now + 86_400_000,
  lastUsedAt: now - 2_000,
  failures: 0,
  passkeyId: null,
  assessmentId: null,
};

/** An active identity with an unused secret. */
export function buildIdentity(changes: Partial<IdentityState> = {}): IdentityState {
  return {
    tenantId: call.tenantId,
    identityId: call.identityId,
    externalId: "ORG_USR_9921_AFG",
    status: "active",
    createdAt: now - 1_000,
    updatedAt: now - 1_000,
    lastVerifiedAt: null,
    lastMethod: null,
    totp: { sealed: "sealed-1", lastTimeStep: null },
    pendingTotp: null,
    authenticators: [],
    lastAuthenticatorId: null,
    otpDisabled: false,
    backupCodes: null,
    passkeys: null,
    devices: [],
    lockout: {
      failedAttempts: 0,
      failuresThisRound: 0,
      locks: 0,
      lockedUntil: null,
      failedBeforeEnrolment: 0,
    },
    auditKey: { id: "0123456789abcdef", sealed: "sealed-2" },
    refusals: [],
    recent: [],
    rates: {},
    ...changes,
  };
}

export function buildLockout(
  changes: Partial<IdentityState["lockout"]>,
): Pick<IdentityState, "lockout"> {
  return { lockout: { ...buildIdentity().lockout, ...changes } };
}

/**
 * Evidence of a wrong code for the example's secret, a pending one and others; `changes` can make it right. A secret
 * that is null has no part in it.
 */
export function buildTotpEvidence({
  sealed = "sealed-1",
  step,
  pendingSealed = null,
  pendingStep,
  others = [],
  lastTimeStep = null,
  isLastCode = false,
}: {
  readonly sealed?: string | null;
  readonly step?: number | undefined;
  readonly pendingSealed?: string | null;
  readonly pendingStep?: number | undefined;
  readonly others?: readonly Comparison[];
  /** The step of the example's secret that was accepted last. */
  readonly lastTimeStep?: number | null;
  readonly isLastCode?: boolean;
} = {}): TotpEvidence {
  const comparisons = [
    ...(sealed === null ? [] : [{ sealed, step }]),
    ...(pendingSealed === null ? [] : [{ sealed: pendingSealed, step: pendingStep }]),
    ...others,
  ];
  if (sealed === null || lastTimeStep === null) return { method: "totp", comparisons };
  return { method: "totp", comparisons, last: { sealed, timeStep: lastTimeStep, isLastCode } };
}

export function buildBackupEvidence(hash: string | null, keyVersion: number | null = 1): Evidence {
  return { method: "backup_code", keyVersion, recipes: [], hashes: hash === null ? [] : [hash] };
}

/** Returns the transition. @throws if the evidence was stale */
export function expectDecision<T>(transition: Transition<T> | symbol): Transition<T> {
  if (typeof transition === "symbol") throw new Error("The evidence was stale");
  return transition;
}

/** Action, outcome and reason of each entry. */
export function describeEntries(entries: readonly AuditEntry[]) {
  return entries.map(({ action, outcome, reason }) =>
    [action, outcome, reason ?? ""].join(" ").trim(),
  );
}
