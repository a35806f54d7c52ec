/**
 * Delivers a guard's outbox to D1: through the queue after a short delay, or directly if a change waits for the
 * delivery or the alarm fires. The queue may lose a message; the alarm then delivers its content.
 *
 * Tombstones age in real time, so the clock is read here; no decision depends on it.
 */
import { renewAuditKey } from "../audit/personal.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { deliveryTimeoutMs, FencedTenantError, requestTimeoutMs } from "../db/client.ts";
import { isDeletedTenant } from "../db/deleted-tenants.ts";
import { runInTenantDb } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { requireConfig } from "../env.ts";
import { findRecord } from "../identity/store.ts";
import type { Jurisdiction } from "../location.ts";
import { causeOf, log } from "../log.ts";
import { deliveryDelayMs, type RetryAlarm } from "../retry-alarm.ts";
import type { IdentityState } from "./decisions/state.ts";
import { DeliveryBatcher, type SentDelivery } from "./delivery/batcher.ts";
import { buildDelivery, type PendingDelivery } from "./delivery/build-delivery.ts";
import { fileDelivery } from "./delivery/delivery.ts";
import { hasQueue, sendDelivery } from "./delivery/producer.ts";
import type { GuardStorage } from "./storage.ts";

/** How long the alarm leaves a delivery to the queue. */
const queueDelayMs = 10_000;

export class GuardOutbox {
  readonly #env: Env;
  readonly #storage: GuardStorage;
  readonly #alarm: RetryAlarm;
  readonly #batcher: DeliveryBatcher;
  /** The direct delivery that is running, and when it started, Unix ms. */
  #running: Promise<void> = Promise.resolve();
  #startedAt = 0;
  /** The direct delivery after the running one. All callers in the meantime share it. */
  #next: Promise<void> | undefined;

  constructor(ctx: DurableObjectState, env: Env, storage: GuardStorage, alarm: RetryAlarm) {
    this.#env = env;
    this.#storage = storage;
    this.#alarm = alarm;
    this.#batcher = new DeliveryBatcher(ctx, () => this.#sendToQueue());
  }

