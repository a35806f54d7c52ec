/** Histories made by hand and at random, to try the checker on. */
import fc from "fast-check";
import type { History, Recorded } from "./checker.ts";
import { apply, first, initial, type Operation, type Policy, type State } from "./model.ts";

export const policy: Policy = {
  maxFailedAttempts: 5,
  lockSeconds: 900,
  maxLockSeconds: 86_400,
  disableAfter: 100,
};

export const now = Date.UTC(2030, 0, 1);
export const step = now / 30_000;

/** A call made at the first tick and answered at the second; null: nobody knows what came of it. */
export interface Told {
  readonly ticks: readonly [made: number, answered: number | null];
  readonly operation: Operation;
  readonly answer?: string;
  readonly at?: number;
}

/** Calls are numbered from 1 in the order in which they stand here. */
export function history(...told: readonly Told[]): History {
  return told.map(
    ({ ticks: [made, answered], operation, answer, at = now }, index): Recorded => ({
      id: index + 1,
      client: `client ${index + 1}`,
      about: operation.kind,
      at,
      made,
      answered,
      answer: answer ?? null,
      operation,
    }),
  );
}

/** One call after the other, each answered before the next is made. */
export function oneByOne(...told: readonly Omit<Told, "ticks">[]): History {
  return history(
    ...told.map((call, index) => ({ ...call, ticks: [2 * index, 2 * index + 1] as const })),
  );
}

export function totp(secret = first, away = 0): Operation {
  return { kind: "totp", steps: { [secret]: step + away } };
}

export function backupCode(index: number, set: number = first): Operation {
  return { kind: "backup code", set, index };
}

export const wrong: Operation = { kind: "totp", steps: {} };
export const read: Operation = { kind: "read" };

interface Move {
  readonly kind: Exclude<Operation["kind"], "trail"> | "wrong";
  readonly pick: number;
  readonly later: number;
}

const kinds = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom<Move["kind"]>("totp", "backup code", "wrong", "wrong") },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Move["kind"]>("configure", "regenerate", "unlock", "read"),
  },
  { weight: 1, arbitrary: fc.constantFrom<Move["kind"]>("suspend", "reactivate", "reactivate") },
);
const moves: fc.Arbitrary<readonly Move[]> = fc.array(
  fc.record({ kind: kinds, pick: fc.nat(11), later: fc.constantFrom(0, 0, 0, 30_000, 600_000) }),
  { minLength: 1, maxLength: 14, size: "max" },
);

function operationOf({ kind, pick }: Move, at: number, made: Record<string, number[]>): Operation {
  const of = (what: string) => {
    const all = [first, ...(made[what] ?? [])];
    return all[all.length - 1 - (pick % 5 === 0 ? pick % all.length : 0)] ?? first;
  };
  switch (kind) {
    case "totp":
      return { kind, steps: { [of("configure")]: Math.floor(at / 30_000) + (pick % 3) - 1 } };
    case "backup code":
      return backupCode(pick % 3, of("regenerate"));
    case "wrong":
      return pick % 2 === 0 ? wrong : { kind: "backup code", set: null, index: 0 };
    default:
      return { kind };
  }
}

/** Strict, so that short histories lock and disable. */
export const strict: Policy = {
  maxFailedAttempts: 2,
  lockSeconds: 30,
  maxLockSeconds: 60,
  disableAfter: 3,
};

/** What the model answers to calls one after the other, with what is so before each. */
export const runs: fc.Arbitrary<{ readonly calls: History; readonly states: readonly State[] }> =
  moves.map((sequence) => {
    const made: Record<string, number[]> = {};
    const states: State[] = [initial];
    let at = now;
    const calls = sequence.map((move, index): Recorded => {
      const id = index + 1;
      at += move.later;
      const operation = operationOf(move, at, made);
      const { answer, state } = apply(strict, states.at(-1) ?? initial, { id, at, operation });
      states.push(state);
      made[move.kind] = [...(made[move.kind] ?? []), id];
      const ticks = { made: 100 * index, answered: 100 * index + 50 };
      return { id, at, operation, answer, ...ticks, client: "client", about: operation.kind };
    });
    return { calls, states };
  });
