/** Sessions of one user, assessed by the guard's own decision, for tests of what Sentinel learns. */
import { assess } from "../../src/guard/decisions/assess.ts";
import { create } from "../../src/guard/decisions/lifecycle.ts";
import type { GuardCall } from "../../src/guard/decisions/transition.ts";
import type { DecidedAssessment } from "../../src/sentinel/assessment.ts";
import type { Context } from "../../src/sentinel/context.ts";
import type { SessionEvidence } from "../../src/sentinel/evidence.ts";
import { addSession, type History } from "../../src/sentinel/history.ts";
import { defaultPolicy } from "../../src/tenancy/policy.ts";
import { neutralEvidence, now } from "./example.ts";

function callAt(at: number): GuardCall {
  return {
    tenantId: "tenant",
    identityId: "identity",
    now: at,
    requestId: "request",
    actor: { type: "api_token", id: null },
    jurisdiction: null,
    requestKey: null,
  };
}

/** What the guard would decide about a session with this history, and the history after it. */
export function assessWith(
  history: History,
  context: Context,
  at = now,
  network: SessionEvidence["network"] = neutralEvidence.network,
): { readonly assessment: DecidedAssessment; readonly history: History } {
  const call = callAt(at);
  const { state } = create(call, "user");
  const session = {
    assessmentId: `${history.length}-${at}`,
    agent: "browser",
    userId: null,
    passkeys: defaultPolicy.passkeys,
    shown: { address: "198.51.100.7", agent: "agent" },
  } as const;
  const surroundings = {
    context,
    network,
    population: null,
    populationUnread: false,
    crowd: { fromAddress: 1, fromPrefix: 1 },
    degraded: [],
  };
  const { assessment, history: next } = assess(
    state,
    call,
    session,
    surroundings,
    defaultPolicy.sentinel,
    history,
  );
  if (assessment === undefined || next === undefined) throw new Error("The guard refused");
  return { assessment, history: next };
}

/** A user whose sessions arrive one after the other. */
export class SessionCourse {
  history: History = [];
  #id = "";

  assess(context: Context, at: number, network?: SessionEvidence["network"]): DecidedAssessment {
    const { assessment, history } = assessWith(this.history, context, at, network);
    this.history = history;
    this.#id = assessment.id;
    return assessment;
  }

  /** A code is verified for the last session. */
  confirm(at: number): void {
    const session = this.history.find(({ id }) => id === this.#id);
    if (session === undefined) throw new Error("The session is not in the history");
    this.history = addSession(this.history, { ...session, verdict: "legitimate" }, at);
  }
}
