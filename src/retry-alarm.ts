/**
 * The alarm by which an object delivers its outbox. It is set again until the delivery succeeds, after growing
 * random waits, and never gives up. Alarms fire in real time, so the clock is read here; no decision depends on
 * it.
 */
import { causeOf, log } from "./log.ts";
import { computeRetryDelay } from "./retry-delay.ts";

/** How long a delivery waits for further events of a burst. Under low load the trail is late by this time. */
export const deliveryDelayMs = 200;

/**
 * After a change, the alarm is set for less than this later unless a delivery has failed: counted refusals are
 * reported after an hour at the latest.
 */
const maxDeliveryDelayMs = 2 * 60 * 60 * 1000;

/** The platform repeats an alarm that it could not run for some minutes, and then gives it up. */
const maxOverdueMs = 10 * 60 * 1000;

/** Stored after a failure, and deleted by the next success, so that a delivery that succeeds writes no row. */
const failureKey = "delivery_failure";

interface DeliveryFailure {
  /** Consecutive failures. */
  readonly count: number;
  /** The database that the delivery was for, as far as the object knew. */
  readonly shard: number;
  /** When the first of them was, Unix ms. Undefined in what an older build stored. */
  readonly since?: number;
}

export class RetryAlarm {
  readonly #ctx: DurableObjectState;
  /** The object's name in the log. */
  readonly #source: string;
  /** When the pending alarm fires, Unix ms. */
  #at: number | undefined;
  /** When the alarm fires that an earlier run of the object has left, Unix ms; undefined if it left none. */
  #foundAt: number | undefined;
  /** Mirrors the stored failure: `undefined` until it was read, `null` when there is none. */
  #failure: DeliveryFailure | null | undefined;
  /** Counts how often the storage was cleared. An alarm that ran meanwhile leaves nothing behind. */
  #resets = 0;

  constructor(ctx: DurableObjectState, source: string) {
    this.#ctx = ctx;
    this.#source = source;
    // An alarm that was set before an eviction is still set, and a later one must not replace it.
    ctx.blockConcurrencyWhile(async () => {
      this.#at = (await ctx.storage.getAlarm()) ?? undefined;
      this.#foundAt ??= this.#at;
    });
  }

  /**
   * Whether an earlier run of the object has delivered what this run found in the storage, if the platform has lost
   * no alarm: then it left none, or only one for something that was due much later.
   * @param writtenAt Unix ms; undefined if it is not known
   */
  hasDelivered(writtenAt: number | undefined): boolean {
    if (this.#foundAt === undefined) return true;
    if (writtenAt === undefined || this.isFailing()) return false;
    return this.#foundAt > writtenAt + maxDeliveryDelayMs;
  }

  /** Whether the last delivery failed. */
  isFailing(): boolean {
    return this.findFailure() !== null;
  }

  /** Makes the alarm fire within the delay, or later while deliveries fail. One that is long overdue does not count. */
  async arm(delayMs: number): Promise<void> {
    const now = Date.now();
    if (this.#at !== undefined && this.#at < now - maxOverdueMs) this.#at = undefined;
    const failure = this.findFailure();
    // The alarm of a failed delivery stays as it is.
    if (this.#at !== undefined && failure !== null) return;
    const backoffMs = failure === null ? 0 : computeRetryDelay(failure.count, Math.random());
    const at = now + Math.max(delayMs, backoffMs);
    if (this.#at === undefined || this.#at > at) await this.#set(at);
  }

  /** Does the work of an alarm that fired. If it throws, the alarm is set again. Never throws. */
  async run(deliver: () => Promise<void>): Promise<void> {
    this.markFired();
    await this.attempt(deliver, () => 0);
  }

  /** Call this when everything was delivered. */
  clearFailure(): void {
    if (this.findFailure() === null) return;
    this.#failure = null;
    this.#ctx.storage.kv.delete(failureKey);
  }

  /**
   * Clears the storage, which also deletes the pending alarm and the failure.
   * @throws what `clear` throws; the storage then counts as not cleared
   */
  async reset(clear: () => Promise<void>): Promise<void> {
    this.#resets += 1;
    this.#at = undefined;
    this.#failure = null;
    try {
      await clear();
    } catch (error) {
      this.#resets -= 1;
      this.#failure = undefined;
      throw error;
    }
  }

  /** Grows when the storage is cleared. */
  protected get resets(): number {
    return this.#resets;
  }

  /** @param scheduledAt when the alarm was due, Unix ms */
  protected markFired(scheduledAt?: number): void {
    // While an alarm fires, it does not count as set any more, so the object has not found the one that started it.
    if (this.#at === undefined) this.#foundAt ??= scheduledAt ?? 0;
    this.#at = undefined;
  }

  /**
   * Delivers, and stores whether that failed, unless the storage was cleared meanwhile. Never throws.
   * @param findShard the database that the delivery was for
   * @returns undefined if it succeeded, otherwise the error
   */
  protected async attempt(
    deliver: () => Promise<void>,
    findShard: () => number,
  ): Promise<Error | undefined> {
    const resets = this.#resets;
    try {
      await deliver();
      this.clearFailure();
      return undefined;
    } catch (error) {
      if (resets === this.#resets) await this.recordFailure(error, findShard());
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  protected async recordFailure(error: unknown, shard: number): Promise<void> {
    const { count, since } = await this.countFailure(shard);
    log("error", "outbox_delivery_failed", {
      source: this.#source,
      cause: causeOf(error),
      count,
      age_seconds: Math.max(0, Math.floor((Date.now() - since) / 1000)),
    });
  }

  /** Stores a failure, and sets the alarm again. @returns the consecutive failures, and when the first was, Unix ms */
  protected async countFailure(shard: number): Promise<Required<DeliveryFailure>> {
    const known = this.findFailure();
    const count = (known?.count ?? 0) + 1;
    const failure = { count, shard, since: known?.since ?? Date.now() };
    this.#failure = failure;
    this.#ctx.storage.kv.put(failureKey, this.#failure);
    // This replaces an alarm that was set for a new event meanwhile.
    await this.#set(Date.now() + computeRetryDelay(count, Math.random()));
    return failure;
  }

  protected async postpone(delayMs: number): Promise<void> {
    await this.#set(Date.now() + delayMs);
  }

  /** The last delivery's failure; null if it succeeded. */
  protected findFailure(): DeliveryFailure | null {
    if (this.#failure === undefined) {
      this.#failure = this.#ctx.storage.kv.get<DeliveryFailure>(failureKey) ?? null;
    }
    return this.#failure;
  }

  async #set(at: number): Promise<void> {
    this.#at = at;
    await this.#ctx.storage.setAlarm(at);
  }
}
