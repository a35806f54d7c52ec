/**
 * What a guard does around every decision: it finds the state, records a transition with its events in
 * one synchronous step, and has the outbox delivered.
 */
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { requestTimeoutMs } from "../db/client.ts";
import { runInTenantDb } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { Waker } from "../destinations/waker.ts";
import { resealReceipt } from "../idempotency/receipt.ts";
import { deliveryDelayMs } from "../retry-alarm.ts";
import { findSession } from "../sentinel/assessments/store.ts";
import type { KnownSession } from "../sentinel/history.ts";
import { createKeysFinder } from "../tenancy/evidence-keys.ts";
import { refusalReportDelayOf, reportRefusals } from "./decisions/refusals.ts";
import type { IdentityState } from "./decisions/state.ts";
import { fail, type GuardCall, type GuardResult, type Transition } from "./decisions/transition.ts";
import type { AuditKeys } from "./delivery/audit-keys.ts";
import { DeliveryAlarm } from "./delivery/delivery-alarm.ts";
import { buildOutboxEntry } from "./delivery/outbox-entry.ts";
import { mayQueue } from "./delivery/producer.ts";
import { GuardOutbox } from "./outbox.ts";
import { type FoundRecord, type Rehydrated, Rehydration } from "./rehydration.ts";
import { buildKeptAnswer } from "./replay.ts";
import { resealState } from "./reseal.ts";
import type { GuardStorage } from "./storage.ts";

export class GuardLedger {
  readonly #env: Env;
  readonly #storage: GuardStorage;
  readonly #alarm: DeliveryAlarm;
  readonly #rehydration: Rehydration;
  readonly #outbox: GuardOutbox;
  readonly #waker: Waker;

  constructor(ctx: DurableObjectState, env: Env, storage: GuardStorage, auditKeys: AuditKeys) {
    this.#env = env;
    this.#storage = storage;
    this.#alarm = new DeliveryAlarm(ctx, env, "guard");
    this.#rehydration = new Rehydration(env, storage, this.#alarm);
    this.#waker = new Waker(env);
    this.#outbox = new GuardOutbox(env, storage, this.#alarm, auditKeys, this.#waker);
  }

