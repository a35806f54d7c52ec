/** Tests the checker with histories that are known to be possible or impossible. */
import { describe, expect, it } from "vitest";
import { findContradiction, findShortestContradiction, type History } from "./checker.ts";
import { backupCode, history, now, policy, read, sequence, totp, wrong } from "./example.ts";
import { answers, first } from "./model.ts";

const accepted = answers.accepted("totp", undefined);
const { created, suspended } = answers;
const rejected = (remaining: number) => answers.wrong(remaining, null);
const lockedUntil = now + 900_000;
const locking = answers.wrong(0, lockedUntil);
const locked = answers.locked(lockedUntil, 900);

function profile(change: Partial<Parameters<typeof answers.profile>[0]> = {}): string {
  const fresh = { status: "active", failed: 0, lockedUntil: null, codes: 10, lastVerifiedAt: null };
  return answers.profile({ ...fresh, ...change });
}

/** Wrong codes sent at the same time, with these answers. */
function historyOfGuesses(...answered: readonly string[]): History {
  return history(
    ...answered.map((answer, index) => ({
      ticks: [index, 100 + index] as const,
      operation: wrong,
      answer,
    })),
  );
}

const possible: Readonly<Record<string, History>> = {
  "a history without calls": [],
  "a code that is accepted and then refused as used already": sequence(
    { operation: totp(), answer: accepted },
    { operation: totp(), answer: answers.alreadyUsed(5) },
  ),
  "codes that are accepted, of which only the last one gets code_already_used": sequence(
    { operation: totp(), answer: accepted },
    { operation: backupCode(0), answer: answers.accepted("backup_code", 9) },
    { operation: totp(), answer: rejected(4) },
    { operation: backupCode(0), answer: answers.alreadyUsed(4) },
  ),
  "a code that is sent twice at once, when the second is accepted": history(
    { ticks: [1, 3], operation: totp(), answer: answers.alreadyUsed(5) },
    { ticks: [2, 4], operation: totp(), answer: accepted },
  ),
  "an earlier step that is accepted before a later one and answered after it": history(
    { ticks: [1, 4], operation: totp(first, -1), answer: accepted },
    { ticks: [2, 3], operation: totp(first, 0), answer: accepted },
  ),
  "five guesses and a lock that are answered in another order": historyOfGuesses(
    locked,
    locking,
    rejected(1),
    rejected(2),
    rejected(3),
    rejected(4),
  ),
  "an old code that is accepted while the set is replaced": history(
    { ticks: [1, 4], operation: { kind: "regenerate" }, answer: created },
    { ticks: [2, 3], operation: backupCode(0), answer: answers.accepted("backup_code", 9) },
  ),
  "a failure without an answer that took effect": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile({ failed: 1 }) },
  ),
  "a failure without an answer that took no effect": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile() },
  ),
  "a failure without an answer that took effect late": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile() },
    { ticks: [4, 5], operation: read, answer: profile({ failed: 1 }) },
  ),
  "a rejected code after a new secret whose call got no answer": history(
    { ticks: [1, null], operation: { kind: "configure" } },
    { ticks: [2, 3], operation: totp(first), answer: rejected(4) },
  ),
};

