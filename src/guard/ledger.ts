/**
 * What a guard does around every decision: find the state (rehydrating an empty guard from D1),
 * record a transition with its events in one synchronous step, and see to it that the outbox reaches
 * D1 sooner or later.
 *
 * Tombstones and kept answers age in real time, so the clock is read here; nothing is decided by it.
 */
import type { AuditEvent } from "../audit/event.ts";
import { currentAuditKey } from "../audit/personal.ts";
import { derivedId } from "../crypto/id.ts";
import type { Keyring } from "../crypto/keyring.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { inTenantDb } from "../db/shards.ts";
import { configNow } from "../env.ts";
import { resealReceipt } from "../idempotency/receipt.ts";
import { isKept, answerLifetimeMs } from "../idempotency/request-key.ts";
import { findRecord, type IdentityRecord } from "../identity/store.ts";
import { causeOf, log } from "../log.ts";
import { findSession, findSessions } from "../sentinel/assessments/store.ts";
import type { History, KnownSession } from "../sentinel/history.ts";
import { refusalReportDelayOf, reportRefusals } from "./decisions/refusals.ts";
import { type IdentityState, parseState } from "./decisions/state.ts";
import { fail, type GuardCall, type GuardResult, type Transition } from "./decisions/transition.ts";
import { DeliveryBatcher, type SentDelivery } from "./delivery/batcher.ts";
import {
  type OutboxEntry,
  buildDelivery,
  fileDelivery,
  type PendingDelivery,
} from "./delivery/delivery.ts";
import { hasQueue, sendDelivery } from "./delivery/producer.ts";
import { RetryAlarm, deliveryDelayMs } from "./delivery/retry-alarm.ts";
import { resealState } from "./reseal.ts";
import { GuardStorage, type KeptAnswer } from "./storage.ts";

/** What the queue has not brought to D1 by then, the alarm does. */
const queueDelayMs = 10_000;
/** Room for the events of one change in the order of ids. */
const ordersPerVersion = 32;

/** What is kept of the answer to a request with a key. */
function keptAnswerFor<T>(
  { requestKey, receipt, now: at, requestId }: GuardCall,
  { rate: _rate, ...result }: GuardResult<T>,
): { readonly answer?: KeptAnswer } {
  if (requestKey === null || receipt === undefined) return {};
  // Who waits as told and asks again must be heard.
  if (!result.ok && result.error.code === "rate_limited") return {};
  const expiresAt = Date.now() + answerLifetimeMs;
  const { key } = requestKey;
  return {
    answer: { key, at, requestId, receipt, result: JSON.stringify(result), expiresAt },
  };
}

/** What D1 has of an identity; null: nothing. */
export interface FoundRecord {
  readonly record: { readonly version: number; readonly isErased: boolean } | null;
}

