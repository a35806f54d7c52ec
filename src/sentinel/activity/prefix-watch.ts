/**
 * The prefix watch: one Durable Object for each tenant and address block (/24, /48). It counts how many
 * identities were tried from the block within ten minutes. Many at once are credential stuffing or an office;
 * sentinel/signals/behaviour.ts weighs which.
 *
 * The memory has every attempt. A second call confirms an attempt once its identity is known to exist, and only
 * confirmed attempts are stored, so those of identities that do not exist leave no storage and no alarm. What is
 * stored is a little behind the memory (decision 106): the first attempt is stored in the time of the alarm, and the
 * others together in one row, which is written when a quarter of them is new. An eviction loses the rest: fewer than
 * one confirmed attempt for each four that were stored.
 *
 * The watch stores keyed hashes only, and deletes everything ten minutes after the last confirmed attempt. The window
 * follows the times of the requests, which may be those of a tenant's test clock; the deletion follows the real clock
 * and affects no count. An error gives null, and the assessment is degraded.
 */
import { DurableObject } from "cloudflare:workers";
import { causeOf, log } from "../../log.ts";
import type { Crowd } from "../evidence.ts";
import { alarmTimeOf, fingerprintIn, fingerprintOf, isFingerprintOf } from "./alarm-fingerprint.ts";
import { type StoredAttempts, storedAttemptsSchema } from "./stored-attempts.ts";

const windowMs = 10 * 60 * 1000;
/** A repeated attempt of an identity restarts its ten minutes at most this often, to save writes. */
const refreshMs = 60 * 1000;
/** Further identities change no score, and are not counted. */
const maxIdentities = 1_000;
/** Further addresses of one identity are not counted, so that one identity cannot fill the memory. */
const maxAddresses = 4;
/** The key of the row, which the key-value part of the storage has: unlike a table, it costs nothing to create. */
const attemptsKey = "attempts";
/** The row is written when the memory has at least one new attempt for so many stored ones. */
const storedPerNew = 4;

/** An identity tried from an address. */
interface Tried {
  readonly identityId: string;
  /** Null if only a fingerprint of the identity was stored. */
  readonly address: string | null;
  readonly at: number;
  /** Whether the identity is known to exist. */
  readonly isConfirmed: boolean;
  readonly isStored: boolean;
}

export interface Counted {
  readonly crowd: Crowd;
  /** Whether the attempt is worth a call of `store`. */
  readonly mustStore: boolean;
}

export interface WatchCall {
  /** Keyed hash of the address, hex. */
  readonly address: string;
  /** Keyed hash of the identity's id, hex. */
  readonly identityId: string;
  /** Unix ms; the tenant's test clock if one was sent. */
  readonly now: number;
}

function keyOf({ identityId, address }: Pick<Tried, "identityId" | "address">): string {
  return `${identityId} ${address ?? ""}`;
}

