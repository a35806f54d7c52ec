import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyChange,
  refusalReportDelayOf,
  refuse,
  reportRefusals,
} from "../../../src/guard/decisions/refusals.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import { type EventEntry, succeed } from "../../../src/guard/decisions/transition.ts";
import { buildIdentity, call, callAt, describeEntries, minute, now } from "./example.ts";

const suspended = { code: "user_suspended" } as const;
const locked = { code: "user_locked", lockedUntil: now + minute } as const;

function countOf({ details }: EventEntry): number {
  const count = details?.count;
  return typeof count === "number" ? count : 0;
}

/** Returns the state after this many refused codes, one per second. */
function refuseRepeatedly(times: number): IdentityState {
  let state = buildIdentity();
  for (let second = 0; second < times; second += 1) {
    state = refuse(state, callAt(now + second * 1_000), "otp.verified", locked).state;
  }
  return state;
}

describe("a refusal", () => {
  test("answers with its error and changes only the count", () => {
    const before = buildIdentity();
    const { state, result } = refuse(before, call, "otp.configured", suspended);
    expect(result).toEqual({ ok: false, error: suspended });
    expect({ ...state, refusals: [] }).toEqual(before);
  });

  test("is added to the recent attempts only if it refuses a code", () => {
    const code = refuse(buildIdentity(), call, "otp.verified", locked).state;
    expect(code.recent).toEqual([{ at: now, kind: "refused" }]);
    const other = refuse(buildIdentity(), call, "otp.removed", {
      code: "otp_not_configured",
    }).state;
    expect(other.recent).toEqual([]);
  });

  test("is reported at once if it is the first of its kind", () => {
    const { state, entries } = refuse(buildIdentity(), call, "otp.verified", locked);
    expect(describeEntries(entries)).toEqual(["otp.verified refused user_locked"]);
    expect(entries.map(countOf)).toEqual([1]);
    expect(refusalReportDelayOf(state)).toBeUndefined();
  });

  test("is counted and not reported if it follows another of its kind", () => {
    const first = refuseRepeatedly(1);
    const { state, entries } = refuse(first, callAt(now + 1), "otp.verified", locked);
    expect(entries).toEqual([]);
    expect(refusalReportDelayOf(state)).toBe(5_000);
  });

  test("is reported at once if its action or reason differs", () => {
    const first = refuseRepeatedly(3);
    const otherReason = refuse(first, call, "otp.verified", suspended);
    expect(describeEntries(otherReason.entries)).toEqual(["otp.verified refused user_suspended"]);
    const otherAction = refuse(otherReason.state, call, "otp.configured", suspended);
    expect(describeEntries(otherAction.entries)).toEqual(["otp.configured refused user_suspended"]);
  });
});

describe("refusals of many actors", () => {
  const callBy = (actor: number) => ({
    ...callAt(now + actor),
    actor: { type: "api_token", id: `actor ${actor}` } as const,
  });
  const refuseFor = (actors: number): IdentityState =>
    Array.from({ length: actors }, (_, actor) => callBy(actor)).reduce(
      (state, refused) => refuse(state, refused, "otp.verified", locked).state,
      buildIdentity(),
    );

  test("are reported at once for each of the first sixteen", () => {
    const { state, entries } = refuse(refuseFor(15), callBy(15), "otp.verified", locked);
    expect(describeEntries(entries)).toEqual(["otp.verified refused user_locked"]);
    expect(state.refusals).toHaveLength(16);
  });

  test("extend the oldest run of their kind from the seventeenth on", () => {
    const { state, entries } = refuse(refuseFor(16), callBy(16), "otp.verified", locked);
    expect(entries).toEqual([]);
    expect(state.refusals.map(({ lastActor }) => lastActor.id)).toEqual(
      Array.from({ length: 16 }, (_, index) => `actor ${index + 1}`),
    );
    expect(state.refusals.at(-1)?.unreported).toBe(1);
  });

  test("start a new run if none of their kind exists, even past sixteen runs", () => {
    const { state, entries } = refuse(refuseFor(16), callBy(16), "otp.configured", suspended);
    expect(describeEntries(entries)).toEqual(["otp.configured refused user_suspended"]);
    expect(state.refusals).toHaveLength(17);
  });
});

