/** The checker on whatever the model answers, and on what it would never answer. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLinearizable, shortestBad } from "./checker.ts";
import { now, runs, strict } from "./example.ts";
import { answers } from "./model.ts";

/** Answers that a mistaken service could give to many calls. */
const others = [
  answers.accepted("totp", undefined),
  answers.made,
  answers.suspended,
  answers.disabled,
  answers.wrong(0, now + 30_000),
  answers.wrong(1, null),
  answers.locked(now + 30_000, 30),
];

describe("The checker, whatever the calls", () => {
  const offsets = fc.array(fc.tuple(fc.nat(260), fc.nat(260)), { minLength: 14, maxLength: 14 });

  it("explains what the model answers, one call after the other", () => {
    fc.assert(fc.property(runs, ({ calls }) => isLinearizable(strict, calls)));
  });

  it("explains calls that overlap around the instant in which each happened", () => {
    const overlapping = fc.tuple(runs, offsets).map(([{ calls }, around]) =>
      calls.map((call, index) => {
        const [before, after] = around[index] ?? [0, 0];
        return { ...call, made: call.made - before, answered: (call.answered ?? 0) + after };
      }),
    );
    fc.assert(fc.property(overlapping, (calls) => isLinearizable(strict, calls)));
  });

  it("explains a history of which some answers were lost", () => {
    const lossy = fc
      .tuple(runs, fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }))
      .map(([{ calls }, lost]) =>
        calls.map((call, index) =>
          lost[index] ? { ...call, answered: null, answer: null } : call,
        ),
      );
    fc.assert(fc.property(lossy, (calls) => isLinearizable(strict, calls)));
  });

  it("explains no history with an answer that was another one's, and finds that answer", () => {
    const mutated = fc.record({ run: runs, which: fc.nat(13), other: fc.nat(others.length) });
    fc.assert(
      fc.property(mutated, ({ run: { calls }, which, other }) => {
        const index = which % calls.length;
        const answer = others[other] ?? calls[(index + 1) % calls.length]?.answer ?? answers.made;
        // One call after the other has one order, so any other answer is a wrong one.
        fc.pre(answer !== calls[index]?.answer);
        const wrongly = calls.map((call, n) => (n === index ? { ...call, answer } : call));
        expect(isLinearizable(strict, wrongly)).toBe(false);
        const { last, possible } = shortestBad(strict, wrongly);
        expect(last.id).toBe(index + 1);
        expect(possible).toEqual([calls[index]?.answer]);
      }),
    );
  });

  it("explains no two calls in a row whose answers were swapped, where they differ", () => {
    fc.assert(
      fc.property(runs, fc.nat(12), ({ calls }, which) => {
        const [one, two] = [calls[which % calls.length], calls[(which + 1) % calls.length]];
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