const impossible: Readonly<Record<string, History>> = {
  "a code that is accepted twice at once": history(
    { ticks: [1, 3], operation: totp(), answer: accepted },
    { ticks: [2, 4], operation: totp(), answer: accepted },
  ),
  "an earlier step that is accepted after a later one was answered": sequence(
    { operation: totp(first, 0), answer: accepted },
    { operation: totp(first, -1), answer: accepted },
  ),
  "a backup code that is accepted twice at once": history(
    { ticks: [1, 3], operation: backupCode(3), answer: answers.accepted("backup_code", 9) },
    { ticks: [2, 4], operation: backupCode(3), answer: answers.accepted("backup_code", 8) },
  ),
  "six guesses that are evaluated before the lock": historyOfGuesses(
    locking,
    rejected(0),
    rejected(1),
    rejected(2),
    rejected(3),
    rejected(4),
  ),
  "two guesses that are counted as one": historyOfGuesses(rejected(4), rejected(4)),
  "an answer that reports a lock before the lock": historyOfGuesses(
    locked,
    rejected(4),
    rejected(3),
  ),
  "an old backup code that is accepted after the new set was answered": sequence(
    { operation: { kind: "regenerate" }, answer: created },
    { operation: backupCode(0), answer: answers.accepted("backup_code", 9) },
  ),
  "a code of the old secret that is accepted after the new one was answered": sequence(
    { operation: { kind: "configure" }, answer: created },
    { operation: totp(first), answer: accepted },
  ),
  "a counter that loses a failure": sequence(
    { operation: wrong, answer: rejected(4) },
    { operation: wrong, answer: rejected(3) },
    { operation: read, answer: profile({ failed: 1 }) },
  ),
  "a new secret that resets the counter": sequence(
    { operation: wrong, answer: rejected(4) },
    { operation: { kind: "configure" }, answer: created },
    { operation: wrong, answer: rejected(4) },
  ),
  "a code that is accepted while the user is suspended": sequence(
    { operation: { kind: "suspend" }, answer: profile({ status: "suspended" }) },
    { operation: totp(), answer: accepted },
  ),
  "a suspension that ends by itself": sequence(
    { operation: { kind: "suspend" }, answer: profile({ status: "suspended" }) },
    { operation: wrong, answer: suspended },
    { operation: read, answer: profile() },
  ),
  "an unlock that does not reset the counter": sequence(
    { operation: wrong, answer: rejected(4) },
    { operation: { kind: "unlock" }, answer: profile() },
    { operation: wrong, answer: rejected(3) },
  ),
  "a read with an older state than an earlier read": history(
    { ticks: [1, 10], operation: wrong, answer: rejected(4) },
    { ticks: [2, 3], operation: read, answer: profile({ failed: 1 }) },
    { ticks: [4, 5], operation: read, answer: profile() },
  ),
  "a lock that a refused attempt extends": sequence(
    ...[4, 3, 2, 1].map((remaining) => ({ operation: wrong, answer: rejected(remaining) })),
    { operation: wrong, answer: locking },
    { operation: wrong, at: now + 60_000, answer: answers.locked(lockedUntil + 60_000, 900) },
  ),
  "a failure without an answer that took effect twice": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile({ failed: 2 }) },
  ),
  "a failure without an answer that took effect and was then undone": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile({ failed: 1 }) },
    { ticks: [4, 5], operation: read, answer: profile() },
  ),
  "a failure without an answer that took effect before it was sent": history(
    { ticks: [1, 2], operation: read, answer: profile({ failed: 1 }) },
    { ticks: [3, null], operation: wrong },
  ),
  "a trail that lacks an event": sequence(
    { operation: wrong, answer: rejected(4) },
    {
      operation: { kind: "trail" },
      answer:
        "1 × backup_codes.generated success; 1 × otp.configured success; 1 × passkey.registered success; 1 × user.provisioned success",
    },
  ),
};

describe("The checker", () => {
  it.each(Object.keys(possible))("explains %s", (what) => {
    expect(findContradiction(policy, possible[what] ?? [])).toBeUndefined();
  });

  it.each(Object.keys(impossible))("does not explain %s", (what) => {
    expect(findContradiction(policy, impossible[what] ?? [])).toContain("No order");
  });

  it("shows only the contradicting calls of a long history", () => {
    const long = sequence(
      { operation: wrong, answer: rejected(4) },
      { operation: read, answer: profile({ failed: 1 }) },
      { operation: backupCode(0), answer: answers.accepted("backup_code", 9) },
      { operation: totp(), answer: accepted },
      { operation: { kind: "regenerate" }, answer: created },
      { operation: totp(), answer: accepted },
      { operation: wrong, answer: rejected(4) },
    );
    expect(findShortestContradiction(policy, long).bad.map(({ id }) => id)).toEqual([4, 6]);
    const shown = findContradiction(policy, long) ?? "";
    expect(shown).toContain("#4 totp at 2030-01-01T00:00:00.000Z → 200 totp");
    expect(shown).toContain("#6 could have been answered: 422 code_already_used, 5 attempts left");
    expect(shown).not.toContain("#5");
  });
});
