/**
 * The alarm by which an object delivers its outbox. It is set again until the delivery succeeds, after growing
 * random waits, and never gives up. A delivery that failed before, or that is late, asks the delivery gate first.
 * Alarms fire in real time, so the clock is read here; no decision depends on it.
 */
import { FencedTenantError } from "../../db/client.ts";
import { lastKnownShardOf } from "../../db/shards.ts";
import { causeOf, log } from "../../log.ts";
import type { DeliveryOutcome } from "./admissions.ts";
import { enterGate, leaveGate } from "./gate-client.ts";
import { computeRetryDelay } from "./retry-delay.ts";

/** How long a delivery waits for further events of a burst. Under low load the trail is late by this time. */
export const deliveryDelayMs = 200;

/**
 * The share of late deliveries that start although the gate does not answer. It is small, because the gate may be
 * overloaded by the objects that wait, and not zero, because no delivery may depend on the gate.
 */
export const shareWithoutGate = 1 / 20;

/** Stored after a failure, and deleted by the next success, so that a delivery that succeeds writes no row. */
const failureKey = "delivery_failure";

interface DeliveryFailure {
  /** Consecutive failures. */
  readonly count: number;
  /** The database that the delivery was for, as far as the object knew. */
  readonly shard: number;
}

/** What an alarm has to do. */
interface AlarmWork {
  /** Undefined: the object has nothing to deliver. It may throw if the object's own data is damaged. */
  readonly findTenantId: () => string | undefined;
  /** Whether the delivery should have arrived already by another way. */
  readonly isLate: boolean;
  readonly deliver: () => Promise<void>;
}

export class RetryAlarm {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  /** The object's name in the log. */
  readonly #source: string;
  /** When the pending alarm fires, Unix ms. */
  #at: number | undefined;
  /** Mirrors the stored failure: `undefined` until it was read, `null` when there is none. */
  #failure: DeliveryFailure | null | undefined;
  /** Counts how often the storage was cleared. An alarm that ran meanwhile leaves nothing behind. */
  #resets = 0;

  constructor(ctx: DurableObjectState, env: Env, source: string) {
    this.#ctx = ctx;
    this.#env = env;
    this.#source = source;
    // An alarm that was set before an eviction is still set, and a later one must not replace it.
    ctx.blockConcurrencyWhile(async () => {
      this.#at = (await ctx.storage.getAlarm()) ?? undefined;
    });
  }

  /** Whether the last delivery failed. */
  isFailing(): boolean {
    return this.#readFailure() !== null;
  }

  /** Makes the alarm fire within the delay, or later while deliveries fail. */
  async arm(delayMs: number): Promise<void> {
    const failure = this.#readFailure();
    // The alarm of a failed delivery stays as it is.
    if (this.#at !== undefined && failure !== null) return;
    const backoffMs = failure === null ? 0 : computeRetryDelay(failure.count, Math.random());
    const at = Date.now() + Math.max(delayMs, backoffMs);
    if (this.#at === undefined || this.#at > at) await this.#set(at);
  }

  /** Does the work of an alarm that fired. If it fails or must wait, the alarm is set again. Never throws. */
  async run(work: AlarmWork): Promise<void> {
    this.#at = undefined;
    try {
      const tenantId = work.findTenantId();
      if (tenantId !== undefined) await this.#runFor(tenantId, work);
    } catch (error) {
      await this.#recordFailure(error, 0);
    }
  }

  async #runFor(tenantId: string, work: AlarmWork): Promise<void> {
    const resets = this.#resets;
    if (!this.isFailing() && !work.isLate) {
      await this.#deliver(tenantId, work);
      return;
    }
    const deliverer = { id: this.#ctx.id.toString(), tenantId };
    const shard = this.#readFailure()?.shard ?? lastKnownShardOf(tenantId);
    const waitMs = await enterGate(this.#env, shard, deliverer);
    if (resets !== this.#resets) return;
    if (waitMs === undefined && Math.random() >= shareWithoutGate) {
      // Growing waits take the load from an overloaded gate.
      await this.#countFailure(shard);
      return;
    }
    if (waitMs !== undefined && waitMs > 0) {
      await this.#set(Date.now() + waitMs);
      return;
    }
    const outcome = await this.#deliver(tenantId, work);
    if (waitMs !== undefined) await leaveGate(this.#env, shard, deliverer, outcome);
  }

  /** Call this when everything was delivered. */
  clearFailure(): void {
    if (this.#readFailure() === null) return;
    this.#failure = null;
    this.#ctx.storage.kv.delete(failureKey);
  }

  /** Call this when the storage is cleared, because that also deletes the pending alarm and the failure. */
  reset(): void {
    this.#resets += 1;
    this.#at = undefined;
    this.#failure = null;
  }

  async #deliver(tenantId: string, { deliver }: AlarmWork): Promise<DeliveryOutcome> {
    const resets = this.#resets;
    try {
      await deliver();
      this.clearFailure();
      return "delivered";
    } catch (error) {
      if (resets !== this.#resets) return "failed";
      await this.#recordFailure(error, lastKnownShardOf(tenantId));
      return error instanceof FencedTenantError ? "moving" : "failed";
    }
  }

  async #recordFailure(error: unknown, shard: number): Promise<void> {
    const count = await this.#countFailure(shard);
    log("error", "outbox_delivery_failed", { source: this.#source, cause: causeOf(error), count });
  }

  /** @returns the consecutive failures */
  async #countFailure(shard: number): Promise<number> {
    const count = (this.#readFailure()?.count ?? 0) + 1;
    this.#failure = { count, shard };
    this.#ctx.storage.kv.put(failureKey, this.#failure);
    // This replaces an alarm that was set for a new event meanwhile.
    await this.#set(Date.now() + computeRetryDelay(count, Math.random()));
    return count;
  }

  #readFailure(): DeliveryFailure | null {
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
