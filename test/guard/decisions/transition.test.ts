import { describe, expect, test } from "vitest";
import { addRecentAttempt } from "../../../src/guard/decisions/transition.ts";
import { identity, now } from "./example.ts";

const hour = 3_600_000;

function recentOf(...times: readonly number[]) {
  const recent = times.map((at) => ({ at, kind: "failure" }) as const);
  return addRecentAttempt(identity({ recent }), "success", now);
}

describe("Attempts of late", () => {
  test("are those of an hour, with the one that is added", () => {
    expect(recentOf(now - hour, now - hour + 1, now)).toEqual([
      { at: now - hour + 1, kind: "failure" },
      { at: now, kind: "failure" },
      { at: now, kind: "success" },
    ]);
  });

  test("are none from a time that has not come", () => {
    expect(recentOf(now + 1)).toEqual([{ at: now, kind: "success" }]);
  });

  test("are a hundred at most, the newest", () => {
    const times = Array.from({ length: 100 }, (_, index) => now - 100 + index);
    const recent = recentOf(...times);
    expect(recent).toHaveLength(100);
    expect(recent[0]).toEqual({ at: now - 99, kind: "failure" });
    expect(recent.at(-1)).toEqual({ at: now, kind: "success" });
  });
});
