import { describe, expect, test } from "vitest";
import { assess, type Session } from "../../../src/guard/decisions/assess.ts";
import { completeAssessed, hasStanding } from "../../../src/guard/decisions/standing.ts";
import type { IdentityState, RecentAttempt } from "../../../src/guard/decisions/state.ts";
import type { RiskPolicy } from "../../../src/sentinel/assessment.ts";
import type { Surroundings } from "../../../src/sentinel/assessments/surroundings.ts";
import type { History } from "../../../src/sentinel/history.ts";
import { signalNames } from "../../../src/sentinel/reason.ts";
import { describeReasons, judge } from "../../../src/sentinel/signals/judgement.ts";
import { findReasons } from "../../../src/sentinel/signals/reasons.ts";
import { formatContent, parseContent } from "../../../src/sentinel/stored-assessment.ts";
import { model, velocityLimits, weights } from "../../../src/sentinel/weights.ts";
import {
  createLogins,
  day,
  hour,
  createSession as knownSession,
  neutralEvidence,
  strangerContext,
  usualContext,
} from "../../sentinel/example.ts";
import {
  buildIdentity,
  buildLockout,
  call,
  callAt,
  describeEntries,
  minute,
  now,
} from "./example.ts";

const policy: RiskPolicy = { challengeAt: 0.5, denyAt: 0.8, signalsOff: [] };
const session: Session = {
  assessmentId: "bbbbbbbbbbbbbbbbbbbbbbbb",
  agent: "application",
  userId: null,
  passkeys: { rpId: null, userVerification: "required" },
  shown: { address: "198.51.100.7", agent: "Acme/3.2" },
};
const allowEntry = { list: "allow", entry: "entry-1", network: null } as const;
const surroundings: Surroundings = {
  context: usualContext,
  network: neutralEvidence.network,
  population: null,
  crowd: neutralEvidence.crowd,
  populationUnread: false,
  degraded: [],
};

function assessWith(
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
  const { result, assessment } = transition;
  if (!result.ok) throw new Error(result.error.code);
  if (assessment === undefined) throw new Error("No assessment");
  return { ...transition, record: { ...assessment, ...result.value } };
}

function signalsOf(...args: Parameters<typeof assessWith>): string[] {
  return assessWith(...args).record.reasons.map(({ signal }) => signal);
}

function repeatAttempt(times: number, ago: number, kind: RecentAttempt["kind"] = "assessed") {
  return Array.from({ length: times }, () => ({ at: now - ago, kind }));
}

test("a session without evidence scores 0.05 and is allowed", () => {
  const { record, entries } = assessWith(buildIdentity());
  expect(record).toEqual({
    user: { status: "active", lockedUntil: null, otpStatus: record.user.otpStatus },
    factors: record.factors,
    tenantId: call.tenantId,
    identityId: call.identityId,
    id: session.assessmentId,
    at: now,
    model,
    riskScore: 0.05,
    kinds: record.kinds,
    recommendation: "allow",
    reasons: [],
    degraded: [],
    evidence: neutralEvidence,
    policy,
  });
  const { real, ...attackers } = record.kinds ?? {};
  const sum = Object.values(attackers).reduce((total, part) => total + part, 0);
  expect([real, sum]).toEqual([0.95, expect.closeTo(0.05, 10)]);
  expect(describeEntries(entries)).toEqual(["session.assessed success allow"]);
  expect(entries[0]?.details).toEqual({ assessment_id: record.id, risk_score: 0.05 });
});

test("the answer has only what the Worker shows", () => {
  const { result } = assessWith(buildIdentity());
  expect(result.ok && Object.keys(result.value).toSorted()).toEqual([
    "at",
    "degraded",
    "factors",
    "id",
    "kinds",
    "model",
    "reasons",
    "recommendation",
    "riskScore",
    "user",
  ]);
});

