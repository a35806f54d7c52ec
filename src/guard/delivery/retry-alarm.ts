/**
 * The alarm by which an object delivers what it holds: it comes back until that succeeds, ever more
 * rarely while it fails, and never gives up. Alarms fire in real time, so the clock is read here;
 * nothing is decided by it.
 */
import { causeOf, log } from "../../log.ts";

/** Events of one burst travel together; at rest the trail is this much behind. */
export const deliveryDelayMs = 200;
const maxRetryDelayMs = 60_000;

export class RetryAlarm {
  readonly #ctx: DurableObjectState;
  /** Of whom the log speaks. */
  readonly #source: string;
  /** When the pending alarm fires, Unix ms. */
  #at: number | undefined;
  /** Alarms in a row that could not deliver. */
  #failures = 0;

  constructor(ctx: DurableObjectState, source: string) {
    this.#ctx = ctx;
    this.#source = source;
    // An alarm set before an eviction stands; a later one must not take its place.
    ctx.blockConcurrencyWhile(async () => {
      this.#at = (await ctx.storage.getAlarm()) ?? undefined;
    });
  }

  /** Whether the last one could not deliver: the next comes in its time, and no sooner. */
  isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Sees to it that the alarm fires within the delay; later while deliveries fail. */
  async arm(delayMs: number): Promise<void> {
    const backoff = Math.min(maxRetryDelayMs, deliveryDelayMs * 2 ** this.#failures);
    const at = Date.now() + Math.max(delayMs, backoff);
    if (this.#at !== undefined && this.#at <= at) return;
    this.#at = at;
    await this.#ctx.storage.setAlarm(at);
  }

  /** The alarm fired: does the work, or comes back for it. */
  async run(work: () => Promise<void>): Promise<void> {
    this.#at = undefined;
    try {
      await work();
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      const count = this.#failures;
      log("error", "outbox_delivery_failed", {
        source: this.#source,
        cause: causeOf(error),
        count,
      });
      await this.arm(deliveryDelayMs);
    }
  }

  /** The storage is being cleared, and the pending alarm with it. */
  reset(): void {
    this.#at = undefined;
  }
}
