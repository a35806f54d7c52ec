/**
 * A tenant's day keys: one Durable Object for each tenant, with one random key for each UTC day. Personal parts of
 * events are sealed under a key that is derived from the day key and from the audit key of the person (decision 168).
 * The expiry of a day deletes its key, and what was sealed on that day is unreadable from then on, in every copy.
 *
 * The keys are in no database, so no export of D1, no backup and no archive contains them (decision 167). The object
 * never makes the key of a deleted day again: what is sealed later would otherwise look as if it had expired.
 *
 * Its methods never throw across the call; undefined says that the storage has failed.
 */
import { DurableObject } from "cloudflare:workers";
import { causeOf, log } from "../../log.ts";
import { SqlTable } from "../../sql-table.ts";

const keyBytes = 32;

/** A row without a key marks the last deleted day. No other row is of that day or before it. */
interface DayKeyRow extends Record<string, SqlStorageValue> {
  readonly day: number;
  readonly key: ArrayBuffer | null;
}

/** `DayKeys` in a form that crosses the call. */
interface FoundKeys {
  keys: Map<number, Uint8Array<ArrayBuffer>>;
  firstDay: number | null;
  hasDeleted: boolean;
}

export class PersonalKeys extends DurableObject<Env> {
  readonly #keys = new SqlTable(
    this.ctx.storage.sql,
    "day_keys",
    "(day INTEGER PRIMARY KEY, key BLOB)",
  );

  /**
   * The key of a day, which is made at its first use.
   * @param day UTC, as `dayOf` counts
   * @returns null if the day is one of those whose keys were deleted
   */
  async keyOf(day: number): Promise<Uint8Array<ArrayBuffer> | null | undefined> {
    return await this.#store(() => {
      const [known] = this.#select([day]);
      if (known !== undefined) return known.key === null ? null : new Uint8Array(known.key);
      if (day <= this.#lastDeletedDay()) return null;
      const key = crypto.getRandomValues(new Uint8Array(keyBytes));
      this.#keys.create();
      this.ctx.storage.sql.exec("INSERT INTO day_keys (day, key) VALUES (?, ?)", day, key);
      return key;
    });
  }

  /** The keys of these days, and what is known of the others. A day without a key gets none. */
  async findKeys(days: readonly number[]): Promise<FoundKeys | undefined> {
    return await this.#store(() => {
      const keys = new Map(
        this.#select(days).flatMap(({ day, key }) =>
          key === null ? [] : [[day, new Uint8Array(key)]],
        ),
      );
      const first = this.#selectFirst();
      if (first === undefined) return { keys, firstDay: null, hasDeleted: false };
      return first.key === null
        ? { keys, firstDay: first.day + 1, hasDeleted: true }
        : { keys, firstDay: first.day, hasDeleted: false };
    });
  }

  /**
   * Deletes the keys of all days before this one, for good. A repeated call changes nothing.
   * @returns how many keys were deleted
   */
  async deleteKeysBelow(day: number): Promise<number | undefined> {
    return await this.#store(() => {
      const lastDeleted = this.#lastDeletedDay();
      if (day - 1 <= lastDeleted) return 0;
      const { sql } = this.ctx.storage;
      this.#keys.create();
      // SQLite may leave the bytes of a deleted row in its file, so they are overwritten first.
      sql.exec(
        "UPDATE day_keys SET key = zeroblob(?) WHERE day < ? AND key IS NOT NULL",
        keyBytes,
        day,
      );
      const deleted = sql
        .exec("DELETE FROM day_keys WHERE day < ? RETURNING day", day)
        .toArray()
        .filter((row) => row.day !== lastDeleted);
      sql.exec("INSERT INTO day_keys (day, key) VALUES (?, NULL)", day - 1);
      return deleted.length;
    });
  }

  /** Deletes everything, for a tenant that is deleted. @returns whether that is done */
  async deleteAll(): Promise<boolean> {
    try {
      await this.ctx.storage.deleteAll();
      return true;
    } catch (error) {
      log("error", "personal_keys_failed", { cause: causeOf(error) });
      return false;
    }
  }

  #select(days: readonly number[]): DayKeyRow[] {
    if (!this.#keys.exists()) return [];
    return this.ctx.storage.sql
      .exec<DayKeyRow>(
        "SELECT day, key FROM day_keys WHERE day IN (SELECT value FROM json_each(?))",
        JSON.stringify(days),
      )
      .toArray();
  }

  #selectFirst(): DayKeyRow | undefined {
    if (!this.#keys.exists()) return undefined;
    const { sql } = this.ctx.storage;
    const rows = sql.exec<DayKeyRow>("SELECT day, key FROM day_keys ORDER BY day LIMIT 1");
    return rows.toArray()[0];
  }

  /** The last day whose key was deleted, as all before it were; minus infinity if none was. */
  #lastDeletedDay(): number {
    const first = this.#selectFirst();
    return first?.key === null ? first.day : Number.NEGATIVE_INFINITY;
  }

  /** Runs a change in one transaction and makes it durable. @returns undefined if the storage fails */
  async #store<T>(change: () => T): Promise<T | undefined> {
    const { storage } = this.ctx;
    try {
      const result = storage.transactionSync(change);
      // Nothing may be sealed under a key that the object could lose.
      await storage.sync();
      return result;
    } catch (error) {
      log("error", "personal_keys_failed", { cause: causeOf(error) });
      return undefined;
    }
  }
}
