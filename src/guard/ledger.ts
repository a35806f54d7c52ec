/**
 * What a guard does around every decision: find the state (rehydrating an empty guard from D1),
 * record a transition with its events in one synchronous step, and see to it that the outbox reaches
 * D1 sooner or later.
 *
 * Tombstones and kept answers age in real time, so the clock is read here; nothing is decided by it.
 */
import type { AuditEvent } from "../audit/event.ts";
import { currentAuditKey } from "../audit/personal.ts";
import type { Keyring } from "../crypto/keyring.ts";
import { derivedId } from "../crypto/id.ts";
import { dbFor } from "../db/client.ts";
import { configNow } from "../env.ts";
import { isKept, keptForMs } from "../idempotency/request-key.ts";
import { resealReceipt } from "../idempotency/receipt.ts";
import { findRecord, type IdentityRecord } from "../identity/store.ts";
import type { History, KnownSession } from "../sentinel/history.ts";
import { findSession, findSessions } from "../sentinel/store.ts";
import { DeliveryAlarm, deliveryDelayMs } from "./delivery-alarm.ts";
import { deliver } from "./outbox.ts";
import { type Owner, resealedState } from "./reseal.ts";
import { refusalReportDelay, reportRefusals } from "./refusals.ts";
import { type IdentityState, parseState } from "./state.ts";
import { type Dispatch, GuardStorage, type KeptAnswer } from "./storage.ts";
import { failed, type GuardCall, type GuardResult, type Transition } from "./transition.ts";

/** Room for the events of one change in the order of ids. */
const ordersPerVersion = 32;

/** What is kept of the answer to a request with a key. */
function answerOf<T>(
  { requestKey, receipt, now: at, requestId }: GuardCall,
  { rate: _rate, ...result }: GuardResult<T>,
): { readonly answer?: KeptAnswer } {
  if (requestKey === null || receipt === undefined) return {};
  // Who waits as told and asks again must be heard.
  if (!result.ok && result.error.code === "rate_limited") return {};
  const forgetAt = Date.now() + keptForMs;
  const { key } = requestKey;
  return { answer: { key, at, requestId, receipt, result: JSON.stringify(result), forgetAt } };
}

