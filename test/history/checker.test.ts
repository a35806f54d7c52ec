/** The checker on histories that are known to be possible, and on ones known not to be. */
import { describe, expect, it } from "vitest";
import { contradictionIn, type History, shortestBad } from "./checker.ts";
import { backupCode, history, now, oneByOne, policy, read, totp, wrong } from "./example.ts";
import { answers, first } from "./model.ts";

const accepted = answers.accepted("totp", undefined);
const { made, suspended } = answers;
const rejected = (remaining: number) => answers.wrong(remaining, null);
const lockedUntil = now + 900_000;
const locking = answers.wrong(0, lockedUntil);
const locked = answers.locked(lockedUntil, 900);

function profile(change: Partial<Parameters<typeof answers.profile>[0]> = {}): string {
  const fresh = { status: "active", failed: 0, lockedUntil: null, codes: 10, lastVerifiedAt: null };
  return answers.profile({ ...fresh, ...change });
}

/** Wrong codes all at once, with these answers. */
function guesses(...told: readonly string[]): History {
  return history(
    ...told.map((answer, index) => ({
      ticks: [index, 100 + index] as const,
      operation: wrong,
      answer,
    })),
  );
}

const possible: Readonly<Record<string, History>> = {
  "no call at all": [],
  "a code accepted, then replayed": oneByOne(
    { operation: totp(), answer: accepted },
    { operation: totp(), answer: rejected(4) },
  ),
  "a code sent twice at once, accepted the second time": history(
    { ticks: [1, 3], operation: totp(), answer: rejected(4) },
    { ticks: [2, 4], operation: totp(), answer: accepted },
  ),
  "an earlier step accepted before a later one, answered after it": history(
    { ticks: [1, 4], operation: totp(first, -1), answer: accepted },
    { ticks: [2, 3], operation: totp(first, 0), answer: accepted },
  ),
  "five guesses and a lock, answered in another order": guesses(
    locked,
    locking,
    rejected(1),
    rejected(2),
    rejected(3),
    rejected(4),
  ),
  "an old code accepted while the set was replaced": history(
    { ticks: [1, 4], operation: { kind: "regenerate" }, answer: made },
    { ticks: [2, 3], operation: backupCode(0), answer: answers.accepted("backup_code", 9) },
  ),
  "a failure without an answer that happened": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile({ failed: 1 }) },
  ),
  "a failure without an answer that did not happen": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile() },
  ),
  "a failure without an answer that happened late": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile() },
    { ticks: [4, 5], operation: read, answer: profile({ failed: 1 }) },
  ),
  "a code of a secret made by a call without an answer": history(
    { ticks: [1, null], operation: { kind: "configure" } },
    { ticks: [2, 3], operation: totp(first), answer: rejected(4) },
  ),
};

