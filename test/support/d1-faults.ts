/** Faults of D1. They are injected into the platform's classes, so that all callers meet them. */
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { hangForever, withQuickDeadlines } from "./deadlines.ts";

export type D1Fault =
  | "throws"
  | "hangs"
  | "fails on write"
  | "loses the reply"
  | "loses the reply to a write"
  | "fails on batches only"
  | "hangs on batches only"
  | "loses the reply to batches only"
  | "fails on single writes only"
  | "fails on single reads only";

type Run = (this: unknown, ...args: unknown[]) => Promise<unknown>;
/** The way a statement reaches D1: in a batch, or alone as a write or a read. */
type Kind = "batch" | "single write" | "single read";
type Effect = "throws" | "hangs" | "loses the reply";

interface Call {
  readonly on: Record<string, Run>;
  readonly name: string;
  readonly kind: Kind;
  readonly real: Run;
}

function effectOf(fault: D1Fault): readonly [Effect, readonly Kind[]] {
  switch (fault) {
    case "throws":
    case "hangs":
    case "loses the reply":
      return [fault, ["batch", "single write", "single read"]];
    case "fails on write":
      return ["throws", ["batch", "single write"]];
    case "loses the reply to a write":
      return ["loses the reply", ["batch", "single write"]];
    case "fails on batches only":
      return ["throws", ["batch"]];
    case "hangs on batches only":
      return ["hangs", ["batch"]];
    case "loses the reply to batches only":
      return ["loses the reply", ["batch"]];
    case "fails on single writes only":
      return ["throws", ["single write"]];
    case "fails on single reads only":
      return ["throws", ["single read"]];
  }
}

function breakCall(effect: Effect, real: Run, message: string): Run {
  return async function (...args) {
    switch (effect) {
      case "throws":
        throw new Error(`D1_ERROR: ${message}`);
      case "hangs":
        return await hangForever();
      case "loses the reply":
        await real.apply(this, args);
        throw new Error(`D1_ERROR: ${message} after commit`);
    }
  };
}

const pollMs = 5;

export interface HeldAnswers {
  /** Batches that D1 has carried out. */
  count: number;
  /** Lets D1 answer. */
  release: () => void;
}

/**
 * Makes D1 carry out every batch that contains the text, and hold its answers until they are released. Restore the
 * mocks afterwards.
 */
export function holdBatchAnswers(text: string): HeldAnswers {
  const database: { batch: Run } = Object.getPrototypeOf(env.DB);
  const { batch } = database;
  let isHeld = true;
  const held: HeldAnswers = {
    count: 0,
    release: () => {
      isHeld = false;
    },
  };
  vi.spyOn(database, "batch").mockImplementation(async function (this: unknown, ...args) {
    const answer = await batch.apply(this, args);
    if (!JSON.stringify(args).includes(text)) return answer;
    held.count += 1;
    // This polls, because one request cannot wake another.
    while (isHeld) await scheduler.wait(pollMs);
    return answer;
  });
  return held;
}

/** Every method that calls D1. Drizzle uses `run` for statements without rows, and the others to read. */
function listD1Calls(): readonly Call[] {
  const database = Object.getPrototypeOf(env.DB);
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
  const call = (on: Record<string, Run>, kind: Kind) => (name: string) => {
    const real = on[name];
    if (real === undefined) throw new Error(`D1 has no ${name}`);
    return { on, name, kind, real };
  };
  return [
    ...["all", "raw", "first"].map(call(statement, "single read")),
    ...["run"].map(call(statement, "single write")),
    ...["batch", "exec"].map(call(database, "batch")),
  ];
}

/**
 * Runs `work` while every D1 of this isolate is broken in the given way.
 * @param message the text in D1's errors
 */
export async function withD1Fault<T>(
  fault: D1Fault,
  work: () => Promise<T>,
  message = "injected",
): Promise<T> {
  const [effect, kinds] = effectOf(fault);
  const spies = listD1Calls()
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ on, name, real }) =>
      vi.spyOn(on, name).mockImplementation(breakCall(effect, real, message)),
    );
  try {
    return effect === "hangs" ? await withQuickDeadlines(work) : await work();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
