/** The actions of the clients in a history: waves of calls, each at its own time. fast-check generates them. */
import fc from "fast-check";
import type { Policy } from "./model.ts";

export type Act =
  /** A code that an app shows. `age` 0 is the newest secret that the client knows, 1 the one before. */
  | { readonly kind: "code"; readonly age: number; readonly away: number }
  /** A code that was sent before. */
  | { readonly kind: "replay"; readonly pick: number }
  | { readonly kind: "backup code"; readonly age: number; readonly index: number }
  /** An answer of the passkey to a new challenge. */
  | { readonly kind: "passkey" }
  /** An answer that was prepared when a wave began, and that may have been sent before. */
  | { readonly kind: "prepared passkey"; readonly age: number }
  | { readonly kind: "wrong code" | "wrong backup code" }
  /** Removes an authenticator that was added; `age` 0 is the newest that the client knows. */
  | { readonly kind: "remove"; readonly age: number }
  | {
      readonly kind:
        | "configure"
        | "add"
        | "regenerate"
        | "unlock"
        | "suspend"
        | "reactivate"
        | "read";
    }
  /** The guard loses its memory: after an eviction, or in a crash during a call. */
  | { readonly kind: "evict" | "crash" };

export interface Step {
  readonly act: Act;
  /** The client does not wait for the answer and never receives it. */
  readonly abandoned: boolean;
  /** What a code or a passkey says of its device. A token is the newest that the client knows. */
  readonly device: "silent" | "sends token" | "remembers";
}

export interface Wave {
  /** Time since the previous wave, ms. */
  readonly delayMs: number;
  /** The data that the guard still has: memory and storage, storage only, or none, so that it rehydrates from D1. */
  readonly guard: "awake" | "evicted" | "emptied";
  /** The steps of each client, in sequence. The clients run in parallel. */
  readonly clients: readonly (readonly Step[])[];
}

export interface Schedule {
  readonly policy: number;
  readonly waves: readonly Wave[];
}

/** Strict policies, so that short histories reach every rule. */
export const policies: readonly Policy[] = [
  { maxFailedAttempts: 2, lockSeconds: 30, maxLockSeconds: 45, disableAfter: 3 },
  { maxFailedAttempts: 3, lockSeconds: 60, maxLockSeconds: 240, disableAfter: 7 },
  { maxFailedAttempts: 4, lockSeconds: 20, maxLockSeconds: 20, disableAfter: 4 },
];

const code: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant("code"),
  age: fc.constantFrom(0, 0, 0, 1, 2),
  away: fc.constantFrom(-1, 0, 0, 0, 1),
});
const replay: fc.Arbitrary<Act> = fc.record({ kind: fc.constant("replay"), pick: fc.nat(3) });
const backupCode: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant("backup code"),
  age: fc.constantFrom(0, 0, 0, 1),
  index: fc.nat(1),
});

const remove: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant("remove"),
  age: fc.constantFrom(0, 0, 1),
});

type Simple = Exclude<
  Act["kind"],
  "code" | "replay" | "backup code" | "prepared passkey" | "remove"
>;

function actOf(...kinds: readonly Simple[]) {
  return fc.record({ kind: fc.constantFrom(...kinds) });
}

function weighted(
  ...choices: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<Act>])[]
) {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

const passkey = fc.oneof(
  actOf("passkey"),
  fc.record({ kind: fc.constant("prepared passkey" as const), age: fc.constantFrom(0, 0, 1, 2) }),
);
const wrongCode = actOf("wrong code", "wrong backup code");

const anyAct = weighted(
  [10, code],
  [4, replay],
  [6, backupCode],
  [6, passkey],
  [9, wrongCode],
  [8, actOf("configure", "add", "regenerate", "unlock", "read")],
  [5, remove],
  [3, actOf("suspend", "reactivate", "reactivate")],
  [1, actOf("evict", "evict", "evict", "crash")],
);
/** The mix of actions in a history: all of them, or a few that then overlap more often. */
const themes: readonly fc.Arbitrary<Act>[] = [
  anyAct,
  anyAct,
  weighted(
    [8, code],
    [1, replay],
    [3, actOf("configure")],
    [1, actOf("unlock", "suspend", "reactivate")],
  ),
  weighted([8, code], [2, replay], [5, actOf("add")], [6, remove], [1, actOf("configure")]),
  weighted([6, backupCode], [2, actOf("regenerate")], [1, actOf("read", "unlock", "evict")]),
  weighted([8, wrongCode], [2, code], [2, passkey], [2, actOf("unlock", "configure", "read")]),
  weighted([8, passkey], [1, code], [3, actOf("suspend", "reactivate", "reactivate", "evict")]),
];

const awake: readonly Wave["guard"][] = Array(9).fill("awake");

function waveOf(acts: fc.Arbitrary<Act>): fc.Arbitrary<Wave> {
  const step: fc.Arbitrary<Step> = fc.record({
    act: acts,
    abandoned: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
    device: fc.constantFrom(
      "silent",
      "silent",
      "silent",
      "sends token",
      "sends token",
      "remembers",
    ),
  });
  return fc.record({
    delayMs: fc.constantFrom(0, 0, 10_000, 30_000, 30_000, 60_000, 120_000),
    guard: fc.constantFrom(...awake, "evicted", "evicted", "emptied"),
    // Few calls for each client: faults show in short histories.
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
    waves: fc.array(waveOf(acts), { minLength: 1, maxLength: 5, size: "max" }),
  }),
);

/** Returns the same schedules for the same seed. */
export function generateSchedules(seed: number, count: number): readonly Schedule[] {
  return fc.sample(schedule, { seed, numRuns: count });
}
