import { describe, expect, test } from "vitest";
import { digestCanonicalJson } from "../../../src/crypto/canonical.ts";
import { assess, type Session } from "../../../src/guard/decisions/assess.ts";
import type { IdentityState, RecentAttempt } from "../../../src/guard/decisions/state.ts";
import type { RiskPolicy } from "../../../src/sentinel/assessment.ts";
import type { Surroundings } from "../../../src/sentinel/assessments/surroundings.ts";
import type { History } from "../../../src/sentinel/history.ts";
import { findReasons } from "../../../src/sentinel/signals/reasons.ts";
import { model, velocityLimits, weights } from "../../../src/sentinel/weights.ts";
import {
  neutralEvidence,
  day,
  usualContext,
  hour,
  createSession as knownSession,
  createLogins,
  strangerContext,
} from "../../sentinel/example.ts";
import { call, callAt, identity, lockoutWith, minute, now, told } from "./example.ts";

const policy: RiskPolicy = { challengeAt: 0.5, denyAt: 0.8, signalsOff: [] };
const session: Session = {
  assessmentId: "bbbbbbbbbbbbbbbbbbbbbbbb",
  agent: "application",
  userId: null,
  contextDigest: "cc",
  shown: { address: "198.51.100.7", agent: "Acme/3.2" },
};
const surroundings: Surroundings = {
  context: usualContext,
  network: neutralEvidence.network,
  population: null,
  crowd: neutralEvidence.crowd,
  populationUnread: false,
  degraded: [],
};

function assessed(
  state: IdentityState,
  changes: {
    readonly session?: Partial<Session>;
    readonly surroundings?: Partial<Surroundings>;
    readonly history?: History;
    readonly policy?: Partial<RiskPolicy>;
    readonly at?: number;
  } = {},
) {
  const transition = assess(
    state,
    callAt(changes.at ?? now),
    { ...session, ...changes.session },
    { ...surroundings, ...changes.surroundings },
    { ...policy, ...changes.policy },
    changes.history ?? [],
  );
  if (!transition.result.ok) throw new Error(transition.result.error.code);
  return { ...transition, record: transition.result.value };
}

function signalsOf(...of: Parameters<typeof assessed>): string[] {
  return assessed(...of).record.reasons.map(({ signal }) => signal);
}

function recent(times: number, ago: number, kind: RecentAttempt["kind"] = "assessed") {
  return Array.from({ length: times }, () => ({ at: now - ago, kind }));
}

test("a session without evidence scores 0.05 and is allowed", () => {
  const { record, entries } = assessed(identity());
  expect(record).toEqual({
    tenantId: call.tenantId,
    identityId: call.identityId,
    id: session.assessmentId,
    at: now,
    model,
    riskScore: 0.05,
    recommendation: "allow",
    reasons: [],
    degraded: [],
    evidence: neutralEvidence,
    evidenceDigest: digestCanonicalJson(neutralEvidence),
    policy,
    contextDigest: "cc",
  });
  expect(told(entries)).toEqual(["session.assessed success allow"]);
  expect(entries[0]?.details).toEqual({ assessment_id: record.id, risk_score: 0.05 });
});

test("an assessment changes no security state, and is remembered", () => {
  const state = identity({
    ...lockoutWith({ failedAttempts: 6, failuresThisRound: 1, locks: 1, lockedUntil: now + 1 }),
    refusals: [
      {
        action: "otp.verified",
        reason: "user_locked",
        unreported: 3,
        reports: 2,
        lastAt: now,
        lastActor: call.actor,
        lastRequestId: "r",
      },
    ],
  });
  expect(assessed(state).state).toEqual({ ...state, recent: [{ at: now, kind: "assessed" }] });
});

test("a suspended user's session is refused", () => {
  const suspended = identity({ status: "suspended" });
  const { state, entries, result } = assess(suspended, call, session, surroundings, policy, []);
  expect(result).toEqual({ ok: false, error: { code: "user_suspended" } });
  expect(told(entries)).toEqual(["session.assessed refused user_suspended"]);
  expect({ ...state, refusals: [] }).toEqual(suspended);
});

