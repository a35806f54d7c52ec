import { describe, expect, test } from "vitest";
import { confirmSession, recordFeedback } from "../../../src/guard/decisions/feedback.ts";
import { fail, succeed, type Transition } from "../../../src/guard/decisions/transition.ts";
import { createSession } from "../../sentinel/example.ts";
import { call, identity, now, told } from "./example.ts";

const waiting = createSession({ id: "a", at: now - 60_000, verdict: null });
const other = createSession({ id: "b", at: now - 120_000, verdict: null });

describe("The tenant's word on a session", () => {
  test.each(["legitimate", "fraud"] as const)("makes it %s, and is told", (verdict) => {
    const state = identity();
    const judged = recordFeedback(state, call, [other, waiting], waiting, verdict);
    expect(judged.history).toEqual([other, { ...waiting, verdict }]);
    expect(judged.verdict).toEqual({ assessmentId: "a", verdict, source: "feedback", at: now });
    expect(told(judged.entries)).toEqual([`session.judged success ${verdict}`]);
    expect(judged.state).toEqual(state);
    expect(judged.result.ok).toBe(true);
  });

  test("may change, and reaches a session the guard no longer had", () => {
    const { history = [] } = recordFeedback(identity(), call, [], waiting, "legitimate");
    expect(history).toEqual([{ ...waiting, verdict: "legitimate" }]);
    const changed = recordFeedback(identity(), call, history, waiting, "fraud");
    expect(changed.history).toEqual([{ ...waiting, verdict: "fraud" }]);
  });
});

describe("A verified code", () => {
  const verified: Transition<{ method: "totp" }> = {
    state: identity({ lastVerifiedAt: now }),
    entries: [{ action: "otp.verified", outcome: "success", details: { method: "totp" } }],
    result: succeed({ method: "totp" }),
  };

  test("names the session in its own event, and in no other", () => {
    const configured = { action: "otp.configured", outcome: "success", details: {} } as const;
    const both = { ...verified, entries: [configured, ...verified.entries] };
    const { entries } = confirmSession(both, call, [waiting], waiting);
    expect(entries).toEqual([
      configured,
      { ...verified.entries[0], details: { method: "totp", assessment_id: "a" } },
    ]);
  });

  test("confirms the session it was asked for", () => {
    const confirmed = confirmSession(verified, call, [waiting, other], waiting);
    expect(confirmed.history?.find(({ id }) => id === "a")?.verdict).toBe("legitimate");
    expect(confirmed.history?.find(({ id }) => id === "b")?.verdict).toBeNull();
    expect(confirmed.verdict).toMatchObject({ verdict: "legitimate", source: "verification" });
    expect(confirmed.entries[0]?.details).toEqual({ method: "totp", assessment_id: "a" });
    expect(confirmed.state).toEqual(verified.state);
  });

  test("confirms one that the guard no longer had", () => {
    const confirmed = confirmSession(verified, call, [other], waiting);
    expect(confirmed.history).toEqual([other, { ...waiting, verdict: "legitimate" }]);
  });

  test("confirms none that is a day old or was reported as fraud", () => {
    const fraud = { ...waiting, verdict: "fraud" as const };
    expect(confirmSession(verified, call, [fraud], waiting)).toEqual(verified);
    const old = { ...waiting, at: now - 24 * 60 * 60 * 1000 };
    expect(confirmSession(verified, call, [], old)).toEqual(verified);
  });

  test("confirms nothing when it is wrong", () => {
    const wrong: typeof verified = { ...verified, result: fail({ code: "invalid_code" }) };
    expect(confirmSession(wrong, call, [waiting], waiting)).toEqual(wrong);
  });
});
