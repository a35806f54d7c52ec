/** The session that the backend names with an attempt: a code or the answer of a passkey. */
import { createInvalidRequest } from "../errors.ts";
import type { GuardCall } from "../guard/decisions/transition.ts";
import { cleanAgent } from "../sentinel/agent-text.ts";
import { assessedIdentityOf } from "../sentinel/assessment.ts";
import type { Address } from "../sentinel/network/address.ts";

interface NamedSession {
  readonly assessment_id?: string | undefined;
  readonly context?: { readonly ip: Address; readonly ua: string } | undefined;
}

/**
 * The part of the guard's call that names the session, if the request names one.
 * @param group the group of the body that the fields are in
 * @throws AppError `invalid_request` if the assessment is one of another user
 */
export function buildAttemptSession(
  { assessment_id: assessmentId, context }: NamedSession,
  identityId: string,
  group: "otp" | "passkey",
): Pick<GuardCall, "session"> {
  if (assessmentId !== undefined && assessedIdentityOf(assessmentId) !== identityId) {
    const path = `${group}.assessment_id`;
    throw createInvalidRequest([{ path, message: "belongs to another user" }]);
  }
  if (assessmentId === undefined && context === undefined) return {};
  return {
    session: {
      ...(assessmentId === undefined ? {} : { assessmentId }),
      ...(context && { address: context.ip.text, agent: cleanAgent(context.ua).text }),
    },
  };
}
