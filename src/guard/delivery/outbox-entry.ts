/** The entry that a transition adds to the outbox. */
import { type AuditEvent, actingForOf, type RequestActor } from "../../audit/event.ts";
import { createOrderedId } from "../../crypto/id.ts";
import type { PasskeyClaim } from "../../identity/passkey-claim.ts";
import type { DecidedAssessment, VerdictRecord } from "../../sentinel/assessment.ts";
import type { IdentityState } from "../decisions/state.ts";
import type { EventEntry, GuardCall, Transition } from "../decisions/transition.ts";

/** What one transaction of a guard adds to its outbox. */
export interface OutboxEntry {
  readonly events: readonly AuditEvent[];
  readonly assessment?: DecidedAssessment;
  readonly verdict?: VerdictRecord;
  /** Claims of passkeys that the identity no longer has. */
  readonly releasedClaims?: readonly PasskeyClaim[];
  /** Whether the queue may deliver it. */
  readonly mayQueue?: boolean;
}

/** An entry that D1 does not have, and its number: the version of the state that it was written with. */
export interface WaitingEntry extends OutboxEntry {
  readonly seq: number;
  /** Real time, Unix ms. Entries of older builds have none. */
  readonly writtenAt?: number;
}

/**
 * More events than one change has, which may report many runs of refusals and remove all devices. Ids sort by version
 * and then by index.
 */
const maxEventsPerVersion = 64;

/** The personal parts, sealed if they were sealed for this entry under the user's audit key. */
function personalOf(
  { status, externalId, auditKey }: IdentityState,
  { session, actor: ownActor }: EventEntry,
  actor: RequestActor,
  call: GuardCall | undefined,
): Pick<AuditEvent, "personal" | "sealed"> {
  if (status === "erased") return { personal: null };
  const sealed = call?.sealedSession;
  const isSealed =
    sealed !== undefined &&
    session !== undefined &&
    ownActor === undefined &&
    sealed.session.address === session.address &&
    sealed.session.agent === session.agent &&
    sealed.parts.personalKey === auditKey?.id;
  if (isSealed) return { personal: null, sealed: sealed.parts };
  return { personal: { external_id: externalId, ...session, ...actingForOf(actor) } };
}

function eventOf(
  state: IdentityState,
  version: number,
  index: number,
  entry: EventEntry,
  call: GuardCall | undefined,
): AuditEvent {
  const { tenantId, identityId } = state;
  const at = entry.at ?? call?.now ?? state.updatedAt;
  const actor = entry.actor ?? call?.actor ?? { type: "system", id: null };
  return {
    // It is stored with the event, so each delivery has the same id.
    id: createOrderedId(at, version * maxEventsPerVersion + index),
    tenantId,
    at,
    actor: { type: actor.type, id: actor.id },
    action: entry.action,
    target: { type: "identity", id: identityId },
    ...personalOf(state, entry, actor, call),
    outcome: entry.outcome,
    reason: entry.reason ?? null,
    requestId: entry.requestId ?? call?.requestId ?? null,
    details: entry.details ?? {},
    ...(entry.accepted === undefined ? {} : { accepted: entry.accepted }),
  };
}

/**
 * The outbox entry of a transition; undefined when it has no events.
 * @param version the version of the new state
 * @param call undefined when the guard acts by itself
 * @param mayQueue whether the queue may deliver it
 */
export function buildOutboxEntry(
  { state, entries, assessment, verdict, releasedClaims }: Transition<unknown>,
  version: number,
  call: GuardCall | undefined,
  mayQueue: boolean,
): OutboxEntry | undefined {
  if (entries.length === 0) return undefined;
  return {
    events: entries.map((entry, index) => eventOf(state, version, index, entry, call)),
    ...(assessment === undefined ? {} : { assessment }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(releasedClaims === undefined ? {} : { releasedClaims }),
    ...(mayQueue ? { mayQueue } : {}),
  };
}