export class PrefixWatch extends DurableObject<Env> {
  /** The attempts of the window; undefined until the stored ones are read. */
  #tried: Map<string, Tried> | undefined;
  /** When the pending alarm fires, Unix ms. */
  #alarmAt: number | undefined;
  /** Real time of the last attempt that was confirmed, Unix ms. */
  #confirmedAt = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = (await ctx.storage.getAlarm()) ?? undefined;
    });
  }

  /**
   * Counts an attempt, in memory only.
   * @returns distinct identities in the last ten minutes, this one included; null after an error
   */
  async count(call: WatchCall): Promise<Counted | null> {
    try {
      const { address, identityId, now } = call;
      const known = this.#read(now).get(keyOf(call));
      const isFresh = known !== undefined && Math.abs(now - known.at) < refreshMs;
      const isAdded = !isFresh && (known !== undefined || this.#hasRoomFor(identityId, now));
      const isConfirmed = known?.isConfirmed ?? false;
      if (isAdded) this.#add({ address, identityId, at: now, isConfirmed, isStored: false });
      const mustStore = isAdded || known?.isConfirmed === false;
      return { crowd: this.#countCrowd(address, identityId, now), mustStore };
    } catch (error) {
      log("error", "prefix_watch_failed", { cause: causeOf(error) });
      return null;
    }
  }

  /** Confirms an attempt that was counted, of an identity that exists. */
  async store(call: WatchCall): Promise<void> {
    try {
      const { address, identityId, now } = call;
      const counted = this.#read(now).get(keyOf(call));
      if (counted?.isStored) return;
      // After an eviction the memory no longer has it.
      if (counted === undefined && !this.#hasRoomFor(identityId, now)) return;
      this.#confirmedAt = Date.now();
      const attempt = { address, identityId, at: counted?.at ?? now, isConfirmed: true };
      // The alarm is pending from the first attempt on.
      const isFirst = this.#alarmAt === undefined;
      this.#add({ ...attempt, isStored: isFirst });
      if (isFirst) {
        const firstAt = this.#confirmedAt + windowMs;
        await this.#setAlarm(alarmTimeOf(firstAt, fingerprintOf(identityId)));
      } else this.#writeIfBehind(attempt.at);
    } catch (error) {
      log("error", "prefix_watch_failed", { cause: causeOf(error) });
    }
  }

  /** Deletes everything ten minutes after the last attempt. */
  override async alarm(): Promise<void> {
    this.#alarmAt = undefined;
    const last = Math.max(this.#confirmedAt, this.#readStored()?.storedAt ?? 0);
    if (last + windowMs > Date.now()) {
      await this.#setAlarm(last + windowMs);
      return;
    }
    this.#tried = undefined;
    await this.ctx.storage.deleteAll();
  }

  async #setAlarm(at: number): Promise<void> {
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }

  /** Later times are in the window too: one request may overtake another. */
  #findRecent(now: number): Tried[] {
    return [...this.#read(now).values()].filter(
      ({ at }) => at > now - windowMs && at < now + windowMs,
    );
  }

  #hasRoomFor(identityId: string, now: number): boolean {
    const recent = this.#findRecent(now);
    const own = recent.filter((one) => one.identityId === identityId).length;
    const others = new Set(recent.map((one) => one.identityId)).size;
    return own === 0 ? others < maxIdentities : own < maxAddresses;
  }

  #countCrowd(address: string, identityId: string, now: number): Crowd {
    const recent = this.#findRecent(now);
    const distinct = (all: readonly Tried[]) =>
      new Set([identityId, ...all.map((one) => one.identityId)]).size;
    const fromAddress = recent.filter((one) => (one.address ?? address) === address);
    return { fromAddress: distinct(fromAddress), fromPrefix: distinct(recent) };
  }

  #read(now: number): Map<string, Tried> {
    this.#tried ??= new Map(this.#load(now).map((one) => [keyOf(one), one]));
    return this.#tried;
  }

  #readStored(): StoredAttempts | undefined {
    return storedAttemptsSchema.optional().parse(this.ctx.storage.kv.get(attemptsKey));
  }

  /** The stored attempts. @param now the request's clock, which may be another than the alarm's */
  #load(now: number): Tried[] {
    const known = { isConfirmed: true, isStored: true };
    const stored = this.#readStored();
    if (stored !== undefined) return stored.attempts.map((one) => ({ ...one, ...known }));
    if (this.#alarmAt === undefined) return [];
    const at = now - Math.max(0, Date.now() - (this.#alarmAt - windowMs));
    return [{ identityId: fingerprintIn(this.#alarmAt), address: null, at, ...known }];
  }

  /** Adds an attempt to the memory, and removes those out of its window if they are not stored. */
  #add(tried: Tried): void {
    const all = this.#read(tried.at);
    for (const [key, { identityId, address }] of all) {
      const isFound = address === null && isFingerprintOf(identityId, tried.identityId);
      if (isFound) all.delete(key);
    }
    all.set(keyOf(tried), tried);
    const recent = new Set(this.#findRecent(tried.at));
    for (const [key, one] of all) {
      // An attempt whose identity is not known to exist removes only its like.
      const isRemovable = tried.isConfirmed || !one.isConfirmed;
      if (isRemovable && !recent.has(one)) all.delete(key);
    }
  }

  /** Writes the confirmed attempts if many of them are new. Synchronous: the row and the memory change together. */
  #writeIfBehind(now: number): void {
    const confirmed = this.#findRecent(now).filter((one) => one.isConfirmed);
    const stored = confirmed.filter((one) => one.isStored).length;
    if ((confirmed.length - stored) * storedPerNew < stored) return;
    const attempts = confirmed.map(({ identityId, address, at }) => ({ identityId, address, at }));
    const row: StoredAttempts = { storedAt: this.#confirmedAt, attempts };
    this.ctx.storage.kv.put(attemptsKey, row);
    for (const one of confirmed) this.#read(now).set(keyOf(one), { ...one, isStored: true });
  }
}
