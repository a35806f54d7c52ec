/**
 * The vocabulary of the audit trail, and the shapes that an event takes from a decision to the API.
 * docs/audit.md lists what each action means.
 *
 * | shape          | what it is                                             | defined in          | created by                                     |
 * | -------------- | ------------------------------------------------------ | ------------------- | ---------------------------------------------- |
 * | AuditEntry     | what happened, as a decision reports it                | this file           | guard/decisions/, callers of createTenantEvent |
 * | AuditEvent     | an entry with id, time, actor, target and request      | this file           | createTenantEvent, GuardLedger, RefusalLog     |
 * | StampedEvent   | ready to be filed: personal parts sealed, with a stamp | this file           | stampEvents in stamp.ts                        |
 * | StoredEvent    | filed: with a leaf index, in D1 or in the archive      | this file           | insertEvents in store.ts                       |
 * | Leaf           | the fields that the tree commits to                    | leaf.ts             | leafOf in leaf.ts                              |
 * | DecryptedEvent | a stored event with readable personal parts            | decrypt-events.ts   | decryptEvents                                  |
 * | ShownEvent     | an event in the JSON of the API                        | show-event.ts       | showEvent                                      |
 */
import { z } from "zod";
import { deriveId } from "../crypto/id.ts";

export const actorTypes = ["api_token", "operator", "system"] as const;

export const auditActions = [
  "tenant.created",
  "tenant.relocated",
  "tenant.deletion_started",
  "tenant.deleted",
  "tenant.renamed",
  "tenant.suspended",
  "tenant.reactivated",
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
  "otp.imported",
  "otp.confirmed",
  "otp.verified",
  "otp.disabled",
  "otp.removed",
  "authenticator.added",
  "authenticator.renamed",
  "authenticator.removed",
  "backup_codes.generated",
  "passkey.registered",
  "passkey.verified",
  "passkey.renamed",
  "passkey.removed",
  "device.remembered",
  "device.removed",
  "session.assessed",
  "session.judged",
  "session.imported",
  "secrets.exported",
  "audit.exported",
  "audit.read",
  "personal.expired",
  "request.refused",
  "webhook.created",
  "webhook.changed",
  "webhook.rotated",
  "webhook.replayed",
  "webhook.disabled",
  "webhook.removed",
  "stream.created",
  "stream.changed",
  "stream.replayed",
  "stream.removed",
] as const;
export type AuditAction = (typeof auditActions)[number];

/**
 * `success`: done. `failure`: evaluated and not accepted. `refused`: not evaluated, because a rule
 * forbids it; one event may count several of one kind (`details.count`).
 */
export const auditOutcomes = ["success", "failure", "refused"] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

export const targetTypes = ["tenant", "api_token", "identity", "webhook", "stream"] as const;

export type AuditDetails = Readonly<Record<string, string | number | boolean | null>>;

export const auditDetails: z.ZodType<AuditDetails> = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null()]),
);

const actor = z.object({ type: z.enum(actorTypes), id: z.string().nullable() });

/** The id is the API token's; null for the operator and for the service itself. */
export type Actor = Readonly<z.output<typeof actor>>;

/** The actor of a request. */
export interface RequestActor extends Actor {
  /** The tenant's own id of the person on whose behalf the request acts, from `Acting-For`. */
  readonly actingFor?: string;
}

export const personalParts = z.object({
  /** Absent if the event is about the tenant, and not about an identity. */
  external_id: z.string().exactOptional(),
  /** Address and user agent of the session, if the event is about one. */
  address: z.string().exactOptional(),
  agent: z.string().exactOptional(),
  /** The person on whose behalf the actor acted. */
  acting_for: z.string().exactOptional(),
});

/**
 * What an event says about persons. It is sealed under a day key and the audit key of the identity, or of the tenant if
 * the event is about no identity. The erasure of the user, or the deletion of the tenant, destroys the audit key; the
 * day key expires.
 */
export type PersonalParts = Readonly<z.output<typeof personalParts>>;

const sealedParts = z.object({
  /** The name of the key that sealed them; see derived-key.ts. */
  personalKey: z.string(),
  /** The parts in a box under it. */
  personal: z.string(),
  /** What the leaf commits to. */
  personalDigest: z.string(),
});

/** Personal parts as they are stored. */
export type SealedParts = Readonly<z.output<typeof sealedParts>>;

/** The personal part that names the person on whose behalf the actor acted, if the request named one. */
export function actingForOf({ actingFor }: RequestActor): Pick<PersonalParts, "acting_for"> {
  return actingFor === undefined ? {} : { acting_for: actingFor };
}