describe("the session's user id", () => {
  test("is a signal when it is not this identity's external_id, to the letter", () => {
    const state = identity({ externalId: "Alice" });
    expect(signalsOf(state, { session: { userId: "Alice" } })).toEqual([]);
    expect(signalsOf(state, { session: { userId: null } })).toEqual([]);
    for (const userId of ["alice", "Alice ", "", "Bob"]) {
      expect(signalsOf(state, { session: { userId } })).toEqual(["user_mismatch"]);
    }
  });
});

describe("the guard's own facts", () => {
  test("are the failures in a row and a lock that holds", () => {
    const state = identity(lockoutWith({ failedAttempts: 2, locks: 1, lockedUntil: now + 1 }));
    expect(signalsOf(state)).toEqual(["locked", "recent_failures"]);
    expect(signalsOf(state, { at: now + 1 })).toEqual(["recent_failures"]);
  });

  test.each(velocityLimits)("are more than $attempts attempts in one $name", (limit) => {
    const ago = limit.windowSeconds * 1_000 - 1;
    // This assessment is one attempt more.
    const enough = identity({ recent: recent(limit.attempts - 1, ago) });
    expect(signalsOf(enough)).toEqual([]);
    const oneMore = identity({ recent: recent(limit.attempts, ago) });
    expect(assessed(oneMore).record.reasons).toMatchObject([
      { signal: "velocity", contribution: weights.velocity },
    ]);
    const justOlder = identity({ recent: recent(limit.attempts, ago + 1) });
    expect(signalsOf(justOlder)).toEqual([]);
  });

  test("count codes of every outcome like assessments", () => {
    const [{ attempts }] = velocityLimits;
    for (const kind of ["success", "failure", "refused", "assessed"] as const) {
      expect(signalsOf(identity({ recent: recent(attempts, 1_000, kind) }))).toEqual(["velocity"]);
    }
  });

  test("leave out what is of a later clock", () => {
    const later = assessed(identity({ recent: recent(100, -1) }));
    expect(later.record.reasons).toEqual([]);
    expect(later.state.recent).toEqual([{ at: now, kind: "assessed" }]);
  });

  test("grow with each window that is passed", () => {
    const most = Math.max(...velocityLimits.map(({ attempts }) => attempts));
    const { record } = assessed(identity({ recent: recent(most, 1_000) }));
    expect(record.reasons).toMatchObject([
      { signal: "velocity", contribution: weights.velocity * velocityLimits.length },
    ]);
  });
});

test("at most a hundred attempts of the last hour are remembered, the newest", () => {
  const state = identity({ recent: [...recent(50, 61 * minute), ...recent(100, 1_000)] });
  const after = assessed(state).state;
  expect(after.recent).toHaveLength(100);
  expect(after.recent.at(-1)).toEqual({ at: now, kind: "assessed" });
  expect(after.recent.every(({ at }) => at >= now - 1_000)).toBe(true);
});

test("lists that could not be asked are named, and are no evidence", () => {
  const nothing = { degraded: ["ip_reputation", "address_activity"] as const, crowd: null };
  const { record } = assessed(identity(), { surroundings: nothing });
  expect(record).toMatchObject({ degraded: nothing.degraded, riskScore: 0.05, reasons: [] });
});

test("the tenant's policy decides what is recommended and what is asked", () => {
  const scripted = { session: { agent: "scripted" as const } };
  const { record } = assessed(identity(), scripted);
  expect(record.recommendation).toBe("allow");
  const { riskScore } = record;
  const strict = { ...scripted, policy: { challengeAt: 0.1, denyAt: riskScore } };
  expect(assessed(identity(), strict).record.recommendation).toBe("deny");
  const medium = { ...scripted, policy: { challengeAt: riskScore, denyAt: 0.9 } };
  expect(assessed(identity(), medium).record.recommendation).toBe("challenge");
  const off = { ...scripted, policy: { signalsOff: ["agent_scripted"] } };
  expect(assessed(identity(), off).record).toMatchObject({ riskScore: 0.05, reasons: [] });
});

