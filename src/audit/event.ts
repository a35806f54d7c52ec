/** The vocabulary of the audit trail. docs/audit.md lists what each action means. */
import { z } from "zod";
import { deriveId } from "../crypto/id.ts";

export const actorTypes = ["api_token", "operator", "system"] as const;

export interface Actor {
  readonly type: (typeof actorTypes)[number];
  /** The token's id; null for the operator and for the service itself. */
  readonly id: string | null;
}

export const auditActions = [
  "tenant.created",
  "tenant.relocated",
  "settings.changed",
  "token.created",
  "token.rotated",
  "token.revoked",
  "user.provisioned",
  "user.suspended",
  "user.reactivated",
  "user.locked",
  "user.unlocked",
  "user.erased",
  "otp.configured",
  "otp.confirmed",
  "otp.verified",
  "otp.disabled",
  "otp.removed",
  "backup_codes.generated",
  "session.assessed",
  "session.judged",
  "request.refused",
] as const;
export type AuditAction = (typeof auditActions)[number];

/**
 * `success`: done. `failure`: evaluated and not accepted. `refused`: not evaluated, because a rule
 * stood against it; several of one kind are counted in one event (`details.count`).
 */
export const auditOutcomes = ["success", "failure", "refused"] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

export const targetTypes = ["tenant", "api_token", "identity"] as const;

export type AuditDetails = Readonly<Record<string, string | number | boolean | null>>;

export const auditDetails: z.ZodType<AuditDetails> = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null()]),
);

/** What happened, before it is known where it is filed. */
export interface AuditEntry {
  readonly action: AuditAction;
  readonly outcome: AuditOutcome;
  readonly reason?: string;
  readonly details?: AuditDetails;
}

/** What in an event is about a person: kept under the identity's audit key, which erasure destroys. */
export interface PersonalParts {
  readonly external_id: string;
  /** Address and user agent of the session, where the event is about one. */
  readonly address?: string;
  readonly agent?: string;
}

export interface AuditEvent {
  readonly id: string;
  readonly tenantId: string;
  /** Unix ms. */
  readonly at: number;
  readonly actor: Actor;
  readonly action: AuditAction;
  readonly target: {
    readonly type: (typeof targetTypes)[number];
    readonly id: string;
  };
  readonly personal: PersonalParts | null;
  readonly outcome: AuditOutcome;
  readonly reason: string | null;
  readonly requestId: string | null;
  readonly details: AuditDetails;
}

const personalParts: z.ZodType<PersonalParts> = z.object({
  external_id: z.string(),
  address: z.string().exactOptional(),
  agent: z.string().exactOptional(),
});

/** An event as outboxes hold it, also one of a build that had the name in the target. */
export const auditEventSchema: z.ZodType<AuditEvent> = z
  .object({
    id: z.string(),
    tenantId: z.string(),
    at: z.int(),
    actor: z.object({
      type: z.enum(actorTypes),
      id: z.string().nullable(),
    }),
    action: z.enum(auditActions),
    target: z.object({
      type: z.enum(targetTypes),
      id: z.string(),
      externalId: z.string().nullish(),
    }),
    personal: personalParts.nullish(),
    outcome: z.enum(auditOutcomes),
    reason: z.string().nullable(),
    requestId: z.string().nullable(),
    details: auditDetails,
  })
  .transform(({ target: { externalId, ...target }, personal, ...event }) => {
    const named = externalId == null ? null : { external_id: externalId };
    return { ...event, target, personal: personal ?? named };
  });

/**
 * The event of an act on a tenant, its settings or its tokens, which happens in D1 alone.
 * @param order among the events of one request
 */
export function createTenantEvent(
  tenantId: string,
  by: { readonly now: number; readonly actor: Actor; readonly requestId: string },
  target: { readonly type: "tenant" | "api_token"; readonly id: string },
  entry: AuditEntry,
  order = 0,
): AuditEvent {
  return {
    id: deriveId(by.now, order, tenantId, by.requestId, entry.action, target.id),
    tenantId,
    at: by.now,
    actor: by.actor,
    action: entry.action,
    target,
    personal: null,
    outcome: entry.outcome,
    reason: entry.reason ?? null,
    requestId: by.requestId,
    details: entry.details ?? {},
  };
}
