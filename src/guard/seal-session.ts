/** Seals the session of a call for its event, before the guard decides. */
import { actingForOf } from "../audit/event.ts";
import { sealParts } from "../audit/personal.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { AttemptSession, IdentityState } from "./decisions/state.ts";
import type { GuardCall } from "./decisions/transition.ts";
import type { AuditKeys } from "./delivery/audit-keys.ts";

/**
 * Seals what the event will say of persons, if that includes an address or an agent: what waits for its delivery
 * is in the guard's storage. Never throws: without an audit key that opens, the delivery seals it.
 */
export async function sealSession(
  auditKeys: AuditKeys,
  sealingKeys: Keyring,
  call: GuardCall,
  { externalId, auditKey }: IdentityState,
  { address, agent }: Omit<AttemptSession, "assessmentId"> = {},
): Promise<GuardCall> {
  if (auditKey === null || (address === undefined && agent === undefined)) return call;
  const session = {
    ...(address === undefined ? {} : { address }),
    ...(agent === undefined ? {} : { agent }),
  };
  const personal = { external_id: externalId, ...session, ...actingForOf(call.actor) };
  try {
    const key = await auditKeys.open(sealingKeys, call, auditKey);
    return { ...call, sealedSession: { session, parts: await sealParts(key, call, personal) } };
  } catch {
    return call;
  }
}