export class GuardLedger {
  readonly #env: Env;
  readonly #storage: GuardStorage;
  readonly #alarm: DeliveryAlarm;
  /** The delivery that is under way. */
  #running: Promise<void> = Promise.resolve();
  /** The one after it, which all share who ask meanwhile. */
  #queued: Promise<void> | undefined;
  /** Grows when an erased identity is cleared: what was read from D1 before then is void. */
  #clearings = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    this.#env = env;
    this.#storage = new GuardStorage(ctx.storage);
    this.#alarm = new DeliveryAlarm(ctx, "guard");
  }

  /** The identity is forgotten here; D1 has not confirmed that it has forgotten too. */
  isErasing(): boolean {
    return this.#storage.live()?.state.status === "erased";
  }

  /**
   * The state, from D1 where the guard is empty (a restore, a moved namespace); undefined for an
   * unknown identity. @throws when D1 is needed and fails
   */
  async load(call: Owner): Promise<IdentityState | undefined> {
    if (this.#storage.live() === null) await this.#rehydrate(call);
    const state = this.#storage.live()?.state;
    return state?.status === "erased" ? undefined : state;
  }

  /** The sessions the identity is known by, as they are in this instant. */
  history(): History {
    return this.#storage.history();
  }

  /** Grows when the identity is erased: what was read from D1 before then is void. */
  clearings(): number {
    return this.#clearings;
  }

  /** A session by its assessment, from D1 where it is no longer here. @throws when D1 fails */
  async findSession(
    { tenantId, identityId }: GuardCall,
    assessmentId: string,
  ): Promise<KnownSession | undefined> {
    const known = this.history().find(({ id }) => id === assessmentId);
    return (
      known ?? (await findSession(dbFor(this.#env, tenantId), tenantId, identityId, assessmentId))
    );
  }

  /**
   * Creates the identity with the given transition, or answers `onExisting`.
   * @throws when D1, which must be asked first, fails
   */
  async create<T>(
    call: GuardCall,
    first: Transition<T>,
    onExisting: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>> {
    for (;;) {
      // A tombstone means that D1 has not forgotten the person yet: that comes first.
      if (this.isErasing()) await this.flush();
      const record = this.#storage.live() === null ? await this.#rehydrate(call) : undefined;
      // While D1 was asked, the identity may have been made, and even erased again.
      if (this.isErasing()) continue;
      if (this.#storage.live() !== null) return await this.commit(call, onExisting);
      return await this.#record(call, first, (record?.version ?? 0) + 1);
    }
  }

  /** Decides on the state of this instant and records what was decided. */
  async commit<T>(
    call: GuardCall,
    decide: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>> {
    const live = this.#storage.live();
    if (live === null || live.state.status === "erased") return failed({ code: "user_not_found" });
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
    const live = this.#storage.live();
    if (live !== null && refusalReportDelay(live.state) !== undefined) {
      this.#write(reportRefusals(live.state), live.version + 1, undefined);
    }
    await this.flush();
  }

  /** Delivers, and comes back until that succeeds. Never gives up. */
  async onAlarm(): Promise<void> {
    await this.#alarm.fired(() => this.deliver());
    const now = Date.now();
    const next = this.#storage.forgetAnswers(now);
    if (next !== undefined) await this.#alarm.arm(next - now);
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
      const live = this.#storage.live();
      if (live === null || live.state.status === "erased") break;
      const state = await resealedState(sealingKeys, live.state);
      // What was decided meanwhile stands, so it is looked at anew.
      if (this.#storage.live() !== live) continue;
      if (state === live.state && isTold) break;
      this.#storage.write(state, live.version + 1, { dispatch: { events: [] } });
      isTold = true;
    }
    for (const { key, receipt } of this.#storage.answers()) {
      this.#storage.replaceReceipt(key, await resealReceipt(sealingKeys, owner, key, receipt));
    }
    await this.flush();
  }

  /** Reads the record of an empty guard, and takes it over if nothing else came first. */
  async #rehydrate({ tenantId, identityId }: Owner): Promise<IdentityRecord | undefined> {
    for (;;) {
      const clearings = this.#clearings;
      const db = dbFor(this.#env, tenantId);
      const record = await findRecord(db, tenantId, identityId);
      const sessions = record?.state ? await findSessions(db, tenantId, identityId) : [];
      if (this.#storage.live() !== null) return record;
      if (this.#clearings !== clearings) continue;
      const text = record?.state ?? null;
      if (record === undefined || text === null) return record;
      const state = parseState(text, { tenantId, identityId });
      this.#storage.write(state, record.version, { history: sessions });
      const waits = refusalReportDelay(state);
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
    const waits = entries.length > 0 ? deliveryDelayMs : refusalReportDelay(state);
    if (waits !== undefined) await this.#alarm.arm(waits);
    return result;
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
    const dispatch: Dispatch = {
      events,
      ...(assessment === undefined ? {} : { assessment }),
      ...(verdict === undefined ? {} : { verdict }),
    };
    this.#storage.write(state, version, {
      ...(events.length === 0 ? {} : { dispatch }),
      ...(history === undefined ? {} : { history }),
      ...(call === undefined ? {} : answerOf(call, result)),
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
      let pending = this.#storage.pending();
      pending !== undefined;
      pending = this.#storage.pending()
    ) {
      if (await this.#renewAuditKey(pending.state)) continue;
      await deliver(this.#env, pending, Date.now());
      this.#storage.delivered(pending.lastSeq);
    }
    if (this.isErasing()) {
      this.#clearings += 1;
      this.#alarm.forget();
      await this.#storage.clear();
    }
  }

  /**
   * Every identity has an audit key, under the newest key of the service, before anything of it
   * reaches D1. @returns whether the state has changed, and is to be looked at again
   */
  async #renewAuditKey(state: IdentityState): Promise<boolean> {
    if (state.status === "erased") return false;
    const auditKey = await currentAuditKey(configNow(this.#env).sealingKeys, state, state.auditKey);
    if (auditKey === state.auditKey) return false;
    const live = this.#storage.live();
    // The state may have changed meanwhile, by an erasure too.
    if (live !== null && live.state.auditKey === state.auditKey && !this.isErasing()) {
      this.#storage.write({ ...live.state, auditKey }, live.version + 1);
    }
    return true;
  }
}
