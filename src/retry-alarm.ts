/**
 * The alarm by which an object delivers its outbox. It is set again until the delivery succeeds, with
 * growing delays, and never gives up. Alarms fire in real time, so the clock is read here; no decision
 * depends on it.
 */
import { causeOf, log } from "./log.ts";

/** How long a delivery waits for further events of a burst. Under low load the trail is late by this time. */
export const deliveryDelayMs = 200;
const maxRetryDelayMs = 60_000;

export class RetryAlarm {
  readonly #ctx: DurableObjectState;
  /** The object's name in the log. */
  readonly #source: string;
  /** When the pending alarm fires, Unix ms. */
  #at: number | undefined;
  /** Consecutive alarms that failed to deliver. */
  #failures = 0;

  constructor(ctx: DurableObjectState, source: string) {
    this.#ctx = ctx;
    this.#source = source;
    // An alarm that was set before an eviction is still set, and a later one must not replace it.
    ctx.blockConcurrencyWhile(async () => {
      this.#at = (await ctx.storage.getAlarm()) ?? undefined;
    });
  }

  /** Whether the last alarm failed to deliver. */
  isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Makes the alarm fire within the delay, or later while deliveries fail. */
  async arm(delayMs: number): Promise<void> {
    const backoff = Math.min(maxRetryDelayMs, deliveryDelayMs * 2 ** this.#failures);
    const at = Date.now() + Math.max(delayMs, backoff);
    if (this.#at !== undefined && this.#at <= at) return;
    this.#at = at;
    await this.#ctx.storage.setAlarm(at);
  }

  /** Does the work of an alarm that fired, and sets the alarm again if the work throws. */
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

  /** Call this when the storage is cleared, because that also deletes the pending alarm. */
  reset(): void {
    this.#at = undefined;
  }
}
