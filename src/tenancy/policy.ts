/**
 * The tenant's policy and its defaults: every value that a tenant can set, with its unit and source.
 * settings.ts has the ranges.
 */
import type { LocationHint } from "../location.ts";
import type { RiskPolicy } from "../sentinel/assessment.ts";

/** When a new secret becomes active. `immediate`: at once. `confirm`: with its first accepted code. */
export type Enrolment = "immediate" | "confirm";

export interface LockoutPolicy {
  /** Consecutive failures that lock the identity. */
  readonly maxFailedAttempts: number;
  /** The length of the first lock. Each further lock is twice as long as the one before. */
  readonly lockSeconds: number;
  readonly maxLockSeconds: number;
  /** Consecutive failures that disable TOTP. */
  readonly disableAfter: number;
}

export interface PasskeyPolicy {
  /** The relying party id (WebAuthn): the host that passkeys belong to; null: passkeys are not set up. */
  readonly rpId: string | null;
  /** What authenticators show; null: the relying party id. */
  readonly rpName: string | null;
  /** Compared exactly. At least one, if there is a relying party id. */
  readonly origins: readonly string[];
  /** Of pages that may embed a page of another origin. */
  readonly topOrigins: readonly string[];
  readonly userVerification: "required" | "preferred";
  /** A user who has a factor must have been verified within this time to register a passkey. */
  readonly recentVerificationSeconds: number;
}

export interface TenantPolicy {
  readonly lockout: LockoutPolicy;
  readonly otp: {
    readonly enrolment: Enrolment;
    /** Time steps accepted before and after the current one. */
    readonly windowSteps: number;
  };
  readonly passkeys: PasskeyPolicy;
  readonly sentinel: RiskPolicy & {
    readonly kinds: NonNullable<RiskPolicy["kinds"]>;
    /** Addresses and CIDR networks that the tenant trusts, or never trusts. */
    readonly allow: readonly string[];
    readonly deny: readonly string[];
  };
  readonly retention: {
    /** How long events stay in D1 before they move to the archive. */
    readonly archiveAfterDays: number;
    /** How long the personal parts of events and assessments are kept; null: until the user is erased. */
    readonly personalDays: number | null;
    /** How long assessments stay in D1 before they are deleted. */
    readonly assessmentDays: number;
  };
  readonly export: {
    /** Whether `GET /v1/idp/users/export` may give TOTP secrets. */
    readonly secrets: boolean;
  };
  readonly location: {
    /** Near which region new objects are created; null: near the first request for them. */
    readonly hint: LocationHint | null;
  };
}

export const defaultPolicy: TenantPolicy = {
  lockout: {
    maxFailedAttempts: 5,
    lockSeconds: 15 * 60,
    maxLockSeconds: 24 * 60 * 60,
    /** NIST SP 800-63B-4 §3.2.2: no more than 100 consecutive failures. */
    disableAfter: 100,
  },
  // RFC 6238 §5.2 recommends one step.
  otp: { enrolment: "immediate", windowSteps: 1 },
  passkeys: {
    rpId: null,
    rpName: null,
    origins: [],
    topOrigins: [],
    userVerification: "required",
    recentVerificationSeconds: 10 * 60,
  },
  sentinel: { challengeAt: 0.5, denyAt: 0.8, allow: [], deny: [], signalsOff: [], kinds: {} },
  retention: { archiveAfterDays: 400, personalDays: null, assessmentDays: 90 },
  export: { secrets: false },
  location: { hint: null },
};