  /** Schedules the delivery of what was just recorded. @returns when the alarm is due at the latest, ms */
  schedule(jurisdiction: Jurisdiction | null): number {
    // A queue has no jurisdiction. While D1 fails only the alarm tries, with growing delays.
    const mayQueue = hasQueue(this.#env) && jurisdiction === null && !this.#alarm.isFailing();
    if (!mayQueue) return deliveryDelayMs;
    this.#batcher.schedule();
    return queueDelayMs;
  }

  /** Whether the queue should have delivered already what an alarm finds here. */
  isLate(): boolean {
    return this.#batcher.isAwaitingConfirmation();
  }

  /**
   * Delivers everything that was recorded before this call. After an erasure it also clears the guard. A request
   * waits for this for `requestTimeoutMs`; the delivery goes on.
   * @throws StoreError when D1 fails; the alarm then keeps trying
   */
  flush(): Promise<void> {
    this.#next ??= this.#runNext();
    return this.#next;
  }

  /** Works like `flush`, but D1 gets nothing a second time while it may still answer. @throws StoreError */
  async flushPatiently(): Promise<void> {
    await this.#running.catch(() => {});
    await this.flush();
  }

  /**
   * Removes what has reached D1 through the queue. A delivery that was sent before the guard last started does
   * not count: the alarm delivers it again.
   */
  confirm({ sender, lastSeq }: SentDelivery): void {
    if (sender !== this.#batcher.sender) return;
    this.#storage.removeDelivered(lastSeq);
    this.#batcher.confirm();
    if (this.#storage.readPending() !== undefined) this.#batcher.schedule();
  }

  async #runNext(): Promise<void> {
    await this.#waitForRunning();
    this.#next = undefined;
    this.#startedAt = Date.now();
    this.#running = this.#deliverAll();
    await this.#running;
  }

  /** A delivery that D1 does not answer holds up later requests no longer than the one that started it. */
  async #waitForRunning(): Promise<void> {
    const restMs = this.#startedAt + requestTimeoutMs - Date.now();
    if (restMs > 0) await awaitWithin(restMs, this.#running).catch(() => {});
  }

  async #deliverAll(): Promise<void> {
    try {
      await this.#deliverPending();
    } catch (error) {
      if (!(error instanceof FencedTenantError) || !(await this.#isTenantDeleted())) throw error;
      // D1 accepts nothing of a deleted tenant any more, so what is left here must not wait for it.
      log("warn", "delivery_of_deleted_tenant", { source: "guard" });
      await this.#alarm.reset(() => this.#storage.clear());
    }
  }

  async #isTenantDeleted(): Promise<boolean> {
    const tenantId = this.#storage.readState()?.state.tenantId;
    return tenantId !== undefined && (await isDeletedTenant(this.#env, tenantId));
  }

  async #deliverPending(): Promise<void> {
    for (
      let pending = await this.#findPending();
      pending !== undefined;
      pending = await this.#findPending()
    ) {
      const delivery = await buildDelivery(this.#env, pending, Date.now());
      if (await fileDelivery(this.#env, delivery)) this.#storage.removeDelivered(pending.lastSeq);
      else await this.#overtakeNewerRecord(pending.state);
    }
    this.#batcher.confirm();
    if (this.#storage.isErasing()) await this.#alarm.reset(() => this.#storage.clear());
    else this.#alarm.clearFailure();
  }

  /**
   * D1 has a newer version than the guard when the guard was restored to an earlier time. The guard's state
   * takes precedence: it gets a version above that of D1.
   */
  async #overtakeNewerRecord({ tenantId, identityId }: Owner): Promise<void> {
    const record = await runInTenantDb(
      this.#env,
      tenantId,
      (db) => findRecord(db, tenantId, identityId, deliveryTimeoutMs),
      deliveryTimeoutMs,
    );
    const present = this.#storage.readState();
    if (present === null || record === undefined || record.version <= present.version) return;
    this.#storage.write(present.state, record.version + 1);
  }

  /** What to deliver next, with a current audit key; undefined when the outbox is empty. */
  async #findPending(): Promise<PendingDelivery | undefined> {
    for (;;) {
      const pending = this.#storage.readPending();
      if (pending === undefined || !(await this.#renewAuditKey(pending.state))) return pending;
    }
  }

  /** Sends what is pending to the queue; if that fails, sets the alarm. @returns whether it was sent */
  async #sendToQueue(): Promise<boolean> {
    try {
      const pending = await this.#findPending();
      // An erasure delivers its own outbox.
      if (pending === undefined || this.#storage.isErasing()) return false;
      const now = Date.now();
      const delivery = await buildDelivery(this.#env, pending, now);
      const sent = { sender: this.#batcher.sender, lastSeq: pending.lastSeq };
      if (await sendDelivery(this.#env, delivery, sent, now)) return true;
      await this.#alarm.arm(deliveryDelayMs);
    } catch (error) {
      log("error", "delivery_not_queued", { source: "guard", cause: causeOf(error) });
    }
    return false;
  }

  /**
   * Gives the identity an audit key under the newest sealing key, before any of its data reaches D1. @returns
   * whether the state may have changed, so that the caller must read it again
   */
  async #renewAuditKey(state: IdentityState): Promise<boolean> {
    if (state.status === "erased") return false;
    const auditKey = await renewAuditKey(
      requireConfig(this.#env).sealingKeys,
      state,
      state.auditKey,
    );
    if (auditKey === state.auditKey) return false;
    const present = this.#storage.readState();
    // The state may have changed meanwhile, even by an erasure.
    if (
      present !== null &&
      present.state.auditKey === state.auditKey &&
      !this.#storage.isErasing()
    ) {
      this.#storage.write({ ...present.state, auditKey }, present.version + 1);
    }
    return true;
  }
}