test("an assessment changes no security state and is added to the recent attempts", () => {
  const state = buildIdentity({
    ...buildLockout({ failedAttempts: 6, failuresThisRound: 1, locks: 1, lockedUntil: now + 1 }),
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
  expect(assessWith(state).state).toEqual({ ...state, recent: [{ at: now, kind: "assessed" }] });
});

describe("the status of the user", () => {
  const lockedUntil = now + minute;
  const locked = buildIdentity(buildLockout({ locks: 1, lockedUntil }));
  const suspended = buildIdentity({ ...locked, status: "suspended" });
  const allowed = { network: { ...neutralEvidence.network, tenantList: allowEntry } };

  test("bounds the recommendation, whatever the score and the policy are", () => {
    for (const denyAt of [0.5, 1]) {
      const lenient = { challengeAt: denyAt, denyAt, signalsOff: [...signalNames] };
      const cases = { policy: lenient, surroundings: allowed };
      expect(assessWith(buildIdentity(), cases).record.recommendation).toBe("allow");
      expect(assessWith(locked, cases).record).toMatchObject({
        recommendation: "challenge",
        reasons: [{ signal: "user_locked", contribution: 0 }],
        user: { status: "locked", lockedUntil },
      });
      expect(assessWith(suspended, cases).record).toMatchObject({
        recommendation: "deny",
        reasons: [{ signal: "user_suspended", contribution: 0 }],
        user: { status: "suspended" },
      });
    }
    const strict = { policy: { challengeAt: 0, denyAt: 0.01 } };
    expect(assessWith(locked, strict).record.recommendation).toBe("deny");
    const afterTheLock = assessWith(locked, { at: lockedUntil, surroundings: allowed });
    expect(afterTheLock.record).toMatchObject({
      recommendation: "allow",
      user: { status: "active" },
    });
  });

  test("stands in the evidence, so that a later judgement is the same", () => {
    for (const state of [locked, suspended]) {
      const { assessment } = assessWith(state, { surroundings: allowed });
      if (assessment === undefined) throw new Error("no assessment");
      const { evidence, recommendation, reasons, riskScore, kinds } = assessment;
      const stored = parseContent(formatContent(assessment));
      expect(stored?.evidence).toEqual(evidence);
      expect(judge(evidence, policy)).toEqual({ recommendation, reasons, riskScore, kinds });
      expect(describeReasons(evidence, stored?.reasons ?? [], policy)).toEqual(reasons);
      const { status: _status, ...olderIdentity } = evidence.identity;
      const older = judge({ ...evidence, identity: olderIdentity }, policy);
      expect(older.recommendation).toBe("allow");
    }
  });

  test("is no part of what D1 keeps, and completes an answer that an older build kept", () => {
    const { assessment, record } = assessWith(locked);
    if (assessment === undefined) throw new Error("no assessment");
    expect(hasStanding(assessment)).toBe(false);
    expect(hasStanding(record)).toBe(true);
    expect(completeAssessed(assessment, locked, call, session.passkeys)).toEqual(record);
  });
});

test("the factors are those of which a code could be accepted now", () => {
  const totp = { sealed: "sealed", lastTimeStep: null };
  const backupCodes = { keyVersion: 1, unspent: ["a"], spent: [] };
  const pendingTotp = { sealed: "new", expiresAt: now + 1 };
  const factorsOf = (changes: Partial<IdentityState>) =>
    assessWith(buildIdentity({ totp: null, backupCodes: null, ...changes })).record.factors;
  expect(factorsOf({})).toEqual([]);
  expect(factorsOf({ totp })).toEqual(["totp"]);
  expect(factorsOf({ backupCodes })).toEqual(["backup_code"]);
  expect(factorsOf({ totp, backupCodes })).toEqual(["totp", "backup_code"]);
  expect(factorsOf({ totp, backupCodes: { ...backupCodes, unspent: [] } })).toEqual(["totp"]);
  expect(factorsOf({ pendingTotp })).toEqual([]);
  const all = { totp, backupCodes };
  expect(factorsOf({ ...all, otpDisabled: true })).toEqual([]);
  expect(factorsOf({ ...all, otpDisabled: true, pendingTotp })).toEqual([]);
  expect(factorsOf({ ...all, status: "suspended" })).toEqual([]);
  expect(factorsOf({ ...all, ...buildLockout({ lockedUntil: now + 1 }) })).toEqual([]);
  expect(factorsOf({ ...all, ...buildLockout({ lockedUntil: now }) })).toEqual([
    "totp",
    "backup_code",
  ]);
});

describe("the session's user id", () => {
  test("is a signal unless it is exactly the identity's external_id", () => {
    const state = buildIdentity({ externalId: "Alice" });
    expect(signalsOf(state, { session: { userId: "Alice" } })).toEqual([]);
    expect(signalsOf(state, { session: { userId: null } })).toEqual([]);
    for (const userId of ["alice", "Alice ", "", "Bob"]) {
      expect(signalsOf(state, { session: { userId } })).toEqual(["user_mismatch"]);
    }
  });
});

describe("the guard's own evidence", () => {
  test("includes the consecutive failures and a current lock", () => {
    const state = buildIdentity(
      buildLockout({ failedAttempts: 2, locks: 1, lockedUntil: now + 1 }),
    );
    expect(signalsOf(state)).toEqual(["locked", "recent_failures", "user_locked"]);
    expect(signalsOf(state, { at: now + 1 })).toEqual(["recent_failures"]);
  });

  test.each(velocityLimits)("includes more than $attempts attempts in one $name", (limit) => {
    const ago = limit.windowSeconds * 1_000 - 1;
    // This assessment itself adds one attempt.
    const enough = buildIdentity({ recent: repeatAttempt(limit.attempts - 1, ago) });
    expect(signalsOf(enough)).toEqual([]);
    const oneMore = buildIdentity({ recent: repeatAttempt(limit.attempts, ago) });
    expect(assessWith(oneMore).record.reasons).toMatchObject([
      { signal: "velocity", contribution: weights.velocity },
    ]);
    const justOlder = buildIdentity({ recent: repeatAttempt(limit.attempts, ago + 1) });
    expect(signalsOf(justOlder)).toEqual([]);
  });

  test("counts codes of every outcome like assessments", () => {
    const [{ attempts }] = velocityLimits;
    for (const kind of ["success", "failure", "refused", "assessed"] as const) {
      expect(signalsOf(buildIdentity({ recent: repeatAttempt(attempts, 1_000, kind) }))).toEqual([
        "velocity",
      ]);
    }
  });

  test("ignores attempts in the future", () => {
    const later = assessWith(buildIdentity({ recent: repeatAttempt(100, -1) }));
    expect(later.record.reasons).toEqual([]);
    expect(later.state.recent).toEqual([{ at: now, kind: "assessed" }]);
  });

  test("weighs more with each window that is exceeded", () => {
    const maxAttempts = Math.max(...velocityLimits.map(({ attempts }) => attempts));
    const { record } = assessWith(buildIdentity({ recent: repeatAttempt(maxAttempts, 1_000) }));
    expect(record.reasons).toMatchObject([
      { signal: "velocity", contribution: weights.velocity * velocityLimits.length },
    ]);
  });
});

test("the state keeps the newest hundred attempts of the last hour", () => {
  const state = buildIdentity({
    recent: [...repeatAttempt(50, 61 * minute), ...repeatAttempt(100, 1_000)],
  });
  const after = assessWith(state).state;
  expect(after.recent).toHaveLength(100);
  expect(after.recent.at(-1)).toEqual({ at: now, kind: "assessed" });
  expect(after.recent.every(({ at }) => at >= now - 1_000)).toBe(true);
});

test("data that could not be read is named and does not count as evidence", () => {
  const unread = { degraded: ["ip_reputation", "address_activity"] as const, crowd: null };
  const { record } = assessWith(buildIdentity(), { surroundings: unread });
  expect(record).toMatchObject({ degraded: unread.degraded, riskScore: 0.05, reasons: [] });
});

test("the tenant's policy decides the recommendation and which signals are used", () => {
  const scripted = { session: { agent: "scripted" as const } };
  const { record } = assessWith(buildIdentity(), scripted);
  expect(record.recommendation).toBe("allow");
  const { riskScore } = record;
  const strict = { ...scripted, policy: { challengeAt: 0.1, denyAt: riskScore } };
  expect(assessWith(buildIdentity(), strict).record.recommendation).toBe("deny");
  const medium = { ...scripted, policy: { challengeAt: riskScore, denyAt: 0.9 } };
  expect(assessWith(buildIdentity(), medium).record.recommendation).toBe("challenge");
  const off = { ...scripted, policy: { signalsOff: ["agent_scripted"] } };
  expect(assessWith(buildIdentity(), off).record).toMatchObject({ riskScore: 0.05, reasons: [] });
});

describe("the history of the identity", () => {
  const known = createLogins(10, day);

  test("lowers the risk of a familiar session and raises the risk of a strange one", () => {
    const usual = assessWith(buildIdentity(), { history: known }).record;
    const strange = assessWith(buildIdentity(), {
      history: known,
      surroundings: { context: strangerContext },
    }).record;
    expect(usual.riskScore).toBeLessThan(0.01);
    expect(strange.riskScore).toBeGreaterThan(0.5);
    expect(strange.reasons.map(({ signal }) => signal)).toEqual(
      expect.arrayContaining(["network_history", "agent_history"]),
    );
  });

  test("counts only confirmed sessions of the past", () => {
    const unconfirmed = known.map((one) => ({ ...one, verdict: null }));
    expect(
      assessWith(buildIdentity(), { history: unconfirmed }).record.evidence.behaviour,
    ).toBeNull();
    const later = known.map((one) => ({ ...one, at: one.at + 30 * day }));
    expect(assessWith(buildIdentity(), { history: later }).record.evidence.behaviour).toBeNull();
  });

  test("gets the session as an unconfirmed one", () => {
    const { history, record } = assessWith(buildIdentity(), { history: known });
    const risk = { score: record.riskScore, recommendation: record.recommendation };
    expect(history).toEqual([
      ...known,
      { id: record.id, at: now, verdict: null, context: surroundings.context, risk },
    ]);
  });

  test("reveals a session that shares an address with a reported fraud", () => {
    const fraud = knownSession({ id: "f", verdict: "fraud", context: strangerContext });
    const context = { ...usualContext, address: strangerContext.address };
    expect(signalsOf(buildIdentity(), { history: [fraud], surroundings: { context } })).toEqual([
      "reported_fraud",
    ]);
  });

  test("has sessions of older builds at the whole IPv6 address, which are known at its /64", () => {
    const history = createLogins(3, day, { ...usualContext, address: "whole-1" });
    const knownLevels = (formerAddress?: string) => {
      const former = formerAddress === undefined ? {} : { formerAddress };
      const { record, history: stored } = assessWith(buildIdentity(), {
        history,
        surroundings: former,
      });
      expect(stored?.slice(0, 3)).toEqual(history);
      const { network = [] } = record.evidence.behaviour ?? {};
      return network.filter(({ seen }) => seen).map(({ level }) => level);
    };
    expect(knownLevels("whole-1")).toEqual(["country", "asn", "prefix", "address"]);
    expect(knownLevels("whole-2")).toEqual(["country", "asn", "prefix"]);
    expect(knownLevels()).toEqual(["country", "asn", "prefix"]);
  });

  test("reveals another operating system at the address within minutes, confirmed or not, but not within hours", () => {
    const minutesAgo = (ago: number) => [
      knownSession({
        id: "b",
        verdict: null,
        at: now - ago,
        context: { ...usualContext, os: "Linux" },
      }),
    ];
    expect(signalsOf(buildIdentity(), { history: minutesAgo(5 * minute) })).toEqual([
      "agent_switch",
    ]);
    expect(signalsOf(buildIdentity(), { history: minutesAgo(hour) })).toEqual([]);
    const elsewhere = { ...usualContext, address: "address-2" };
    const moved = { history: minutesAgo(5 * minute), surroundings: { context: elsewhere } };
    expect(signalsOf(buildIdentity(), moved)).toEqual([]);
  });

  test("reveals impossible travel, except behind an exit that hides the coordinates", () => {
    const history = createLogins(3, hour);
    const far = { context: strangerContext };
    const { evidence } = assessWith(buildIdentity(), { history, surroundings: far }).record;
    expect(evidence.travel?.kilometres).toBeGreaterThan(5_000);
    const hidden = { context: { ...strangerContext, placeHidden: true } };
    const behind = assessWith(buildIdentity(), { history, surroundings: hidden }).record;
    expect(behind.evidence.travel).toBeNull();
    // A session behind such an exit is skipped: only the last session with coordinates counts.
    const exit = knownSession({
      id: "exit",
      at: now - 60_000,
      context: { ...strangerContext, placeHidden: true },
    });
    const back = assessWith(buildIdentity(), { history: [...history, exit] }).record;
    expect(back.evidence.travel).toBeNull();
  });
});

test("an assessment contains everything from which its score is computed", () => {
  const { record } = assessWith(buildIdentity(), {
    history: createLogins(4, 3 * hour),
    surroundings: { context: strangerContext },
  });
  const stored: typeof record.evidence = JSON.parse(JSON.stringify(record.evidence));
  expect(findReasons(stored, record.policy.signalsOff)).toEqual(record.reasons);
});

test("an unread population degrades an assessment only if the identity has a history", () => {
  const unread = { populationUnread: true };
  expect(assessWith(buildIdentity(), { surroundings: unread }).record.degraded).toEqual([]);
  const known = assessWith(buildIdentity(), {
    surroundings: unread,
    history: createLogins(2, day),
  });
  expect(known.record.degraded).toEqual(["population"]);
});
