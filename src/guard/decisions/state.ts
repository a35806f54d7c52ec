/** The live security state of one identity: its guard holds it, and D1 keeps a record of it. */
import { z } from "zod";
import { type Actor, type AuditAction, actorTypes } from "../../audit/event.ts";
import type { AuditKey } from "../../audit/personal.ts";
import type { Owner } from "../../crypto/seal-context.ts";
import { devicesSchema, type KnownDevice } from "./device-state.ts";
import type { LockoutState } from "./lockout.ts";
import { type PasskeyState, passkeyStateSchema } from "./passkey-state.ts";

/** One attempt or assessment. Those of the last hour are evidence about velocity. */
export interface RecentAttempt {
  readonly at: number;
  readonly kind: "success" | "failure" | "refused" | "assessed";
}

/** Requests of one kind in the present window. */
export interface RateWindow {
  /** Unix ms. */
  readonly startedAt: number;
  readonly count: number;
}

const rateKinds = ["attempts", "passkeys", "devices", "assessments", "provisioning"] as const;
export type RateKind = (typeof rateKinds)[number];

/** Actions that can be refused. Their refusals are counted and reported together. */
const refusableActions = [
  "user.provisioned",
  "otp.verified",
  "otp.configured",
  "otp.removed",
  "backup_codes.generated",
  "passkey.registered",
  "passkey.verified",
  "passkey.renamed",
  "passkey.removed",
  "device.removed",
  "session.assessed",
] as const;
export type RefusableAction = (typeof refusableActions)[number];

/** What the tenant's backend said about the session of an attempt. It is for the audit trail alone. */
export interface AttemptSession {
  readonly assessmentId?: string;
  readonly address?: string;
  readonly agent?: string;
}

/** Refused attempts of one kind that wait to be reported together. */
export interface RefusalRun {
  readonly action: AuditAction;
  readonly reason: string;
  /** The operation, for a request that reached no identity. */
  readonly route?: string;
  /** Refusals since the last report. */
  readonly unreported: number;
  /** Reports of this run so far; each one doubles the delay before the next. */
  readonly reports: number;
  readonly lastAt: number;
  readonly lastActor: Actor;
  readonly lastRequestId: string;
  /** The session of the last attempt, until it is reported. Only the guard has it: it names a person's address. */
  readonly lastSession?: AttemptSession;
}

export interface IdentityState extends Owner {
  readonly externalId: string;
  /** `erased` is a tombstone: it stays until the data in D1 is deleted too. */
  readonly status: "active" | "suspended" | "erased";
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastVerifiedAt: number | null;
  /** What the code accepted last was. Null before the first one, and in a state that an older build stored. */
  readonly lastMethod: "totp" | "backup_code" | null;
  readonly totp: {
    /** The secret in a sealed box. */
    readonly sealed: string;
    /** The newest accepted time step; every step up to it is spent (RFC 6238 §5.2). */
    readonly lastTimeStep: number | null;
    /** Tells the secret from earlier ones, also when it is sealed again. Older builds stored none. */
    readonly id?: string;
  } | null;
  /** A secret that waits for its first code (enrolment `confirm`). */
  readonly pendingTotp: { readonly sealed: string; readonly expiresAt: number } | null;
  /** After too many failures in a row, no code is evaluated until TOTP is configured again. */
  readonly otpDisabled: boolean;
  readonly backupCodes: {
    readonly keyVersion: number;
    /** HMAC-SHA-256, hex. */
    readonly unspent: readonly string[];
    /** In the order in which they were accepted. */
    readonly spent: readonly string[];
  } | null;
  /** Null before the first passkey, or in a state that an older build stored. */
  readonly passkeys: PasskeyState | null;
  /** In the order in which they were remembered. */
  readonly devices: readonly KnownDevice[];
  readonly lockout: LockoutState;
  /** Seals the personal parts of this identity's audit events. Created before the first delivery. */
  readonly auditKey: AuditKey | null;
  readonly refusals: readonly RefusalRun[];
  readonly recent: readonly RecentAttempt[];
  readonly rates: Readonly<Partial<Record<RateKind, RateWindow>>>;
}

/** Of base64url: 48 bits. */
const secretIdLength = 8;

/**
 * Creates the live secret. Its id is the end of the box in which it got its id, which each box has for itself and
 * which says nothing about the secret.
 */
export function createLiveSecret(
  sealed: string,
  lastTimeStep: number | null,
  id = sealed.slice(-secretIdLength),
): NonNullable<IdentityState["totp"]> {
  return { sealed, lastTimeStep, id };
}

const actorSchema = z.looseObject({
  type: z.enum(actorTypes),
  id: z.string().nullable(),
});

const attemptSession = z.looseObject({
  assessmentId: z.string().exactOptional(),
  address: z.string().exactOptional(),
  agent: z.string().exactOptional(),
});

const rateWindow = z.looseObject({ startedAt: z.int(), count: z.int() }).exactOptional();

/** Every object is open: a guard that went back to this build keeps the fields of a newer one. */
export const stateSchema: z.ZodType<IdentityState> = z.looseObject({
  tenantId: z.string(),
  identityId: z.string(),
  externalId: z.string(),
  status: z.enum(["active", "suspended", "erased"]),
  createdAt: z.int(),
  updatedAt: z.int(),
  lastVerifiedAt: z.int().nullable(),
  lastMethod: z.enum(["totp", "backup_code"]).nullable().default(null),
  totp: z
    .looseObject({
      sealed: z.string(),
      lastTimeStep: z.int().nullable(),
      id: z.string().exactOptional(),
    })
    .nullable(),
  pendingTotp: z.looseObject({ sealed: z.string(), expiresAt: z.int() }).nullable(),
  otpDisabled: z.boolean(),
  backupCodes: z
    .looseObject({ keyVersion: z.int(), unspent: z.array(z.string()), spent: z.array(z.string()) })
    .nullable(),
  passkeys: passkeyStateSchema.nullable().default(null),
  devices: devicesSchema.default([]),
  lockout: z.looseObject({
    failedAttempts: z.int(),
    failuresThisRound: z.int(),
    locks: z.int(),
    lockedUntil: z.int().nullable(),
    failedBeforeEnrolment: z.int(),
  }),
  auditKey: z.looseObject({ id: z.string(), sealed: z.string() }).nullable().default(null),
  refusals: z.array(
    z.looseObject({
      action: z.enum(refusableActions),
      reason: z.string(),
      unreported: z.int(),
      reports: z.int(),
      lastAt: z.int(),
      lastActor: actorSchema,
      lastRequestId: z.string(),
      lastSession: attemptSession.exactOptional(),
    }),
  ),
  recent: z.array(
    z.looseObject({ at: z.int(), kind: z.enum(["success", "failure", "refused", "assessed"]) }),
  ),
  rates: z
    .looseObject({
      attempts: rateWindow,
      passkeys: rateWindow,
      devices: rateWindow,
      assessments: rateWindow,
      provisioning: rateWindow,
    })
    .default({}),
});

const storedState = z.looseObject({ waiting: z.unknown().optional() });

/**
 * Reads the guard's own state. The entries that wait beside it for their delivery are no part of it.
 * @throws ZodError or SyntaxError when it is damaged
 */
export function parseState(text: string): IdentityState {
  const { waiting: _waiting, ...state } = storedState.parse(JSON.parse(text));
  return stateSchema.parse(state);
}