/** What happened. Time, actor and request are those of the call, unless the entry has its own. */
export interface AuditEntry {
  readonly action: AuditAction;
  readonly outcome: AuditOutcome;
  readonly reason?: string;
  readonly details?: AuditDetails;
  /** Unix ms. */
  readonly at?: number;
  readonly actor?: RequestActor;
  readonly requestId?: string;
  /** The session that the event is about. */
  readonly session?: { readonly address?: string; readonly agent?: string };
}

const acceptedStep = z.object({
  /** The id of the primary secret. It tells the secret of the code from earlier ones. */
  secretId: z.string(),
  timeStep: z.int(),
});

/** The time step of an accepted TOTP code. A record in D1 may be older than it. */
export type AcceptedStep = Readonly<z.output<typeof acceptedStep>>;

/** Reads an event from an outbox. Older builds had no personal parts and stored the external_id in the target. */
export const auditEventSchema = z
  .object({
    id: z.string(),
    tenantId: z.string(),
    /** Unix ms. */
    at: z.int(),
    actor,
    action: z.enum(auditActions),
    target: z.object({
      type: z.enum(targetTypes),
      id: z.string(),
      externalId: z.string().nullish(),
    }),
    personal: personalParts.nullish(),
    /** In place of `personal`, if the parts were sealed before the event was recorded. */
    sealed: sealedParts.exactOptional(),
    outcome: z.enum(auditOutcomes),
    reason: z.string().nullable(),
    requestId: z.string().nullable(),
    details: auditDetails,
    /** What an accepted code has spent. It is no part of the filed event. */
    accepted: acceptedStep.exactOptional(),
  })
  .transform(({ target: { externalId, ...target }, personal, ...event }) => {
    const named: PersonalParts | null = externalId == null ? null : { external_id: externalId };
    return { ...event, target, personal: personal ?? named };
  });

export type AuditEvent = Readonly<z.output<typeof auditEventSchema>>;

const stampedEvent = z.strictObject({
  tenantId: z.string(),
  id: z.string(),
  /** Unix ms. */
  at: z.int(),
  actorType: z.enum(actorTypes),
  actorId: z.string().nullable(),
  action: z.enum(auditActions),
  targetType: z.enum(targetTypes),
  targetId: z.string(),
  /** The name of the key (derived-key.ts), the parts in a box under it, and what the leaf commits to. */
  personalKey: z.string().nullable(),
  personal: z.string().nullable(),
  personalDigest: z.string().nullable(),
  outcome: z.enum(auditOutcomes),
  reason: z.string().nullable(),
  requestId: z.string().nullable(),
  details: auditDetails,
  stamp: z.string(),
});

export type StampedEvent = Readonly<z.output<typeof stampedEvent>>;

/** An event on its way to its log. */
export type FiledEvent = StampedEvent & {
  /** Filed beside the event, and no part of it. */
  readonly accepted?: AcceptedStep;
  /**
   * Only for an event that is probably filed already: when it was written, real time, Unix ms. If D1 has no events of
   * that time any more, it is in the archive.
   */
  readonly repeatedSince?: number;
};

const { tenantId: storedTenantId, ...storedFields } = stampedEvent.shape;

/** Reads a line of the archive. The archive writes the fields in this order. */
export const storedEventSchema = z.strictObject({
  tenantId: storedTenantId,
  leafIndex: z.int(),
  ...storedFields,
});

export type StoredEvent = Readonly<z.output<typeof storedEventSchema>>;

/**
 * Creates the event of a change to a tenant, its settings, its tokens or its destinations.
 * @param order the event's position among the events of one request, from 0
 */
export function createTenantEvent(
  tenantId: string,
  call: { readonly now: number; readonly actor: RequestActor; readonly requestId: string },
  target: { readonly type: Exclude<(typeof targetTypes)[number], "identity">; readonly id: string },
  entry: AuditEntry,
  order = 0,
): AuditEvent {
  const { action, outcome, reason = null, details = {} } = entry;
  const { at = call.now, actor: sender = call.actor, requestId = call.requestId } = entry;
  const { type, id } = sender;
  const personal = sender.actingFor === undefined ? null : actingForOf(sender);
  return {
    id: deriveId(at, order, tenantId, requestId, action, target.id),
    tenantId,
    at,
    actor: { type, id },
    action,
    target,
    personal,
    outcome,
    reason,
    requestId,
    details,
  };
}