  /**
   * Returns the state; an empty guard rehydrates first. Undefined for an unknown or erased identity.
   * @throws StoreError when D1 is needed and fails
   */
  async load(owner: Rehydrated): Promise<IdentityState | undefined> {
    if (this.#storage.readState() === null) await this.#rehydration.rehydrate(owner);
    const state = this.#storage.readState()?.state;
    return state?.status === "erased" ? undefined : state;
  }

  /**
   * Works like `load`, without asking D1 again about an identity that it was found not to have.
   * @param found the record, read beside this call
   * @throws StoreError when D1 is needed and fails
   */
  async find(owner: Rehydrated, found: Promise<FoundRecord>): Promise<IdentityState | undefined> {
    if (this.#storage.readState() === null) await this.#rehydration.findLastVersion(owner, found);
    const state = this.#storage.readState()?.state;
    return state?.status === "erased" ? undefined : state;
  }

  /** An assessed session, from D1 when the guard no longer keeps it. @throws StoreError */
  async findSession(
    { tenantId, identityId }: Owner,
    assessmentId: string,
  ): Promise<KnownSession | undefined> {
    const kept = this.#storage.readHistory().find(({ id }) => id === assessmentId);
    if (kept !== undefined) return kept;
    return await runInTenantDb(this.#env, tenantId, (db) =>
      findSession(db, tenantId, identityId, assessmentId, createKeysFinder(this.#env, tenantId)),
    );
  }

  /**
   * Creates the identity with the given transition, or answers `onExisting`.
   * @param found the record, read beside this call
   * @throws StoreError: D1 must confirm first that the identity does not exist
   */
  create<T>(
    call: GuardCall,
    creation: Transition<T>,
    found: Promise<FoundRecord>,
    onExisting: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>>;
  create<T, NotDecided extends symbol>(
    call: GuardCall,
    creation: Transition<T>,
    found: Promise<FoundRecord>,
    onExisting: (state: IdentityState) => Transition<T> | NotDecided,
  ): Promise<GuardResult<T> | NotDecided>;
  async create<T, NotDecided extends symbol>(
    call: GuardCall,
    creation: Transition<T>,
    found: Promise<FoundRecord>,
    onExisting: (state: IdentityState) => Transition<T> | NotDecided,
  ): Promise<GuardResult<T> | NotDecided> {
    for (;;) {
      // A tombstone means that D1 still has to delete the erased identity.
      if (this.#storage.isErasing()) await this.flush();
      const isEmpty = this.#storage.readState() === null;
      const version = isEmpty ? await this.#rehydration.findLastVersion(call, found) : 0;
      // Meanwhile another request may have created the identity, or even erased it again.
      if (this.#storage.isErasing()) continue;
      if (this.#storage.readState() !== null) return await this.commit(call, onExisting);
      return await this.#record(call, creation, version + 1);
    }
  }

  /**
   * Decides on the present state and records the transition. Nothing is awaited in between. A symbol
   * that `decide` returns in place of a transition is passed on, and nothing is recorded.
   */
  commit<T>(
    call: GuardCall,
    decide: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>>;
  commit<T, NotDecided extends symbol>(
    call: GuardCall,
    decide: (state: IdentityState) => Transition<T> | NotDecided,
  ): Promise<GuardResult<T> | NotDecided>;
  async commit<T, NotDecided extends symbol>(
    call: GuardCall,
    decide: (state: IdentityState) => Transition<T> | NotDecided,
  ): Promise<GuardResult<T> | NotDecided> {
    const present = this.#storage.readState();
    if (present === null || present.state.status === "erased") {
      return fail({ code: "user_not_found" });
    }
    const transition = decide(present.state);
    if (typeof transition === "symbol") return transition;
    return await this.#record(call, transition, present.version + 1);
  }

  /** Records a rare change. It is delivered before the answer, unless D1 fails. */
  async change<T>(
    call: GuardCall,
    decide: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>> {
    await this.load(call);
    return await this.flushAfter(await this.commit(call, decide));
  }

  /** The change is recorded already: if D1 fails now, the alarm delivers it later. */
  async flushAfter<T>(result: GuardResult<T>): Promise<GuardResult<T>> {
    if (result.ok) await this.flush().catch(() => {});
    return result;
  }

  /**
   * Delivers everything that was recorded before this call, for a request that waits for it. If D1 does not
   * answer in time, the delivery goes on, and the alarm repeats it if necessary.
   * @throws StoreError, DeadlineError
   */
  async flush(): Promise<void> {
    try {
      await awaitWithin(requestTimeoutMs, this.#outbox.flush());
    } catch (error) {
      // The pending alarm may be a later one, for another purpose.
      await this.#alarm.arm(deliveryDelayMs);
      throw error;
    }
  }

  /** Reports the refusals that were counted, and delivers everything, as `flush` does. */
  async deliver(): Promise<void> {
    if (this.#reportRefusals()) await this.#alarm.arm(deliveryDelayMs);
    await this.flush();
  }

  /** Deletes everything, also what D1 does not have yet. */
  async discard(): Promise<void> {
    await this.#alarm.reset(() => this.#storage.clear());
  }

  /** Delivers the record if D1 does not have it, or has a newer one. @throws StoreError, DeadlineError */
  async deliverRecord(): Promise<void> {
    await this.#outbox.deliverRecord();
    await this.flush();
  }

  /**
   * Delivers, and sets the alarm again until that succeeds; then deletes expired answers.
   * @param scheduledAt when the alarm was due, Unix ms
   */
  async onAlarm(scheduledAt: number | undefined): Promise<void> {
    const work = {
      findTenantId: () => this.#storage.readState()?.state.tenantId,
      deliver: async () => {
        this.#reportRefusals();
        await this.#outbox.handOver();
      },
    };
    await this.#alarm.runDelivery(work, scheduledAt);
    const now = Date.now();
    const expiresAt = this.#storage.answers.deleteExpired(now);
    if (expiresAt !== undefined) await this.#alarm.arm(expiresAt - now);
  }

  /**
   * Seals everything under the newest key, and delivers the record.
   * @param deliversAlways delivers the record even if nothing in it changed
   * @throws StoreError; MissingKeyError or BrokenSealError if a box does not open
   */
  async reseal(sealingKeys: Keyring, owner: Owner, deliversAlways: boolean): Promise<void> {
    await this.load(owner);
    let mustDeliver = deliversAlways;
    for (;;) {
      const present = this.#storage.readState();
      if (present === null || present.state.status === "erased") break;
      const state = await resealState(sealingKeys, present.state);
      // If another state was recorded meanwhile, that one is sealed instead.
      if (this.#storage.readState() !== present) continue;
      if (state === present.state && !mustDeliver) break;
      this.#storage.write(state, present.version + 1, { entry: { events: [] } });
      mustDeliver = false;
    }
    for (const { key, receipt } of this.#storage.answers.readAll()) {
      this.#storage.answers.replaceReceipt(
        key,
        await resealReceipt(sealingKeys, owner, key, receipt),
      );
    }
    await this.flush();
  }

  /** Writes the event of the refusals that were counted. @returns whether there were any */
  #reportRefusals(): boolean {
    const present = this.#storage.readState();
    if (present === null || refusalReportDelayOf(present.state) === undefined) return false;
    this.#write(reportRefusals(present.state), present.version + 1, undefined);
    return true;
  }

  async #record<T>(
    call: GuardCall,
    transition: Transition<T>,
    version: number,
  ): Promise<GuardResult<T>> {
    const { state, entries, result } = transition;
    this.#write(transition, version, call);
    this.#waker.note(call);
    const delayMs = entries.length > 0 ? deliveryDelayMs : refusalReportDelayOf(state);
    if (delayMs !== undefined) await this.#alarm.arm(delayMs);
    return result;
  }

  /** @param call undefined when the guard acts by itself */
  #write(transition: Transition<unknown>, version: number, call: GuardCall | undefined): void {
    const { state, history, result } = transition;
    const entry = buildOutboxEntry(transition, version, call, mayQueue(this.#env, call));
    const answer = call && buildKeptAnswer(call, result);
    this.#storage.write(state, version, {
      ...(entry === undefined ? {} : { entry }),
      ...(history === undefined ? {} : { history }),
      ...(answer === undefined ? {} : { answer }),
    });
  }
}
