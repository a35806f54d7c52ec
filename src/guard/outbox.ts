/**
 * Delivers a guard's outbox to D1: directly if a change waits for the delivery; otherwise by the alarm, which may
 * hand it over to the queue. What the queue has accepted, it delivers.
 *
 * Tombstones age in real time, so the clock is read here; no decision depends on it.
 */
import { renewAuditKey } from "../audit/personal.ts";
import { deliveryTimeoutMs, FencedTenantError, requestTimeoutMs } from "../db/client.ts";
import { isDeletedTenant } from "../db/deleted-tenants.ts";
import { runInTenantDb } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import type { Waker } from "../destinations/waker.ts";
import { requireConfig } from "../env.ts";
import { findRecord } from "../identity/store.ts";
import { log } from "../log.ts";
import { deliveryDelayMs, type RetryAlarm } from "../retry-alarm.ts";
import { findSealingDayKey } from "../tenancy/sealing-day-key.ts";
import { raiseFloor } from "./decisions/spent-challenges.ts";
import type { IdentityState } from "./decisions/state.ts";
import type { AuditKeys } from "./delivery/audit-keys.ts";
import { buildDelivery, type Delivery, type PendingDelivery } from "./delivery/build-delivery.ts";
import { fileDelivery } from "./delivery/delivery.ts";
import { sendDelivery } from "./delivery/producer.ts";
import { versionsAhead } from "./rehydration.ts";
import type { GuardStorage } from "./storage.ts";

export class GuardOutbox {
  readonly #env: Env;
  readonly #storage: GuardStorage;
  readonly #alarm: RetryAlarm;
  readonly #auditKeys: AuditKeys;
  readonly #waker: Waker;
  /** The direct delivery that is running, and when it started, Unix ms. */
  #running: Promise<void> = Promise.resolve();
  #startedAt = 0;
  /** The direct delivery after the running one. All callers in the meantime share it. */
  #next: Promise<void> | undefined;

  constructor(
    env: Env,
    storage: GuardStorage,
    alarm: RetryAlarm,
    auditKeys: AuditKeys,
    waker: Waker,
  ) {
    this.#env = env;
    this.#storage = storage;
    this.#alarm = alarm;
    this.#auditKeys = auditKeys;
    this.#waker = waker;
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

  /**
   * Hands the outbox over to the queue, if there is one and it accepts it, and delivers the rest as `flush` does.
   * D1 gets nothing a second time while it may still answer. @throws StoreError
   */
  async handOver(): Promise<void> {
    await this.#running.catch(() => {});
    await this.#sendToQueue();
    await this.flush();
  }

  /**
   * Delivers the record if D1 does not have it, or has a newer version: then the guard was restored to an earlier
   * time. The guard's state takes precedence: it gets a version above that of D1. @throws StoreError
   */
  async deliverRecord(): Promise<void> {
    const before = this.#storage.readState();
    if (before === null) return;
    const { tenantId, identityId } = before.state;
    const record = await runInTenantDb(
      this.#env,
      tenantId,
      (db) => findRecord(db, tenantId, identityId, deliveryTimeoutMs),
      deliveryTimeoutMs,
    );
    const present = this.#storage.readState();
    if (present === null || (record !== undefined && record.version <= present.version)) return;
    const version = Math.max(present.version, record?.version ?? 0) + versionsAhead;
    const { passkeys } = present.state;
    // A guard that was restored does not know the challenges that were spent last.
    const kept = record === undefined ? passkeys : raiseFloor(passkeys, Date.now());
    this.#storage.write({ ...present.state, passkeys: kept }, version, { entry: { events: [] } });
    await this.#alarm.arm(deliveryDelayMs);
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
      const delivery = await this.#build(pending);
      const isRecorded = await fileDelivery(this.#env, delivery);
      if (delivery.events.length > 0) this.#waker.wake();
      if (isRecorded) this.#storage.removeDelivered(pending.lastSeq);
      else await this.deliverRecord();
    }
    if (this.#storage.isErasing()) await this.#alarm.reset(() => this.#storage.clear());
    else this.#alarm.clearFailure();
  }

  async #build(pending: PendingDelivery): Promise<Delivery> {
    const now = Date.now();
    const { tenantId } = pending.state;
    const location = this.#waker.location;
    return await buildDelivery(this.#env, pending, now, {
      findDayKey: () => findSealingDayKey(this.#env, { tenantId, location }, now),
      isRepeated: ({ seq, writtenAt }) =>
        seq <= pending.lastFoundSeq && this.#alarm.hasDelivered(writtenAt),
      auditKeys: this.#auditKeys,
    });
  }

  /** What to deliver next, with a current audit key; undefined when the outbox is empty. */
  async #findPending(): Promise<PendingDelivery | undefined> {
    for (;;) {
      const pending = this.#storage.readPending();
      if (pending === undefined || !(await this.#renewAuditKey(pending.state))) return pending;
    }
  }

  /** Sends what is pending to the queue, while the queue accepts it. While D1 fails, the guard delivers itself. */
  async #sendToQueue(): Promise<void> {
    while (!this.#alarm.isFailing()) {
      const pending = await this.#findPending();
      // An erasure is delivered directly, because it clears the guard.
      if (pending === undefined || this.#storage.isErasing()) return;
      if (!pending.entries.every(({ mayQueue }) => mayQueue)) return;
      const epoch = this.#storage.erasureEpoch;
      const delivery = await this.#build(pending);
      const { destinations } = this.#waker;
      if (!(await sendDelivery(this.#env, delivery, destinations, Date.now()))) return;
      if (epoch === this.#storage.erasureEpoch) this.#storage.removeDelivered(pending.lastSeq);
    }
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
