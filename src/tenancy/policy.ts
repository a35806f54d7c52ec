/**
 * The tenant's policy and its defaults: every number of policy that a tenant may change, with unit
 * and source. Ranges stand with the request that sets them (tenancy/settings.ts).
 */
import type { LocationHint } from "../location.ts";
import type { RiskPolicy } from "../sentinel/assessment.ts";

/**
 * `immediate`: a new secret is live at once. `confirm`: the first accepted code of the new secret makes
 * it live.
 */
export type Enrolment = "immediate" | "confirm";

export interface LockoutPolicy {
  /** Consecutive failures that lock. */
  readonly maxFailedAttempts: number;
  /** Length of the first lock; each further one doubles. */
  readonly lockSeconds: number;
  readonly maxLockSeconds: number;
  /** Consecutive failures that disable TOTP. */
  readonly disableAfter: number;
}

export interface TenantPolicy {
  readonly lockout: LockoutPolicy;
  readonly otp: { readonly enrolment: Enrolment };
  readonly sentinel: RiskPolicy & {
    /** Addresses and CIDR networks the tenant trusts, or never trusts. */
    readonly allow: readonly string[];
    readonly deny: readonly string[];
  };
  readonly audit: {
    /** How long events stay in D1 before they leave for the archive. */
    readonly retentionDays: number;
  };
  readonly location: {
    /** Where objects are put that are made from now on; null: near who asks for them first. */
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
  otp: { enrolment: "immediate" },
  sentinel: { challengeAt: 0.5, denyAt: 0.8, allow: [], deny: [], signalsOff: [] },
  audit: { retentionDays: 400 },
  location: { hint: null },
};
