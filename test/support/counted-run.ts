/**
 * One counted run: its calls to stores and objects, and how many of them follow one another. The async
 * context records where code runs, at the edge or inside an object. The platform does not carry the
 * context across a call to an object, so each side has its own.
 */
import { AsyncLocalStorage } from "node:async_hooks";

export type Kind = "D1" | "KV read" | "KV write" | "R2" | "object" | "queue";

/** A call of the run that leaves its isolate or its object. */
export interface Call {
  readonly kind: Kind;
  /** The SQL, the key, or the class and method. */
  readonly what: string;
  /**
   * Round trips until this call is answered, if all take equally long. It is one more than the depth of
   * the enclosing call and of every call of the run that was answered before this one began.
   */
  readonly depth: number;
}

interface Rows {
  readonly read: number;
  readonly written: number;
}

/** A cursor. Its row count is final after its object has finished the call. */
export type WriteCursor = Pick<SqlStorageCursor<Record<string, SqlStorageValue>>, "rowsWritten">;

export class CountedRun {
  readonly calls: Call[] = [];
  /** Calls that were made outside the counted run. A run with strays has no valid counts. */
  readonly strays: string[] = [];
  /** The SQL that was sent to D1. */
  readonly statements = new Set<string>();
  rowsInD1: Rows = { read: 0, written: 0 };
  rowsInObjects = 0;
  alarmsSet = 0;
  limiterCalls = 0;
  readonly #background: RegExp | undefined;
  readonly #answered = Promise.withResolvers<void>();
  readonly #pending = new Set<Promise<unknown>>();
  #deepestAnswered = 0;

  /** @param background SQL that does not delay the answer. It is held until the answer exists */
  constructor(background: RegExp | undefined) {
    this.#background = background;
  }

  /** Counts a call that an enclosing call of depth `inside` makes. @param go starts it and gets its depth */
  async call<T>(
    kind: Kind,
    what: string,
    inside: number,
    go: (depth: number) => Promise<T>,
  ): Promise<T> {
    const isBackground = this.#background?.test(what) ?? false;
    const depth = isBackground ? 0 : 1 + Math.max(inside, this.#deepestAnswered);
    this.calls.push({ kind, what, depth });
    const work = async () => {
      if (isBackground) await this.#answered.promise;
      try {
        return await go(depth);
      } finally {
        this.#deepestAnswered = Math.max(this.#deepestAnswered, depth);
      }
    };
    const answer = work();
    this.#pending.add(answer);
    const remove = () => this.#pending.delete(answer);
    answer.then(remove, remove);
    return await answer;
  }

  /** Marks the answer as complete and waits for the calls that are still pending. */
  async end(): Promise<void> {
    this.#answered.resolve();
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }
}

/** The point of a counted run where code executes. */
export interface CallContext {
  readonly run: CountedRun;
  /** Depth of the call to the object that the code runs in; 0 at the edge. */
  readonly depth: number;
  /** The cursors of the object's statements, for their count of written rows. */
  readonly cursors: WriteCursor[];
}

const contexts = new AsyncLocalStorage<CallContext>();

export function currentContext(): CallContext | undefined {
  return contexts.getStore();
}

export async function runInContext<T>(context: CallContext, work: () => Promise<T>): Promise<T> {
  return await contexts.run(context, work);
}
