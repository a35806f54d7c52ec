import { describe, expect, test } from "vitest";
import { confirmSession, recordFeedback } from "../../../src/guard/decisions/feedback.ts";
import { fail, succeed, type Transition } from "../../../src/guard/decisions/transition.ts";
import type { Verified } from "../../../src/guard/decisions/verify.ts";
import { createSession } from "../../sentinel/example.ts";
import { buildIdentity, call, describeEntries, now } from "./example.ts";

const unconfirmed = createSession({ id: "a", at: now - 60_000, verdict: null });
const other = createSession({ id: "b", at: now - 120_000, verdict: null });

describe("Feedback on a session", () => {
  test.each(["legitimate", "fraud"] as const)(
    "sets its verdict to %s and is reported",
    (verdict) => {
      const state = buildIdentity();
      const transition = recordFeedback(state, call, [other, unconfirmed], unconfirmed, verdict);
      expect(transition.history).toEqual([other, { ...unconfirmed, verdict }]);
      expect(transition.verdict).toEqual({
        assessmentId: "a",
        verdict,
        source: "feedback",
        at: now,
        isFirst: true,
      });
      expect(describeEntries(transition.entries)).toEqual([`session.judged success ${verdict}`]);
      expect(transition.state).toEqual(state);
      expect(transition.result.ok).toBe(true);
    },
  );

  test("can change, and restores a session that the guard no longer has", () => {
    const { history = [] } = recordFeedback(buildIdentity(), call, [], unconfirmed, "legitimate");
    expect(history).toEqual([{ ...unconfirmed, verdict: "legitimate" }]);
    const changed = recordFeedback(buildIdentity(), call, history, unconfirmed, "fraud");
    expect(changed.history).toEqual([{ ...unconfirmed, verdict: "fraud" }]);
  });
});

describe("A verified code", () => {
  const verified: Transition<Verified> = {
    state: buildIdentity({ lastVerifiedAt: now }),
    entries: [{ action: "otp.verified", outcome: "success", details: { method: "totp" } }],
    result: succeed({ method: "totp" }),
  };

  test("confirms the session that the request names", () => {
    const confirmed = confirmSession(verified, call, [unconfirmed, other], unconfirmed);
    expect(confirmed.history?.find(({ id }) => id === "a")?.verdict).toBe("legitimate");
    expect(confirmed.history?.find(({ id }) => id === "b")?.verdict).toBeNull();
    expect(confirmed.verdict).toMatchObject({ verdict: "legitimate", source: "verification" });
    expect(confirmed.entries).toEqual(verified.entries);
    expect(confirmed.state).toEqual(verified.state);
  });

  test("confirms a session that the guard no longer has", () => {
    const confirmed = confirmSession(verified, call, [other], unconfirmed);
    expect(confirmed.history).toEqual([other, { ...unconfirmed, verdict: "legitimate" }]);
  });

  test("does not confirm a session that is a day old or was reported as fraud", () => {
    const fraud = { ...unconfirmed, verdict: "fraud" as const };
    expect(confirmSession(verified, call, [fraud], unconfirmed)).toEqual(verified);
    const old = { ...unconfirmed, at: now - 24 * 60 * 60 * 1000 };
    expect(confirmSession(verified, call, [], old)).toEqual(verified);
  });

  test("does not confirm a session if the code is wrong", () => {
    const wrong: typeof verified = { ...verified, result: fail({ code: "invalid_code" }) };
    expect(confirmSession(wrong, call, [unconfirmed], unconfirmed)).toEqual(wrong);
  });
});
