/** What clients do in a history: waves of calls, each wave at a time of its own. From fast-check. */
import fc from "fast-check";
import type { Policy } from "./model.ts";

export type Act =
  /** A code an app shows: of the newest secret the client knows, or of one before it. */
  | { readonly kind: "code"; readonly age: number; readonly away: number }
  /** A code somebody sent before. */
  | { readonly kind: "replay"; readonly pick: number }
  | { readonly kind: "backup code"; readonly age: number; readonly index: number }
  | { readonly kind: "wrong code" | "wrong backup code" }
  | { readonly kind: "configure" | "regenerate" | "unlock" | "suspend" | "reactivate" | "read" }
  /** The guard loses its memory: politely, or in the middle of what it does. */
  | { readonly kind: "evict" | "crash" };

export interface Step {
  readonly act: Act;
  /** The client does not wait for the answer, and never learns it. */
  readonly abandoned: boolean;
}

export interface Wave {
  /** Since the wave before, ms. */
  readonly later: number;
  /** What the guard has of before: all of it, its storage alone, or nothing; then D1 is asked. */
  readonly guard: "awake" | "evicted" | "emptied";
  /** What each client does, one call after the other; the clients all at once. */
  readonly clients: readonly (readonly Step[])[];
}

export interface Schedule {
  readonly policy: number;
  readonly waves: readonly Wave[];
}

/** Strict, so that short histories reach every rule. */
export const policies: readonly Policy[] = [
  { maxFailedAttempts: 2, lockSeconds: 30, maxLockSeconds: 45, disableAfter: 3 },
  { maxFailedAttempts: 3, lockSeconds: 60, maxLockSeconds: 240, disableAfter: 7 },
  { maxFailedAttempts: 4, lockSeconds: 20, maxLockSeconds: 20, disableAfter: 4 },
];

const code: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant("code"),
  age: fc.constantFrom(0, 0, 0, 0, 1),
  away: fc.constantFrom(-1, 0, 0, 0, 1),
});
const replay: fc.Arbitrary<Act> = fc.record({ kind: fc.constant("replay"), pick: fc.nat(3) });
const backupCode: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant("backup code"),
  age: fc.constantFrom(0, 0, 0, 1),
  index: fc.nat(1),
});

function one(...kinds: readonly Exclude<Act["kind"], "code" | "replay" | "backup code">[]) {
  return fc.record({ kind: fc.constantFrom(...kinds) });
}

function oneOf(...weighted: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<Act>])[]) {
  return fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

const wrong = one("wrong code", "wrong backup code");

const everything = oneOf(
  [10, code],
  [4, replay],
  [6, backupCode],
  [9, wrong],
  [7, one("configure", "regenerate", "unlock", "read")],
  [3, one("suspend", "reactivate", "reactivate")],
  [1, one("evict", "evict", "evict", "crash")],
);
/** Of what a history is: of everything, or of few things that then meet more often. */
const themes: readonly fc.Arbitrary<Act>[] = [
  everything,
  everything,
  oneOf([8, code], [1, replay], [3, one("configure")], [1, one("unlock", "suspend", "reactivate")]),
  oneOf([6, backupCode], [2, one("regenerate")], [1, one("read", "unlock", "evict")]),
  oneOf([8, wrong], [2, code], [2, one("unlock", "configure", "read")]),
];

const awake: readonly Wave["guard"][] = Array(9).fill("awake");

function wave(acts: fc.Arbitrary<Act>): fc.Arbitrary<Wave> {
  const step: fc.Arbitrary<Step> = fc.record({
    act: acts,
    abandoned: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
  });
  return fc.record({
    later: fc.constantFrom(0, 0, 10_000, 30_000, 30_000, 60_000, 120_000),
    guard: fc.constantFrom(...awake, "evicted", "evicted", "emptied"),
    // Few calls each: what is wrong shows in short histories, if in any.
    clients: fc.array(fc.array(step, { minLength: 1, maxLength: 3, size: "max" }), {
      minLength: 1,
      maxLength: 4,
      size: "max",
    }),
  });
}

const schedule: fc.Arbitrary<Schedule> = fc.constantFrom(...themes).chain((acts) =>
  fc.record({
    policy: fc.nat(policies.length - 1),
    waves: fc.array(wave(acts), { minLength: 1, maxLength: 5, size: "max" }),
  }),
);

/** The same for the same seed. */
export function schedules(seed: number, count: number): readonly Schedule[] {
  return fc.sample(schedule, { seed, numRuns: count });
}