const impossible: Readonly<Record<string, History>> = {
  "one code accepted twice at once": history(
    { ticks: [1, 3], operation: totp(), answer: accepted },
    { ticks: [2, 4], operation: totp(), answer: accepted },
  ),
  "an earlier step accepted after a later one was answered": oneByOne(
    { operation: totp(first, 0), answer: accepted },
    { operation: totp(first, -1), answer: accepted },
  ),
  "one backup code accepted twice at once": history(
    { ticks: [1, 3], operation: backupCode(3), answer: answers.accepted("backup_code", 9) },
    { ticks: [2, 4], operation: backupCode(3), answer: answers.accepted("backup_code", 8) },
  ),
  "six guesses evaluated before the lock": guesses(
    locking,
    rejected(0),
    rejected(1),
    rejected(2),
    rejected(3),
    rejected(4),
  ),
  "two guesses counted as one": guesses(rejected(4), rejected(4)),
  "a locked answer before there was a lock": guesses(locked, rejected(4), rejected(3)),
  "an old backup code accepted after the new set was answered": oneByOne(
    { operation: { kind: "regenerate" }, answer: made },
    { operation: backupCode(0), answer: answers.accepted("backup_code", 9) },
  ),
  "a code of the old secret accepted after the new one was answered": oneByOne(
    { operation: { kind: "configure" }, answer: made },
    { operation: totp(first), answer: accepted },
  ),
  "a counter that lost a failure": oneByOne(
    { operation: wrong, answer: rejected(4) },
    { operation: wrong, answer: rejected(3) },
    { operation: read, answer: profile({ failed: 1 }) },
  ),
  "a new secret that set the counter back": oneByOne(
    { operation: wrong, answer: rejected(4) },
    { operation: { kind: "configure" }, answer: made },
    { operation: wrong, answer: rejected(4) },
  ),
  "a code accepted while suspended": oneByOne(
    { operation: { kind: "suspend" }, answer: profile({ status: "suspended" }) },
    { operation: totp(), answer: accepted },
  ),
  "a suspension that did not last": oneByOne(
    { operation: { kind: "suspend" }, answer: profile({ status: "suspended" }) },
    { operation: wrong, answer: suspended },
    { operation: read, answer: profile() },
  ),
  "an unlock that did not reset": oneByOne(
    { operation: wrong, answer: rejected(4) },
    { operation: { kind: "unlock" }, answer: profile() },
    { operation: wrong, answer: rejected(3) },
  ),
  "a read older than one that ended before it": history(
    { ticks: [1, 10], operation: wrong, answer: rejected(4) },
    { ticks: [2, 3], operation: read, answer: profile({ failed: 1 }) },
    { ticks: [4, 5], operation: read, answer: profile() },
  ),
  "a lock that a refused attempt made longer": oneByOne(
    ...[4, 3, 2, 1].map((remaining) => ({ operation: wrong, answer: rejected(remaining) })),
    { operation: wrong, answer: locking },
    { operation: wrong, at: now + 60_000, answer: answers.locked(lockedUntil + 60_000, 900) },
  ),
  "a failure without an answer that happened twice": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile({ failed: 2 }) },
  ),
  "a failure without an answer that happened and then had not": history(
    { ticks: [1, null], operation: wrong },
    { ticks: [2, 3], operation: read, answer: profile({ failed: 1 }) },
    { ticks: [4, 5], operation: read, answer: profile() },
  ),
  "a failure without an answer that happened before it was made": history(
    { ticks: [1, 2], operation: read, answer: profile({ failed: 1 }) },
    { ticks: [3, null], operation: wrong },
  ),
  "a trail that misses an event": oneByOne(
    { operation: wrong, answer: rejected(4) },
    {
      operation: { kind: "trail" },
      answer:
        "1 × backup_codes.generated success; 1 × otp.configured success; 1 × user.provisioned success",
    },
  ),
};

describe("The checker", () => {
  it.each(Object.keys(possible))("explains %s", (what) => {
    expect(contradictionIn(policy, possible[what] ?? [])).toBeUndefined();
  });

  it.each(Object.keys(impossible))("does not explain %s", (what) => {
    expect(contradictionIn(policy, impossible[what] ?? [])).toContain("No order");
  });

  it("shows of a long history only what contradicts itself", () => {
    const long = oneByOne(
      { operation: wrong, answer: rejected(4) },
      { operation: read, answer: profile({ failed: 1 }) },
      { operation: backupCode(0), answer: answers.accepted("backup_code", 9) },
      { operation: totp(), answer: accepted },
      { operation: { kind: "regenerate" }, answer: made },
      { operation: totp(), answer: accepted },
      { operation: wrong, answer: rejected(4) },
    );
    expect(shortestBad(policy, long).bad.map(({ id }) => id)).toEqual([4, 6]);
    const shown = contradictionIn(policy, long) ?? "";
    expect(shown).toContain("#4 totp at 2030-01-01T00:00:00.000Z → 200 totp");
    expect(shown).toContain("#6 could be answered: 422 invalid_code, 4 attempts left");
    expect(shown).not.toContain("#5");
  });
});
