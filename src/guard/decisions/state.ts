/** The live security state of one identity: its guard holds it, and D1 keeps a record of it. */
import { z } from "zod";
import { type Actor, type AuditAction, actorTypes } from "../../audit/event.ts";
import type { AuditKey } from "../../audit/personal.ts";
import type { Owner } from "../../crypto/seal-context.ts";
import {
  type AddedSecret,
  addedSecretSchema,
  type PendingSecret,
  type PrimarySecret,
  pendingSecretSchema,
  primarySecretSchema,
} from "./authenticator-state.ts";
import { devicesSchema, type KnownDevice } from "./device-state.ts";
import type { LockoutState } from "./lockout.ts";
import { type PasskeyState, passkeyStateSchema } from "./passkey-state.ts";

/** One attempt or assessment. Those of the last hour are evidence about velocity. */
export interface RecentAttempt {
  readonly at: number;
  readonly kind: "success" | "failure" | "refused" | "assessed";
  /** It is an assessment or a wrong code from a known device. */
  readonly onDevice?: true;
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
  "authenticator.added",
  "authenticator.renamed",
  "authenticator.removed",
  "backup_codes.generated",
  "passkey.registered",
  "passkey.verified",
  "passkey.renamed",
  "passkey.removed",
  "device.removed",
  "session.assessed",
] as const;
export type RefusableAction = (typeof refusableActions)[number];
/** Builds of version 0.1 open no state that has a refusal of another action. */
const firstActions: readonly AuditAction[] = [
  ...(["user.provisioned", "otp.verified", "otp.configured", "otp.removed"] as const),
  ...(["backup_codes.generated", "session.assessed"] as const),
];

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

/** Refusals as they are stored: those of later actions are where an older build ignores them. */
export interface StoredRefusals {
  readonly refusals: readonly RefusalRun[];
  readonly laterRefusals: readonly RefusalRun[];
}

export function splitRefusals(refusals: readonly RefusalRun[]): StoredRefusals {
  const isFirst = ({ action }: RefusalRun) => firstActions.includes(action);
  return {
    refusals: refusals.filter(isFirst),
    laterRefusals: refusals.filter((run) => !isFirst(run)),
  };
}

/** The spent codes of an imported set that is gone. */
export interface SpentCodes {
  readonly keyVersion: number;
  readonly hashes: readonly string[];
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
  readonly totp: PrimarySecret | null;
  readonly pendingTotp: PendingSecret | null;
  /** In the order in which they were added. */
  readonly authenticators: readonly AddedSecret[];
  /** The added secret whose code was accepted last; null if it was the primary one. */
  readonly lastAuthenticatorId: string | null;
  /** After too many failures in a row, no code is evaluated until TOTP is configured again. */
  readonly otpDisabled: boolean;
  readonly backupCodes: {
    readonly keyVersion: number;
    /** HMAC-SHA-256, hex. */
    readonly unspent: readonly string[];
    /** In the order in which they were accepted. */
    readonly spent: readonly string[];
    /** The set was imported: its codes may have forms of other providers. */
    readonly imported?: {
      /** Of the codes that came as hashes. */
      readonly recipes: readonly string[];
    };
  } | null;
  /** Of imported sets that are gone, the oldest first. Absent before the first one. */
  readonly spentCodes?: readonly SpentCodes[];
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

const refusalRuns = z.array(
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
);

/** Every object is open: a guard that went back to this build keeps the fields of a newer one. */
const storedSchema = z.looseObject({
  tenantId: z.string(),
  identityId: z.string(),
  externalId: z.string(),
  status: z.enum(["active", "suspended", "erased"]),
  createdAt: z.int(),
  updatedAt: z.int(),
  lastVerifiedAt: z.int().nullable(),
  lastMethod: z.enum(["totp", "backup_code"]).nullable().default(null),
  totp: primarySecretSchema.nullable(),
  pendingTotp: pendingSecretSchema.nullable(),
  authenticators: z.array(addedSecretSchema).default([]),
  lastAuthenticatorId: z.string().nullable().default(null),
  otpDisabled: z.boolean(),
  backupCodes: z
    .looseObject({
      keyVersion: z.int(),
      unspent: z.array(z.string()),
      spent: z.array(z.string()),
      imported: z.looseObject({ recipes: z.array(z.string()) }).exactOptional(),
    })
    .nullable(),
  spentCodes: z
    .array(z.looseObject({ keyVersion: z.int(), hashes: z.array(z.string()) }))
    .exactOptional(),
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
  refusals: refusalRuns,
  laterRefusals: refusalRuns.default([]),
  recent: z.array(
    z.looseObject({
      at: z.int(),
      kind: z.enum(["success", "failure", "refused", "assessed"]),
      onDevice: z.literal(true).exactOptional(),
    }),
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

export const stateSchema: z.ZodType<IdentityState> = storedSchema.transform(
  ({ laterRefusals, ...state }) => ({ ...state, refusals: [...state.refusals, ...laterRefusals] }),
);

/** Reads a state from a JSON value. @throws ZodError when it is damaged */
export function parseState(value: unknown): IdentityState {
  return stateSchema.parse(value);
}
