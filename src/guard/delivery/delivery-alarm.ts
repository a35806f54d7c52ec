/**
 * The retry alarm of guards and refusal logs, which are many. A delivery that failed before asks the delivery gate
 * first.
 */
import { FencedTenantError } from "../../db/client.ts";
import { lastKnownShardOf } from "../../db/shards.ts";
import { RetryAlarm } from "../../retry-alarm.ts";
import type { DeliveryOutcome } from "./admissions.ts";
import { enterGate, leaveGate } from "./gate-client.ts";

/**
 * The share of late deliveries that start although the gate does not answer. It is small, because the gate may be
 * overloaded by the objects that wait, and not zero, because no delivery may depend on the gate.
 */
export const shareWithoutGate = 1 / 20;

/** What an alarm has to do. */
interface AlarmWork {
  /** Undefined: the object has nothing to deliver. It may throw if the object's own data is damaged. */
  readonly findTenantId: () => string | undefined;
  readonly deliver: () => Promise<void>;
}

export class DeliveryAlarm extends RetryAlarm {
  /** The id of the object. */
  readonly #id: string;
  readonly #env: Env;

  constructor(ctx: DurableObjectState, env: Env, source: string) {
    super(ctx, source);
    this.#id = ctx.id.toString();
    this.#env = env;
  }

  /**
   * Does the work of an alarm that fired. If it fails or must wait, the alarm is set again. Never throws.
   * @param scheduledAt when the alarm was due, Unix ms
   */
  async runDelivery(work: AlarmWork, scheduledAt?: number): Promise<void> {
    this.markFired(scheduledAt);
    try {
      const tenantId = work.findTenantId();
      if (tenantId !== undefined) await this.#runFor(tenantId, work);
    } catch (error) {
      await this.recordFailure(error, 0);
    }
  }

  async #runFor(tenantId: string, { deliver }: AlarmWork): Promise<void> {
    const findShard = () => lastKnownShardOf(tenantId);
    if (!this.isFailing()) {
      await this.attempt(deliver, findShard);
      return;
    }
    const failure = this.findFailure();
    const deliverer = { id: this.#id, tenantId, failingSince: failure?.since ?? null };
    const shard = failure?.shard ?? findShard();
    const resetsBefore = this.resets;
    const waitMs = await enterGate(this.#env, shard, deliverer);
    if (resetsBefore !== this.resets) {
      if (waitMs === 0) await leaveGate(this.#env, shard, deliverer, "delivered");
      return;
    }
    if (waitMs === undefined && Math.random() >= shareWithoutGate) {
      // Growing waits take the load from an overloaded gate.
      await this.countFailure(shard);
      return;
    }
    if (waitMs !== undefined && waitMs > 0) {
      await this.postpone(waitMs);
      return;
    }
    const error = await this.attempt(deliver, findShard);
    if (waitMs !== undefined) await leaveGate(this.#env, shard, deliverer, outcomeOf(error));
  }
}

function outcomeOf(error: Error | undefined): DeliveryOutcome {
  if (error === undefined) return "delivered";
  return error instanceof FencedTenantError ? "moving" : "failed";
}
