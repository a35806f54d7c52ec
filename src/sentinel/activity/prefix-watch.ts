/**
 * The prefix watch: one Durable Object for each tenant and address block (/24, /48). It counts how many
 * identities were tried from the block within ten minutes. Many at once are credential stuffing or an office;
 * sentinel/signals/behaviour.ts weighs which.
 *
 * An attempt is counted before it is known whether the identity exists, and only in memory. It is stored in a
 * second call, so attempts of identities that do not exist leave no storage and no alarm. The watch stores keyed
 * hashes only, and deletes everything ten minutes after the last stored attempt. The window follows the times of
 * the requests, which may be those of a tenant's test clock; the deletion follows the real clock and affects no
 * count. An error gives null, and the assessment is degraded.
 */
import { DurableObject } from "cloudflare:workers";
import { causeOf, log } from "../../log.ts";
import { SqlTable } from "../../sql-table.ts";
import type { Crowd } from "../evidence.ts";

const windowMs = 10 * 60 * 1000;
/** A repeated attempt of an identity is written at most this often, to save writes. */
const refreshMs = 60 * 1000;
/** Further identities change no score, and are not counted. */
const maxIdentities = 1_000;
/** Further addresses of one identity are not counted, so that one identity cannot fill the table. */
const maxAddresses = 4;

/** An identity tried from an address. */
interface Tried {
  readonly identityId: string;
  readonly address: string;
  readonly at: number;
  /** Whether the table has this attempt, or only the memory. */
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

function keyOf({ identityId, address }: Pick<WatchCall, "identityId" | "address">): string {
  return `${identityId} ${address}`;
}

export class PrefixWatch extends DurableObject<Env> {
  readonly #table = new SqlTable(
    this.ctx.storage.sql,
    "tried",
    "(identity_id TEXT, address TEXT, at INTEGER NOT NULL, PRIMARY KEY (identity_id, address)) WITHOUT ROWID",
  );
  /** The table and the attempts that are not stored; undefined until the table is read. */
  #tried: Map<string, Tried> | undefined;
  /** When the pending alarm fires, Unix ms. */
  #alarmAt: number | undefined;

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
      const known = this.#read().get(keyOf(call));
      const isFresh = known !== undefined && Math.abs(now - known.at) < refreshMs;
      if (!isFresh && (known !== undefined || this.#hasRoomFor(identityId, now))) {
        this.#add({ address, identityId, at: now, isStored: false });
      }
      const crowd = this.#countCrowd(address, identityId, now);
      return { crowd, mustStore: this.#read().get(keyOf(call))?.isStored === false };
    } catch (error) {
      log("error", "prefix_watch_failed", { cause: causeOf(error) });
      return null;
    }
  }

  /** Stores an attempt that was counted, of an identity that exists. */
  async store(call: WatchCall): Promise<void> {
    try {
      const { address, identityId, now } = call;
      const counted = this.#read().get(keyOf(call));
      if (counted?.isStored) return;
      // After an eviction the memory no longer has it.
      if (counted === undefined && !this.#hasRoomFor(identityId, now)) return;
      this.#write({ address, identityId, at: counted?.at ?? now, isStored: true });
      await this.#arm();
    } catch (error) {
      log("error", "prefix_watch_failed", { cause: causeOf(error) });
    }
  }

  /** There was no attempt for ten minutes, so everything is out of the window. */
  override async alarm(): Promise<void> {
    this.#alarmAt = undefined;
    this.#tried = undefined;
    await this.ctx.storage.deleteAll();
  }

  /** Later times are in the window too: one request may overtake another. */
  #findRecent(now: number): Tried[] {
    return [...this.#read().values()].filter(
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
    return {
      fromAddress: distinct(recent.filter((one) => one.address === address)),
      fromPrefix: distinct(recent),
    };
  }

  #read(): Map<string, Tried> {
    this.#tried ??= this.#load();
    return this.#tried;
  }

  #load(): Map<string, Tried> {
    if (!this.#table.exists()) return new Map();
    const rows = this.ctx.storage.sql
      .exec<{ identity_id: string; address: string; at: number }>(
        "SELECT identity_id, address, at FROM tried",
      )
      .toArray()
      .map(
        ({ identity_id: identityId, address, at }): Tried => ({
          ...{ identityId, address, at },
          isStored: true,
        }),
      );
    return new Map(rows.map((row) => [keyOf(row), row]));
  }

  /** Adds an attempt to the memory, and deletes those out of the window as the table does. */
  #add(tried: Tried): void {
    const mirror = this.#read();
    mirror.set(keyOf(tried), tried);
    const recent = new Set(this.#findRecent(tried.at));
    for (const [key, one] of mirror) {
      const isDeleted = tried.isStored || !one.isStored;
      if (isDeleted && !recent.has(one)) mirror.delete(key);
    }
  }

  /** Synchronous: the table and the memory change together. */
  #write(tried: Tried): void {
    const { identityId, address, at } = tried;
    const { sql } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      this.#table.create();
      sql.exec(
        "INSERT OR REPLACE INTO tried (identity_id, address, at) VALUES (?, ?, ?)",
        ...[identityId, address, at],
      );
      sql.exec("DELETE FROM tried WHERE at <= ? OR at >= ?", at - windowMs, at + windowMs);
    });
    this.#add(tried);
  }

  /**
   * Sets the alarm ten minutes after the last attempt. Setting it is a write, so it moves once a minute at
   * most.
   */
  async #arm(): Promise<void> {
    const at = Date.now() + windowMs;
    if (this.#alarmAt !== undefined && this.#alarmAt >= at - refreshMs) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }
}
