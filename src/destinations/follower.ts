/**
 * The follower: one Durable Object for each destination. It reads the tenant's log, sends, and moves its cursor. What
 * the tenant has configured is in the row of the destination in `DB`, which each run reads anew; so a call that is lost
 * loses nothing. A run is an alarm: the platform repeats it if the object is evicted meanwhile.
 *
 * Deliveries age in real time, so the clock is read here.
 */
import { DurableObject } from "cloudflare:workers";
import { deliveryTimeoutMs } from "../db/client.ts";
import { cacheShard, controlDbOf } from "../db/shards.ts";
import { requireConfig } from "../env.ts";
import { causeOf, log } from "../log.ts";
import { computeRetryDelay } from "../retry-delay.ts";
import { openCredentials } from "../tenancy/destination-credentials.ts";
import { adopt, beginAt, type FollowerState, maxWaiting } from "./advance.ts";
import type { DestinationOwner, StoredDestination } from "./destination.ts";
import { disableDestination } from "./disable.ts";
import { FollowerStorage, type ListedAttempt } from "./follower-storage.ts";
import { LogReader } from "./read-log.ts";
import { maxSendsPerRun, mayGoOn, type Run, readState } from "./run.ts";
import { runStream } from "./run-stream.ts";
import { runWebhook } from "./run-webhook.ts";
import { findServedDestination } from "./store.ts";
import { joinTarget, streamCredentials } from "./streams/stream.ts";
import { webhookConfiguration, webhookCredentials } from "./webhooks/webhook.ts";

/** How long a run waits for further events after the first one was filed. */
const gatherMs = 500;
/** A follower looks at the log so often even if nobody wakes it, so that a call that is lost delays events at most so long. */
export const maxIdleMs = 5 * 60_000;

/** What a follower reports of itself. */
export interface FollowerReport {
  /** Null before the first run. */
  readonly state: Pick<
    FollowerState,
    "cursor" | "delivered" | "failed" | "givenUp" | "failingSince" | "startedAt" | "updatedAt"
  > | null;
  /** Deliveries that wait for a retry. */
  readonly waiting: number;
  readonly hasEnded: boolean;
}

/** `unknown`: the event is not among the last attempts. */
export type ReplayResult = "accepted" | "unknown" | "too_many" | "failed";

