/**
 * The guard's own SQLite: one row with the state, and the outbox. Tables are made with the first
 * write, so that asking about an unknown identity leaves nothing behind.
 */
import { z } from "zod";
import { type AuditEvent, auditEventSchema } from "../audit/event.ts";
import type { AssessmentRecord } from "../sentinel/assessment.ts";
import { type IdentityState, parseState } from "./state.ts";

/** What one transaction has to tell the world. */
export interface Dispatch {
  readonly events: readonly AuditEvent[];
  readonly assessment?: AssessmentRecord;
}

interface Live {
  readonly state: IdentityState;
  /** Grows by one with every change, over erasures too. */
  readonly version: number;
}

export interface Pending extends Live {
  readonly dispatches: readonly Dispatch[];
  /** The last outbox row among them. */
  readonly lastSeq: number;
}

const dispatchesPerDelivery = 50;

const events = z.array(auditEventSchema);

export class GuardStorage {
  readonly #storage: DurableObjectStorage;
  /** Mirrors the table; `undefined` until it was read, `null` when there is none. */
  #live: Live | null | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  live(): Live | null {
    if (this.#live === undefined) this.#live = this.#hasTables() ? this.#readLive() : null;
    return this.#live;
  }

  /** Writes state and dispatch together. Synchronous: nothing comes between decision and record. */
  write(state: IdentityState, version: number, dispatch?: Dispatch): void {
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      if (this.live() === null) this.#createTables();
      sql.exec(
        "INSERT INTO live (only, version, state) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, state = excluded.state",
        version,
        JSON.stringify(state),
      );
      if (dispatch !== undefined) {
        sql.exec("INSERT INTO outbox (dispatch) VALUES (?)", JSON.stringify(dispatch));
      }
    });
    this.#live = { state, version };
  }

  /** The oldest dispatches not delivered yet, or undefined when all are. */
  pending(): Pending | undefined {
    const live = this.live();
    if (live === null) return undefined;
    const rows = this.#storage.sql
      .exec<{ seq: number; dispatch: string }>(
        "SELECT seq, dispatch FROM outbox ORDER BY seq LIMIT ?",
        dispatchesPerDelivery,
      )
      .toArray();
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    const dispatches = rows.map(({ dispatch }): Dispatch => {
      const stored: Dispatch = JSON.parse(dispatch);
      return { ...stored, events: events.parse(stored.events) };
    });
    return { ...live, dispatches, lastSeq: last.seq };
  }

  /** Forgets what has arrived. */
  delivered(lastSeq: number): void {
    this.#storage.sql.exec("DELETE FROM outbox WHERE seq <= ?", lastSeq);
  }

  /** Leaves nothing behind, as if the identity had never been. Both begin before anything else runs. */
  async clear(): Promise<void> {
    this.#live = null;
    try {
      await Promise.all([this.#storage.deleteAll(), this.#storage.deleteAlarm()]);
    } catch (error) {
      this.#live = undefined;
      throw error;
    }
  }

  #hasTables(): boolean {
    const { sql } = this.#storage;
    return sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'live'").toArray().length > 0;
  }

  #readLive(): Live | null {
    const [row] = this.#storage.sql
      .exec<{ version: number; state: string }>("SELECT version, state FROM live")
      .toArray();
    return row === undefined ? null : { state: parseState(row.state), version: row.version };
  }

  #createTables(): void {
    this.#storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS live (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, state TEXT NOT NULL)",
    );
    this.#storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, dispatch TEXT NOT NULL)",
    );
  }
}
