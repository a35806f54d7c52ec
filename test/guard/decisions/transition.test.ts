import { describe, expect, test } from "vitest";
import { addRecentAttempt } from "../../../src/guard/decisions/transition.ts";
import { buildIdentity, now } from "./example.ts";

const hour = 3_600_000;

function addAttemptTo(...times: readonly number[]) {
  const recent = times.map((at) => ({ at, kind: "failure" }) as const);
  return addRecentAttempt(buildIdentity({ recent }), "success", now);
}

describe("The recent attempts", () => {
  test("are the attempts of the last hour and the added one", () => {
    expect(addAttemptTo(now - hour, now - hour + 1, now)).toEqual([
      { at: now - hour + 1, kind: "failure" },
      { at: now, kind: "failure" },
      { at: now, kind: "success" },
    ]);
  });

  test("contain no attempt from the future", () => {
    expect(addAttemptTo(now + 1)).toEqual([{ at: now, kind: "success" }]);
  });

  test("are the newest hundred at most", () => {
    const times = Array.from({ length: 100 }, (_, index) => now - 100 + index);
    const recent = addAttemptTo(...times);
    expect(recent).toHaveLength(100);
    expect(recent[0]).toEqual({ at: now - 99, kind: "failure" });
    expect(recent.at(-1)).toEqual({ at: now, kind: "success" });
  });
});