export class DestinationFollower extends DurableObject<Env> {
  readonly #storage = new FollowerStorage(this.ctx.storage);
  /** When the pending alarm fires, Unix ms; undefined while none is set, or while one runs. */
  #alarmAt: number | undefined;
  /** Consecutive runs that failed. */
  #failures = 0;
  /** Calls that reported a change of the destination. */
  #changes = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = (await ctx.storage.getAlarm()) ?? undefined;
    });
  }

  /**
   * Has the follower look at the log soon. After a change of the destination, a run that is under way begins no further
   * request. @returns when it looks, Unix ms; events that are filed before then need no
   * further call; null if the destination was deleted, or the storage fails
   */
  async wake(
    owner: DestinationOwner,
    reason: "filed" | "changed" = "filed",
  ): Promise<number | null> {
    try {
      if (reason === "changed") this.#changes += 1;
      if (this.#storage.hasEnded()) return null;
      if (this.#storage.readOwner() === undefined) this.#storage.writeOwner(owner);
      const now = Date.now();
      const isSoon = this.#alarmAt !== undefined && this.#alarmAt <= now + gatherMs;
      // One that is overdue may have been lost.
      if (!isSoon || (this.#alarmAt ?? 0) < now - maxIdleMs) await this.#setAlarm(now + gatherMs);
      return this.#alarmAt ?? now;
    } catch (error) {
      log("error", "follower_failed", { cause: causeOf(error) });
      return null;
    }
  }

  /** Undefined if the storage fails. */
  async report(): Promise<FollowerReport | undefined> {
    try {
      const state = this.#storage.readState() ?? null;
      const hasEnded = this.#storage.hasEnded();
      return { state, waiting: this.#storage.countWaiting(), hasEnded };
    } catch (error) {
      log("error", "follower_failed", { cause: causeOf(error) });
      return undefined;
    }
  }

  /** The last attempts, newest first. Undefined if the storage fails. */
  async listAttempts(): Promise<readonly ListedAttempt[] | undefined> {
    try {
      return this.#storage.listAttempts();
    } catch (error) {
      log("error", "follower_failed", { cause: causeOf(error) });
      return undefined;
    }
  }

  /** Sends an event again that is among the last attempts. @param isTrial finds out only whether it could be */
  async replayEvent(eventId: string, isTrial: boolean): Promise<ReplayResult> {
    try {
      const found = this.#storage.listAttempts().find((one) => one.eventId === eventId);
      if (found === undefined) return "unknown";
      const { leafIndex } = found;
      const isKnown = this.#storage.findWaiting(leafIndex) !== undefined;
      if (!isKnown && this.#storage.countWaiting() >= maxWaiting) return "too_many";
      if (isTrial) return "accepted";
      const now = Date.now();
      this.#storage.putWaiting({ leafIndex, id: eventId, attempts: 0, dueAt: now });
      await this.#setAlarm(now);
      return "accepted";
    } catch (error) {
      log("error", "follower_failed", { cause: causeOf(error) });
      return "failed";
    }
  }

  /** Deletes everything: the destination was deleted, and nothing is sent any more. @returns whether that is done */
  async end(): Promise<boolean> {
    try {
      await this.#storage.end();
      this.#alarmAt = undefined;
      return true;
    } catch (error) {
      log("error", "follower_failed", { cause: causeOf(error) });
      return false;
    }
  }

  /** Runs once, and sets the alarm for the next run. Never throws. */
  override async alarm(): Promise<void> {
    this.#alarmAt = undefined;
    let next: number | undefined;
    try {
      next = await this.#runOnce();
      this.#failures = 0;
    } catch (error) {
      // Nothing is left of a destination that was deleted during the run.
      if (this.#storage.hasEnded()) return;
      this.#failures += 1;
      const count = this.#failures;
      log("error", "follower_run_failed", { cause: causeOf(error), count });
      next = Date.now() + computeRetryDelay(count, Math.random());
    }
    if (next === undefined || this.#storage.hasEnded()) return;
    // A call may have set an earlier alarm meanwhile.
    if (this.#alarmAt === undefined || this.#alarmAt > next) await this.#setAlarm(next);
  }

  /** @returns when the next run is due, Unix ms; undefined if none is until the tenant changes the destination */
  async #runOnce(): Promise<number | undefined> {
    const owner = this.#storage.readOwner();
    if (owner === undefined || this.#storage.hasEnded()) return undefined;
    const control = controlDbOf(this.env);
    const readAt = Date.now();
    const changes = this.#changes;
    const served = await findServedDestination(control, owner, deliveryTimeoutMs);
    // It may have been deleted since the read began.
    if (this.#storage.hasEnded()) return undefined;
    if (served === undefined) {
      await this.#storage.end();
      return undefined;
    }
    const { destination, isTest, shard } = served;
    // What is cached may be older, and would show a log that is shorter than the one that the follower has read.
    cacheShard(this.env, destination.tenantId, shard, readAt);
    this.#adopt(destination);
    if (destination.status === "enabled") {
      const isCurrent = () => this.#changes === changes;
      const run = this.#beginRun(destination, isTest, isCurrent);
      await this.#send(run);
      const { disabling } = readState(run);
      if (disabling === null) return this.#findNextRun(run);
      const isDone = await disableDestination(this.env, destination, disabling);
      if (!isDone) return Date.now();
    }
    return undefined;
  }

  #adopt(destination: StoredDestination): void {
    const known = this.#storage.readState();
    if (known === undefined) {
      this.#storage.writeState(beginAt(destination));
      return;
    }
    const { state, isMoved } = adopt(known, destination);
    if (state === known) return;
    this.#storage.transact(() => {
      this.#storage.writeState(state);
      if (isMoved) this.#storage.removeWaitingFrom(state.cursor);
    });
  }

  #beginRun(destination: StoredDestination, isTest: boolean, isCurrent: Run["isCurrent"]): Run {
    return {
      storage: this.#storage,
      log: new LogReader(this.env, requireConfig(this.env), destination.tenantId),
      destination,
      isTest,
      isCurrent,
      random: Math.random,
      startedAt: Date.now(),
      sendsLeft: maxSendsPerRun,
    };
  }

  async #send(run: Run): Promise<void> {
    const { destination } = run;
    const { configuration, credentials, kind, tenantId } = destination;
    const { sealingKeys } = requireConfig(this.env);
    if (kind === "webhook") {
      const webhook = {
        configuration: webhookConfiguration.parse(JSON.parse(configuration)),
        credentials: await openCredentials(
          sealingKeys,
          destination,
          credentials,
          webhookCredentials,
        ),
      };
      return await runWebhook(run, webhook);
    }
    const secrets = await openCredentials(sealingKeys, destination, credentials, streamCredentials);
    await runStream(run, { tenantId, target: joinTarget(JSON.parse(configuration), secrets) });
  }

  #findNextRun(run: Run): number {
    const now = Date.now();
    if (!mayGoOn(run)) return now;
    const { retryAt } = readState(run);
    const due = this.#storage.findNextDue() ?? Number.POSITIVE_INFINITY;
    const retry = retryAt > now ? retryAt : Number.POSITIVE_INFINITY;
    return Math.min(now + maxIdleMs, due, retry);
  }

  async #setAlarm(at: number): Promise<void> {
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }
}
