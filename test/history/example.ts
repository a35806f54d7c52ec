/** Hand-written and random histories that test the checker. */
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

/** A call that was sent at the first tick and answered at the second; null when no answer arrived. */
export interface ExampleCall {
  readonly ticks: readonly [sent: number, answered: number | null];
  readonly operation: Operation;
  readonly answer?: string;
  readonly at?: number;
}

/** Numbers the calls from 1, in the order of the arguments. */
export function history(...examples: readonly ExampleCall[]): History {
  return examples.map(
    ({ ticks: [sent, answered], operation, answer, at = now }, index): Recorded => ({
      id: index + 1,
      client: `client ${index + 1}`,
      about: operation.kind,
      at,
      sent,
      answered,
      answer: answer ?? null,
      operation,
    }),
  );
}

/** Each call is answered before the next is sent. */
export function sequence(...examples: readonly Omit<ExampleCall, "ticks">[]): History {
  return history(
    ...examples.map((call, index) => ({ ...call, ticks: [2 * index, 2 * index + 1] as const })),
  );
}

export function totp(secret = first, away = 0): Operation {
  return { kind: "totp", code: `${secret} ${step + away}`, steps: { [secret]: step + away } };
}

export function backupCode(index: number, set: number = first): Operation {
  return { kind: "backup code", set, index };
}

export const wrong: Operation = { kind: "totp", code: "wrong", steps: {} };
export const read: Operation = { kind: "read" };

interface Move {
  readonly kind: Exclude<Operation["kind"], "trail"> | "wrong";
  readonly pick: number;
  readonly delayMs: number;
}

const kinds = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom<Move["kind"]>("totp", "backup code", "passkey", "wrong", "wrong"),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Move["kind"]>(
      ...(["configure", "add", "remove", "regenerate", "unlock", "read"] as const),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Move["kind"]>("suspend", "reactivate", "reactivate", "rehydrate"),
  },
);
const moves: fc.Arbitrary<readonly Move[]> = fc.array(
  fc.record({ kind: kinds, pick: fc.nat(11), delayMs: fc.constantFrom(0, 0, 0, 30_000, 600_000) }),
  { minLength: 1, maxLength: 14, size: "max" },
);

function operationOf(
  { kind, pick }: Move,
  at: number,
  created: Record<string, number[]>,
): Operation {
  const pickCreated = (kindOfCall: string) => {
    const all = [first, ...(created[kindOfCall] ?? [])];
    return all[all.length - 1 - (pick % 5 === 0 ? pick % all.length : 0)] ?? first;
  };
  switch (kind) {
    case "totp": {
      const secret = pickCreated(pick % 2 === 0 ? "configure" : "add");
      const shown = Math.floor(at / 30_000) + (pick % 3) - 1;
      return { kind, code: `${secret} ${shown}`, steps: { [secret]: shown } };
    }
    case "backup code":
      return backupCode(pick % 3, pickCreated("regenerate"));
    case "passkey":
      return { kind, challenge: pick % 3, issuedAt: at - 30_000 * (pick % 4) };
    case "remove":
      return { kind, secret: pickCreated("add") };
    case "wrong":
      return pick % 2 === 0 ? wrong : { kind: "backup code", set: null, index: 0 };
    default:
      return { kind };
  }
}

/** What a code or passkey says of its device. */
function deviceOf({ pick }: Move, operation: Operation, remembered: readonly number[]) {
  const isVerification = ["totp", "backup code", "passkey"].includes(operation.kind);
  if (!isVerification) return {};
  if (pick % 4 === 1) return { remembers: true };
  const device = remembered.at(-1);
  return pick % 4 === 2 && device !== undefined ? { device } : {};
}

/** A strict policy, so that short histories lock and disable. */
export const strict: Policy = {
  maxFailedAttempts: 2,
  lockSeconds: 30,
  maxLockSeconds: 60,
  disableAfter: 3,
};

/** Random sequential calls with the answers of the model, and the state before each call. */
export const runs: fc.Arbitrary<{ readonly calls: History; readonly states: readonly State[] }> =
  moves.map((sequenceOfMoves) => {
    const created: Record<string, number[]> = {};
    const states: State[] = [initial];
    let at = now;
    const calls = sequenceOfMoves.map((move, index): Recorded => {
      const id = index + 1;
      at += move.delayMs;
      const operation = operationOf(move, at, created);
      const spoken = deviceOf(move, operation, created.device ?? []);
      const call = { id, at, operation, ...spoken };
      const { answer, state } = apply(strict, states.at(-1) ?? initial, call);
      states.push(state);
      if (spoken.remembers) created.device = [...(created.device ?? []), id];
      created[move.kind] = [...(created[move.kind] ?? []), id];
      const ticks = { sent: 100 * index, answered: 100 * index + 50 };
      return { ...call, answer, ...ticks, client: "client", about: operation.kind };
    });
    return { calls, states };
  });