describe("what the identity is known by", () => {
  const known = createLogins(10, day);

  test("speaks for the usual session and against a stranger's", () => {
    const usual = assessed(identity(), { history: known }).record;
    const strange = assessed(identity(), {
      history: known,
      surroundings: { context: strangerContext },
    }).record;
    expect(usual.riskScore).toBeLessThan(0.01);
    expect(strange.riskScore).toBeGreaterThan(0.5);
    expect(strange.reasons.map(({ signal }) => signal)).toEqual(
      expect.arrayContaining(["network_history", "agent_history"]),
    );
  });

  test("is only what was confirmed, and not of a later clock", () => {
    const unconfirmed = known.map((one) => ({ ...one, verdict: null }));
    expect(assessed(identity(), { history: unconfirmed }).record.evidence.behaviour).toBeNull();
    const later = known.map((one) => ({ ...one, at: one.at + 30 * day }));
    expect(assessed(identity(), { history: later }).record.evidence.behaviour).toBeNull();
  });

  test("gains the session, unconfirmed", () => {
    const { history, record } = assessed(identity(), { history: known });
    expect(history).toEqual([
      ...known,
      { id: record.id, at: now, verdict: null, context: surroundings.context },
    ]);
  });

  test("shows a session that shares an address with a reported fraud", () => {
    const fraud = knownSession({ id: "f", verdict: "fraud", context: strangerContext });
    const context = { ...usualContext, address: strangerContext.address };
    expect(signalsOf(identity(), { history: [fraud], surroundings: { context } })).toEqual([
      "reported_fraud",
    ]);
  });

  test("shows another system at the address minutes ago, confirmed or not, but not hours ago", () => {
    const minutesAgo = (ago: number) => [
      knownSession({
        id: "b",
        verdict: null,
        at: now - ago,
        context: { ...usualContext, os: "Linux" },
      }),
    ];
    expect(signalsOf(identity(), { history: minutesAgo(5 * minute) })).toEqual(["agent_switch"]);
    expect(signalsOf(identity(), { history: minutesAgo(hour) })).toEqual([]);
    const elsewhere = { ...usualContext, address: "address-2" };
    const moved = { history: minutesAgo(5 * minute), surroundings: { context: elsewhere } };
    expect(signalsOf(identity(), moved)).toEqual([]);
  });

  test("shows a journey nobody can make, except behind an exit that hides the place", () => {
    const history = createLogins(3, hour);
    const far = { context: strangerContext };
    const { evidence } = assessed(identity(), { history, surroundings: far }).record;
    expect(evidence.travel?.kilometres).toBeGreaterThan(5_000);
    const hidden = { context: { ...strangerContext, placeHidden: true } };
    const behind = assessed(identity(), { history, surroundings: hidden }).record;
    expect(behind.evidence.travel).toBeNull();
    // Nor from one: the last session with a place counts, and home again is no journey.
    const exit = knownSession({
      id: "exit",
      at: now - 60_000,
      context: { ...strangerContext, placeHidden: true },
    });
    const back = assessed(identity(), { history: [...history, exit] }).record;
    expect(back.evidence.travel).toBeNull();
  });
});

test("an assessment holds all that its score is made from", () => {
  const { record } = assessed(identity(), {
    history: createLogins(4, 3 * hour),
    surroundings: { context: strangerContext },
  });
  const stored: typeof record.evidence = JSON.parse(JSON.stringify(record.evidence));
  expect(findReasons(stored, record.policy.signalsOff)).toEqual(record.reasons);
  expect(digestCanonicalJson(stored)).toBe(record.evidenceDigest);
});

test("a population nobody read is missed only by who has a history", () => {
  const unread = { populationUnread: true };
  expect(assessed(identity(), { surroundings: unread }).record.degraded).toEqual([]);
  const known = assessed(identity(), { surroundings: unread, history: createLogins(2, day) });
  expect(known.record.degraded).toEqual(["population"]);
});
