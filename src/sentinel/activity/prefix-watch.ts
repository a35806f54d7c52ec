/**
 * The prefix watch: one Durable Object for each tenant and address block (/24, /48). It counts how many
 * identities were tried from the block within ten minutes. Many at once are credential stuffing or an office;
 * sentinel/signals/behaviour.ts weighs which.
 *
 * It stores keyed hashes only, in a table with a copy in memory, and deletes everything ten minutes after the
 * last attempt. The window follows the times of the requests, which may be those of a tenant's test clock;
 * the deletion follows the real clock and affects no count. An error gives null, and the assessment is
 * degraded.
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
  return `${identityId} ${address}`;
}

export class PrefixWatch extends DurableObject<Env> {
  readonly #table = new SqlTable(
    this.ctx.storage.sql,
    "tried",
    "(identity_id TEXT, address TEXT, at INTEGER NOT NULL, PRIMARY KEY (identity_id, address)) WITHOUT ROWID",
  );
  /** Copy of the table; undefined until it is read. */
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
   * Counts an attempt.
   * @returns distinct identities in the last ten minutes, this one included; null after an error
   */
  async count({ address, identityId, now }: WatchCall): Promise<Crowd | null> {
    try {
      const known = this.#read().get(keyOf({ address, identityId }));
      const isFresh = known !== undefined && Math.abs(now - known.at) < refreshMs;
      if (!isFresh && (known !== undefined || this.#hasRoomFor(identityId, now))) {
        this.#write({ address, identityId, at: now }, now);
      }
      const crowd = this.#countCrowd(address, identityId, now);
      await this.#arm();
      return crowd;
    } catch (error) {
      log("error", "prefix_watch_failed", { cause: causeOf(error) });
      return null;
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
      .map(({ identity_id: identityId, address, at }): Tried => ({ identityId, address, at }));
    return new Map(rows.map((row) => [keyOf(row), row]));
  }

  /** Synchronous: the table and its copy change together. Attempts out of the window are deleted. */
  #write(tried: Tried, now: number): void {
    const mirror = this.#read();
    const { sql } = this.ctx.storage;
    this.ctx.storage.transactionSync(() => {
      this.#table.create();
      sql.exec(
        "INSERT OR REPLACE INTO tried (identity_id, address, at) VALUES (?, ?, ?)",
        tried.identityId,
        tried.address,
        tried.at,
      );
      sql.exec("DELETE FROM tried WHERE at <= ? OR at >= ?", now - windowMs, now + windowMs);
    });
    mirror.set(keyOf(tried), tried);
    const recent = new Set(this.#findRecent(now));
    for (const [key, one] of mirror) if (!recent.has(one)) mirror.delete(key);
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
