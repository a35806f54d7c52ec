/**
 * One run that is being counted: what it asked of the outside, and how much of that one after the
 * other. Where a piece of code runs (at the edge, or inside which object) is its async context: the
 * platform does not carry that across a call to an object, so each side has its own.
 */
import { AsyncLocalStorage } from "node:async_hooks";

export type Kind = "D1" | "KV read" | "KV write" | "R2" | "object" | "queue";

/** A call of the run to something outside the isolate or the object it was made in. */
export interface Call {
  readonly kind: Kind;
  /** SQL, key, or class and method. */
  readonly what: string;
  /**
   * Round trips until this call is answered, if each takes as long as the others: one more than the
   * call it was made inside of, and than those of the same run that were answered when it began.
   */
  readonly depth: number;
}

interface Rows {
  readonly read: number;
  readonly written: number;
}

/** A cursor, whose count of rows is final once its object has done with it. */
export type WriteCursor = Pick<SqlStorageCursor<Record<string, SqlStorageValue>>, "rowsWritten">;

export class CountedRun {
  readonly calls: Call[] = [];
  /** What was called where nobody counts it: a run that has any is not to be believed. */
  readonly strays: string[] = [];
  rowsInD1: Rows = { read: 0, written: 0 };
  rowsInObjects = 0;
  alarmsSet = 0;
  limiterCalls = 0;
  readonly #beside: RegExp | undefined;
  readonly #answered = Promise.withResolvers<void>();
  readonly #underWay = new Set<Promise<unknown>>();
  #deepestAnswered = 0;

  /** @param beside SQL that goes on beside the answer: it is held until the answer is there */
  constructor(beside: RegExp | undefined) {
    this.#beside = beside;
  }

  /** Counts a call made at a depth of others. @param go begins it, and is told its own depth */
  async call<T>(
    kind: Kind,
    what: string,
    inside: number,
    go: (depth: number) => Promise<T>,
  ): Promise<T> {
    const isBeside = this.#beside?.test(what) ?? false;
    const depth = isBeside ? 0 : 1 + Math.max(inside, this.#deepestAnswered);
    this.calls.push({ kind, what, depth });
    const work = async () => {
      if (isBeside) await this.#answered.promise;
      try {
        return await go(depth);
      } finally {
        this.#deepestAnswered = Math.max(this.#deepestAnswered, depth);
      }
    };
    const answer = work();
    this.#underWay.add(answer);
    const forget = () => this.#underWay.delete(answer);
    answer.then(forget, forget);
    return await answer;
  }

  /** The answer is there. Waits for what goes on after it. */
  async end(): Promise<void> {
    this.#answered.resolve();
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }
}

/** Where code runs that is being counted. */
export interface CallContext {
  readonly run: CountedRun;
  /** Depth of the call to the object it runs in; 0 at the edge. */
  readonly depth: number;
  /** What the object has written. */
  readonly cursors: WriteCursor[];
}

const places = new AsyncLocalStorage<CallContext>();

export function currentContext(): CallContext | undefined {
  return places.getStore();
}

export async function runInContext<T>(place: CallContext, work: () => Promise<T>): Promise<T> {
  return await places.run(place, work);
}
