import { describe, expect, test } from "vitest";
import { assess, type RiskPolicy, type Session } from "../../src/guard/assess.ts";
import type { IdentityState, RecentAttempt } from "../../src/guard/state.ts";
import type { NetworkEvidence } from "../../src/sentinel/signals.ts";
import { model, velocityLimits, weights } from "../../src/sentinel/weights.ts";
import { call, callAt, identity, lockoutWith, minute, now, told } from "./example.ts";

const policy: RiskPolicy = { challengeAt: 0.5, denyAt: 0.8, signalsOff: [] };
const session: Session = {
  assessmentId: "bbbbbbbbbbbbbbbbbbbbbbbb",
  agent: "application",
  userId: null,
  contextDigest: "cc",
  shown: { address: "198.51.100.7", agent: "Acme/3.2" },
};
const network: NetworkEvidence = {
  facts: null,
  reservedRange: null,
  tenantList: null,
  degraded: false,
};

function assessed(
  state: IdentityState,
  changes: {
    readonly session?: Partial<Session>;
    readonly network?: Partial<NetworkEvidence>;
    readonly policy?: Partial<RiskPolicy>;
    readonly at?: number;
  } = {},
) {
  const transition = assess(
    state,
    callAt(changes.at ?? now),
    { ...session, ...changes.session },
    { ...network, ...changes.network },
    { ...policy, ...changes.policy },
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
    evidence: {
      network,
      agent: "application",
      userMismatch: false,
      identity: { failedAttempts: 0, locked: false, attempts: [1, 1, 1] },
    },
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
  const { state, entries, result } = assess(suspended, call, session, network, policy);
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
  const { record } = assessed(identity(), { network: { degraded: true } });
  expect(record).toMatchObject({ degraded: ["ip_reputation"], riskScore: 0.05, reasons: [] });
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
