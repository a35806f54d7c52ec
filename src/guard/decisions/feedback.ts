/** Verdicts on assessed sessions (pure): feedback from the tenant, or a code verified for the session. */
import type { VerdictRecord } from "../../sentinel/assessment.ts";
import {
  addSession,
  type History,
  type KnownSession,
  maxUnconfirmedAgeMs,
  type Verdict,
} from "../../sentinel/history.ts";
import { type AddedDevice, removeDevices } from "./devices.ts";
import type { IdentityState } from "./state.ts";
import { type GuardCall, succeed, type Transition } from "./transition.ts";

function applyVerdict(
  history: History,
  session: KnownSession,
  verdict: Verdict,
  source: VerdictRecord["source"],
  { now }: GuardCall,
) {
  return {
    history: addSession(history, { ...session, verdict }, now),
    verdict: {
      assessmentId: session.id,
      verdict,
      source,
      at: now,
      isFirst: session.verdict === null,
    },
  };
}

/** The session that a verdict is about, as it was before. */
export type JudgedSession = Pick<KnownSession, "at" | "context" | "verdict">;

/**
 * Records the tenant's verdict. A later verdict replaces an earlier one. Fraud removes the known device of the session,
 * and those that were remembered in it.
 */
export function recordFeedback(
  state: IdentityState,
  call: GuardCall,
  history: History,
  session: KnownSession,
  verdict: Verdict,
): Transition<JudgedSession> {
  const removal = removeDevices(
    state,
    "fraud",
    ({ id, assessmentId }) =>
      verdict === "fraud" && (id === session.deviceId || assessmentId === session.id),
  );
  const hasRemoved = removal.entries.length > 0;
  return {
    // Besides, feedback changes no security state.
    state: hasRemoved ? { ...state, ...removal.change, updatedAt: call.now } : state,
    entries: [
      {
        action: "session.judged",
        outcome: "success",
        reason: verdict,
        details: { assessment_id: session.id },
      },
      ...removal.entries,
    ],
    result: succeed({ at: session.at, context: session.context, verdict: session.verdict }),
    ...applyVerdict(history, session, verdict, "feedback", call),
  };
}

/** What an accepted attempt answers besides, if the session that it names was found. */
export interface AddedRisk {
  readonly risk?: KnownSession["risk"];
}

/** Adds the risk of the session that an attempt was for to the answer, if it was accepted. */
export function addRisk<T extends object>(
  verified: Transition<T>,
  { risk }: KnownSession,
): Transition<T & AddedRisk> {
  const { result } = verified;
  return !result.ok || risk === undefined
    ? verified
    : { ...verified, result: { ...result, value: { ...result.value, risk } } };
}

/**
 * Confirms the session that a code was verified for as legitimate, and notes the device that it came from. A session
 * that is a day old or was reported as fraud stays as it is; the code is accepted in either case.
 */
export function confirmSession<T extends AddedDevice>(
  verified: Transition<T>,
  call: GuardCall,
  history: History,
  assessed: KnownSession,
): Transition<T> {
  const session = history.find(({ id }) => id === assessed.id) ?? assessed;
  const isOld = session.at <= call.now - maxUnconfirmedAgeMs;
  if (!verified.result.ok || isOld || session.verdict === "fraud") return verified;
  const { device } = verified.result.value;
  const onDevice = device?.status === "known" ? { ...session, deviceId: device.id } : session;
  return {
    ...verified,
    ...applyVerdict(history, onDevice, "legitimate", "verification", call),
  };
}
