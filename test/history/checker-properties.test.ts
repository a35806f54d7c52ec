/** Tests the checker with random answers of the model, and with answers that the model never gives. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findShortestContradiction, isLinearizable } from "./checker.ts";
import { now, runs, strict } from "./example.ts";
import { answers } from "./model.ts";

/** Answers that a faulty service could give to many calls. */
const others = [
  answers.accepted("totp", undefined),
  answers.created,
  answers.suspended,
  answers.refusedChallenge,
  answers.disabled,
  answers.wrong(0, now + 30_000),
  answers.wrong(1, null),
  answers.locked(now + 30_000, 30),
];

describe("The checker, with any calls", () => {
  const offsets = fc.array(fc.tuple(fc.nat(260), fc.nat(260)), { minLength: 14, maxLength: 14 });

  it("explains the answers of the model to a sequence of calls", () => {
    fc.assert(fc.property(runs, ({ calls }) => isLinearizable(strict, calls)));
  });

  it("explains calls that overlap around the instant at which each took effect", () => {
    const overlapping = fc.tuple(runs, offsets).map(([{ calls }, around]) =>
      calls.map((call, index) => {
        const [before, after] = around[index] ?? [0, 0];
        return { ...call, sent: call.sent - before, answered: (call.answered ?? 0) + after };
      }),
    );
    fc.assert(fc.property(overlapping, (calls) => isLinearizable(strict, calls)));
  });

  it("explains a history that lacks some answers", () => {
    const lossy = fc
      .tuple(runs, fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }))
      .map(([{ calls }, lost]) =>
        calls.map((call, index) =>
          lost[index] ? { ...call, answered: null, answer: null } : call,
        ),
      );
    fc.assert(fc.property(lossy, (calls) => isLinearizable(strict, calls)));
  });

  it("rejects a history with the answer of another call, and finds that answer", () => {
    const mutated = fc.record({ run: runs, pick: fc.nat(13), other: fc.nat(others.length) });
    fc.assert(
      fc.property(mutated, ({ run: { calls }, pick, other }) => {
        const index = pick % calls.length;
        const answer =
          others[other] ?? calls[(index + 1) % calls.length]?.answer ?? answers.created;
        // Calls that do not overlap have one order, so any other answer is wrong.
        fc.pre(answer !== calls[index]?.answer);
        const mutatedCalls = calls.map((call, n) => (n === index ? { ...call, answer } : call));
        expect(isLinearizable(strict, mutatedCalls)).toBe(false);
        const { last, possible } = findShortestContradiction(strict, mutatedCalls);
        expect(last.id).toBe(index + 1);
        expect(possible).toEqual([calls[index]?.answer]);
      }),
    );
  });

  it("rejects two consecutive calls with swapped answers, unless the answers are equal", () => {
    fc.assert(
      fc.property(runs, fc.nat(12), ({ calls }, pick) => {
        const [one, two] = [calls[pick % calls.length], calls[(pick + 1) % calls.length]];
        fc.pre(one !== undefined && two !== undefined && one.answer !== two.answer);
        const swapped = calls.map((call) =>
          call === one
            ? { ...call, answer: two?.answer ?? null }
            : call === two
              ? { ...call, answer: one?.answer ?? null }
              : call,
        );
        expect(isLinearizable(strict, swapped)).toBe(false);
      }),
    );
  });
});