describe("a report", () => {
  test("contains the number of counted refusals and the last one", () => {
    const refused = refuseRepeatedly(8);
    const { state, entries, result } = reportRefusals(refused);
    expect(result).toEqual({ ok: true, value: undefined });
    expect(entries).toEqual([
      {
        action: "otp.verified",
        outcome: "refused",
        reason: "user_locked",
        details: { count: 7 },
        at: now + 7_000,
        actor: call.actor,
        requestId: `request-${now + 7_000}`,
      },
    ]);
    expect(refusalReportDelayOf(state)).toBeUndefined();
    expect({ ...state, refusals: [] }).toEqual({ ...refused, refusals: [] });
  });

  test("contains no event when no refusal is unreported", () => {
    expect(reportRefusals(buildIdentity()).entries).toEqual([]);
    const once = refuseRepeatedly(1);
    expect(reportRefusals(once)).toMatchObject({ entries: [], state: once });
  });

  test("is due after twice the delay each time, up to an hour", () => {
    let state = refuseRepeatedly(1);
    const delays = [];
    for (let report = 0; report < 13; report += 1) {
      state = refuse(state, call, "otp.verified", locked).state;
      delays.push((refusalReportDelayOf(state) ?? 0) / 1_000);
      state = reportRefusals(state).state;
    }
    expect(delays).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600, 3_600]);
  });

  test("is never due later than an hour, however many reports precede it", () => {
    let state = refuseRepeatedly(1);
    for (let report = 0; report < 1_200; report += 1) {
      state = refuse(state, call, "otp.verified", locked).state;
      expect(refusalReportDelayOf(state)).toBeLessThanOrEqual(60 * minute);
      state = reportRefusals(state).state;
    }
  });

  test("is due with the shortest delay among the runs with unreported refusals", () => {
    let state = refuseRepeatedly(2);
    state = reportRefusals(state).state;
    state = refuse(state, call, "otp.verified", locked).state;
    expect(refusalReportDelayOf(state)).toBe(10_000);
    state = refuse(state, call, "otp.configured", suspended).state;
    expect(refusalReportDelayOf(state)).toBe(10_000);
    state = refuse(state, call, "otp.configured", suspended).state;
    expect(refusalReportDelayOf(state)).toBe(5_000);
  });
});

describe("an applied change", () => {
  test("first reports the refusals counted before it, and ends all runs", () => {
    const before = refuseRepeatedly(4);
    const { state, entries } = applyChange(
      before,
      { externalId: "other" },
      [{ action: "user.unlocked", outcome: "success" }],
      succeed("done"),
      now + minute,
    );
    expect(describeEntries(entries)).toEqual([
      "otp.verified refused user_locked",
      "user.unlocked success",
    ]);
    expect(entries.map(countOf)).toEqual([3, 0]);
    expect(state).toMatchObject({ externalId: "other", refusals: [], updatedAt: now + minute });
    const next = refuse(state, call, "otp.verified", locked);
    expect(next.entries.map(countOf)).toEqual([1]);
  });
});

test("every refusal is reported exactly once, in any sequence", () => {
  const action = fc.constantFrom("otp.verified", "otp.configured", "session.assessed");
  const error = fc.constantFrom(suspended, locked, { code: "otp_disabled" } as const);
  const steps = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ kind: fc.constant("refuse" as const), action, error }) },
      { weight: 2, arbitrary: fc.constant({ kind: "report" as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: "change" as const }) },
    ),
    { maxLength: 100, size: "max" },
  );
  fc.assert(
    fc.property(steps, (sequence) => {
      let state = buildIdentity();
      const refused = new Map<string, number>();
      const reported = new Map<string, number>();
      const add = (counts: Map<string, number>, key: string, count: number) =>
        counts.set(key, (counts.get(key) ?? 0) + count);
      const record = (entries: readonly EventEntry[]) => {
        for (const entry of entries) {
          if (entry.outcome !== "refused") continue;
          expect(countOf(entry)).toBeGreaterThan(0);
          add(reported, `${entry.action} ${entry.reason}`, countOf(entry));
        }
      };
      for (const [index, next] of sequence.entries()) {
        const at = callAt(now + index);
        if (next.kind === "refuse") {
          add(refused, `${next.action} ${next.error.code}`, 1);
          const transition = refuse(state, at, next.action, next.error);
          state = transition.state;
          record(transition.entries);
        } else if (next.kind === "report") {
          const transition = reportRefusals(state);
          state = transition.state;
          record(transition.entries);
        } else {
          const transition = applyChange(state, {}, [], succeed(null), at.now);
          state = transition.state;
          record(transition.entries);
        }
        const hasUnreported = state.refusals.some(({ unreported }) => unreported > 0);
        expect(refusalReportDelayOf(state) !== undefined).toBe(hasUnreported);
      }
      record(reportRefusals(state).entries);
      expect(new Map([...reported].toSorted())).toEqual(new Map([...refused].toSorted()));
    }),
    { numRuns: 300 },
  );
});
