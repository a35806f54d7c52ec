/** The time limit of one try, joined with the signal of the caller. */
import { IdpError } from "./idp-error.ts";

/** Timers of the platform end at once if they should run for longer, about 25 days. */
const maxTimerMs = 2 ** 31 - 1;

export class Deadline {
  readonly #timeoutMs: number;
  readonly #caller: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #abort = () => this.#controller.abort();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /** Starts at once. @throws the reason of a signal that is aborted already */
  constructor(timeoutMs: number, caller: AbortSignal | undefined) {
    caller?.throwIfAborted();
    this.#timeoutMs = Math.min(timeoutMs, maxTimerMs);
    this.#caller = caller;
    caller?.addEventListener("abort", this.#abort);
    this.start();
  }

  /** Aborts when the time is over, or when the caller's signal does. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Counts the whole time again from now. */
  start(): void {
    this.pause();
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#abort();
    }, this.#timeoutMs);
  }

  /** Stops the clock, while the caller works and not the service. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Releases timer and signal. */
  end(): void {
    this.pause();
    this.#caller?.removeEventListener("abort", this.#abort);
  }

  /** What a failed request or a failed read means: the caller's reason, a time-out, or no connection. */
  explain(cause: unknown): unknown {
    if (this.#caller?.aborted) return this.#caller.reason;
    if (this.#isOver) {
      return new IdpError({
        code: "timeout",
        message: `The service did not answer within ${this.#timeoutMs} ms.`,
        cause,
      });
    }
    return new IdpError({
      code: "unreachable",
      message: "The service cannot be reached, or the connection ended before the answer did.",
      cause,
    });
  }
}