export class GuardLedger {
  readonly #env: Env;
  readonly #storage: GuardStorage;
  readonly #alarm: RetryAlarm;
  readonly #batcher: DeliveryBatcher;
  /** The delivery that is under way. */
  #running: Promise<void> = Promise.resolve();
  /** The one after it, which all share who ask meanwhile. */
  #queued: Promise<void> | undefined;
  /** Grows when an erased identity is cleared: what was read from D1 before then is void. */
  #erasureEpoch = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    this.#env = env;
    this.#storage = new GuardStorage(ctx.storage);
    this.#alarm = new RetryAlarm(ctx, "guard");
    this.#batcher = new DeliveryBatcher(ctx, () => this.#send());
  }

  /** The identity is forgotten here; D1 has not confirmed that it has forgotten too. */
  isErasing(): boolean {
    return this.#storage.readState()?.state.status === "erased";
  }

  /**
   * The state, from D1 where the guard is empty (a restore, a moved namespace); undefined for an
   * unknown identity. @throws when D1 is needed and fails
   */
  async load(call: Owner): Promise<IdentityState | undefined> {
    if (this.#storage.readState() === null) await this.#rehydrate(call);
    const state = this.#storage.readState()?.state;
    return state?.status === "erased" ? undefined : state;
  }

  /** The sessions the identity is known by, as they are in this instant. */
  history(): History {
    return this.#storage.readHistory();
  }

  /** Grows when the identity is erased: what was read from D1 before then is void. */
  erasureEpoch(): number {
    return this.#erasureEpoch;
  }

  /** A session by its assessment, from D1 where it is no longer here. @throws when D1 fails */
  async findSession(
    { tenantId, identityId }: GuardCall,
    assessmentId: string,
  ): Promise<KnownSession | undefined> {
    const known = this.history().find(({ id }) => id === assessmentId);
    if (known !== undefined) return known;
    return await inTenantDb(this.#env, tenantId, (db) =>
      findSession(db, tenantId, identityId, assessmentId),
    );
  }

  /**
   * Creates the identity with the given transition, or answers `onExisting`.
   * @param found the record, looked up beside this call
   * @throws when D1, which must be asked first, fails
   */
  async create<T>(
    call: GuardCall,
    first: Transition<T>,
    found: Promise<FoundRecord>,
    onExisting: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>> {
    for (;;) {
      // A tombstone means that D1 has not forgotten the person yet: that comes first.
      if (this.isErasing()) await this.flush();
      const version =
        this.#storage.readState() === null ? await this.#findLastVersion(call, found) : 0;
      // While D1 was asked, the identity may have been made, and even erased again.
      if (this.isErasing()) continue;
      if (this.#storage.readState() !== null) return await this.commit(call, onExisting);
      return await this.#record(call, first, version + 1);
    }
  }

  /** Decides on the state of this instant and records what was decided. */
  async commit<T>(
    call: GuardCall,
    decide: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>> {
    const live = this.#storage.readState();
    if (live === null || live.state.status === "erased") return fail({ code: "user_not_found" });
    const transition = decide(live.state);
    if (transition.state === live.state) return transition.result;
    return await this.#record(call, transition, live.version + 1);
  }

  /**
   * Delivers the outbox now: all that was recorded before this call.
   * @throws StoreError when D1 fails; the alarm then goes on trying
   */
  flush(): Promise<void> {
    this.#queued ??= this.#deliverNext();
    return this.#queued;
  }

  /** Tells the refusals counted so far, and delivers all there is. @throws as `flush` */
  async deliver(): Promise<void> {
    const live = this.#storage.readState();
    if (live !== null && refusalReportDelayOf(live.state) !== undefined) {
      this.#write(reportRefusals(live.state), live.version + 1, undefined);
    }
    await this.flush();
  }

  /** Delivers, and comes back until that succeeds. Never gives up. */
  async onAlarm(): Promise<void> {
    await this.#alarm.run(() => this.deliver());
    const now = Date.now();
    const next = this.#storage.removeExpiredAnswers(now);
    if (next !== undefined) await this.#alarm.arm(next - now);
  }

  /** The queue has brought what was sent to D1. What an earlier waking sent, the alarm delivers again. */
  confirmDelivered({ sender, lastSeq }: SentDelivery): void {
    if (sender !== this.#batcher.sender) return;
    this.#storage.removeDelivered(lastSeq);
    this.#batcher.confirm();
    if (this.#storage.readPending() !== undefined) this.#batcher.schedule();
  }

  /** How the request with this key was answered; undefined where it is new, or too old. */
  findAnswer(key: string, now: number): KeptAnswer | undefined {
    const kept = this.#storage.findAnswer(key);
    return kept !== undefined && isKept(kept, now) ? kept : undefined;
  }

  /**
   * Seals anew, under the newest key, whatever is under an older one, and has D1 know.
   * @throws StoreError when D1 fails; MissingKeyError, BrokenSealError where something does not open
   */
  async reseal(sealingKeys: Keyring, owner: Owner, tellsAgain: boolean): Promise<void> {
    await this.load(owner);
    let isTold = !tellsAgain;
    for (;;) {
      const live = this.#storage.readState();
      if (live === null || live.state.status === "erased") break;
      const state = await resealState(sealingKeys, live.state);
      // What was decided meanwhile stands, so it is looked at anew.
      if (this.#storage.readState() !== live) continue;
      if (state === live.state && isTold) break;
      this.#storage.write(state, live.version + 1, { entry: { events: [] } });
      isTold = true;
    }
    for (const { key, receipt } of this.#storage.readAnswers()) {
      this.#storage.replaceReceipt(key, await resealReceipt(sealingKeys, owner, key, receipt));
    }
    await this.flush();
  }

  /**
   * The last version of a record of which nothing is left, 0 where there is none; takes over one that
   * is whole. What was looked up beside the call counts only where it says that nobody is there, and
   * nobody was erased here since: else D1 is asked.
   */
  async #findLastVersion(owner: Owner, found: Promise<FoundRecord>): Promise<number> {
    if (this.#erasureEpoch === 0) {
      const seen = await found.catch(() => undefined);
      const isNobody = seen !== undefined && (seen.record === null || seen.record.isErased);
      if (isNobody && this.#erasureEpoch === 0) return seen.record?.version ?? 0;
    }
    return (await this.#rehydrate(owner))?.version ?? 0;
  }

  /** Reads the record of an empty guard, and takes it over if nothing else came first. */
  async #rehydrate({ tenantId, identityId }: Owner): Promise<IdentityRecord | undefined> {
    for (;;) {
      const clearings = this.#erasureEpoch;
      const { record, sessions } = await inTenantDb(this.#env, tenantId, async (db) => {
        const record = await findRecord(db, tenantId, identityId);
        const sessions = record?.state ? await findSessions(db, tenantId, identityId) : [];
        return { record, sessions };
      });
      if (this.#storage.readState() !== null) return record;
      if (this.#erasureEpoch !== clearings) continue;
      const text = record?.state ?? null;
      if (record === undefined || text === null) return record;
      const state = parseState(text, { tenantId, identityId });
      this.#storage.write(state, record.version, { history: sessions });
      const waits = refusalReportDelayOf(state);
      if (waits !== undefined) await this.#alarm.arm(waits);
      return record;
    }
  }

  async #record<T>(
    call: GuardCall,
    transition: Transition<T>,
    version: number,
  ): Promise<GuardResult<T>> {
    const { state, entries, result } = transition;
    this.#write(transition, version, call);
    const waits = entries.length > 0 ? this.#startDelivery(call) : refusalReportDelayOf(state);
    if (waits !== undefined) await this.#alarm.arm(waits);
    return result;
  }

  /** Sets the delivery going; how long the alarm may leave it alone, ms. */
  #startDelivery({ jurisdiction }: GuardCall): number {
    // A queue is in no jurisdiction. While D1 fails, the alarm alone tries, ever more rarely.
    const mayQueue = hasQueue(this.#env) && jurisdiction === null && !this.#alarm.isFailing();
    if (!mayQueue) return deliveryDelayMs;
    this.#batcher.schedule();
    return queueDelayMs;
  }

  #write<T>(
    { state, entries, result, history, assessment, verdict }: Transition<T>,
    version: number,
    call: GuardCall | undefined,
  ): void {
    const events = entries.map((entry, index): AuditEvent => {
      const { tenantId, identityId } = state;
      const at = entry.at ?? call?.now ?? state.updatedAt;
      return {
        id: derivedId(
          at,
          version * ordersPerVersion + index,
          tenantId,
          identityId,
          String(version),
          String(index),
          call?.requestId ?? "",
        ),
        tenantId,
        at,
        actor: entry.actor ?? call?.actor ?? { type: "system", id: null },
        action: entry.action,
        target: { type: "identity", id: identityId },
        personal:
          state.status === "erased" ? null : { external_id: state.externalId, ...entry.session },
        outcome: entry.outcome,
        reason: entry.reason ?? null,
        requestId: entry.requestId ?? call?.requestId ?? null,
        details: entry.details ?? {},
      };
    });
    const dispatch: OutboxEntry = {
      events,
      ...(assessment === undefined ? {} : { assessment }),
      ...(verdict === undefined ? {} : { verdict }),
    };
    this.#storage.write(state, version, {
      ...(events.length === 0 ? {} : { entry: dispatch }),
      ...(history === undefined ? {} : { history }),
      ...(call === undefined ? {} : keptAnswerFor(call, result)),
    });
  }

  async #deliverNext(): Promise<void> {
    await this.#running.catch(() => {});
    this.#queued = undefined;
    this.#running = this.#deliverAll();
    await this.#running;
  }

  async #deliverAll(): Promise<void> {
    for (
      let pending = await this.#nextPending();
      pending !== undefined;
      pending = await this.#nextPending()
    ) {
      const delivery = await buildDelivery(this.#env, pending, Date.now());
      if (await fileDelivery(this.#env, delivery)) this.#storage.removeDelivered(pending.lastSeq);
      else await this.#adoptNewerVersion(pending.state);
    }
    this.#batcher.confirm();
    if (this.isErasing()) {
      this.#erasureEpoch += 1;
      this.#alarm.reset();
      await this.#storage.clear();
    }
  }

  /** Where D1 has a version that is ahead of the guard, the guard was put back to an earlier time; it wins. */
  async #adoptNewerVersion({ tenantId, identityId }: Owner): Promise<void> {
    const ahead = await inTenantDb(this.#env, tenantId, (db) =>
      findRecord(db, tenantId, identityId),
    );
    const live = this.#storage.readState();
    if (live === null || ahead === undefined || ahead.version <= live.version) return;
    this.#storage.write(live.state, ahead.version + 1);
  }

  /** What is to be delivered next; undefined where nothing is. */
  async #nextPending(): Promise<PendingDelivery | undefined> {
    for (;;) {
      const pending = this.#storage.readPending();
      if (pending === undefined || !(await this.#renewAuditKey(pending.state))) return pending;
    }
  }

  /** Sends what is pending by the queue. What cannot go that way is left to the alarm, which is set. */
  async #send(): Promise<boolean> {
    try {
      const pending = await this.#nextPending();
      // What an erasure leaves behind is delivered by the erasure.
      if (pending === undefined || this.isErasing()) return false;
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
   * Every identity has an audit key, under the newest key of the service, before anything of it
   * reaches D1. @returns whether the state has changed, and is to be looked at again
   */
  async #renewAuditKey(state: IdentityState): Promise<boolean> {
    if (state.status === "erased") return false;
    const auditKey = await currentAuditKey(configNow(this.#env).sealingKeys, state, state.auditKey);
    if (auditKey === state.auditKey) return false;
    const live = this.#storage.readState();
    // The state may have changed meanwhile, by an erasure too.
    if (live !== null && live.state.auditKey === state.auditKey && !this.isErasing()) {
      this.#storage.write({ ...live.state, auditKey }, live.version + 1);
    }
    return true;
  }
}
