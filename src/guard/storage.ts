/**
 * A guard's own SQLite database: the state in one row, the outbox, the sessions and the kept answers.
 * Tables are created with the first write, so a request about an unknown identity stores nothing.
 */
import { z } from "zod";
import { auditEventSchema } from "../audit/event.ts";
import { type History, type KnownSession, knownSessionSchema } from "../sentinel/history.ts";
import { SqlTable } from "../sql-table.ts";
import { type IdentityState, parseState } from "./decisions/state.ts";
import type { PendingDelivery, VersionedState } from "./delivery/build-delivery.ts";
import type { OutboxEntry } from "./delivery/outbox-entry.ts";
import { type KeptAnswer, KeptAnswers } from "./kept-answers.ts";

/** What is written with a state, in the same transaction. */
interface Additions {
  readonly entry?: OutboxEntry;
  readonly history?: History;
  readonly answer?: KeptAnswer;
}

const maxEntriesPerDelivery = 50;

const storedEvents = z.array(auditEventSchema);

export class GuardStorage {
  readonly #storage: DurableObjectStorage;
  readonly #stateTable: SqlTable;
  readonly #outboxTable: SqlTable;
  readonly #sessionTable: SqlTable;
  readonly answers: KeptAnswers;
  /** Mirrors the table `live`: `undefined` until it was read, `null` when it is empty. */
  #state: VersionedState | null | undefined;
  /** Mirrors the table `sessions`: `undefined` until it was read. */
  #history: History | undefined;
  #erasureEpoch = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    const table = (name: string, definition: string) => new SqlTable(storage.sql, name, definition);
    this.#stateTable = table(
      "live",
      "(only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, state TEXT NOT NULL)",
    );
    this.#outboxTable = table("outbox", "(seq INTEGER PRIMARY KEY, dispatch TEXT NOT NULL)");
    this.#sessionTable = table(
      "sessions",
      "(id TEXT PRIMARY KEY, at INTEGER NOT NULL, verdict TEXT, context TEXT NOT NULL) WITHOUT ROWID",
    );
    this.answers = new KeptAnswers(storage.sql);
  }

  /** Counts the erasures since the guard started. What was read from D1 in an earlier epoch is void. */
  get erasureEpoch(): number {
    return this.#erasureEpoch;
  }

  readState(): VersionedState | null {
    if (this.#state === undefined) {
      this.#state = this.#stateTable.exists() ? this.#loadState() : null;
    }
    return this.#state;
  }

  /** Whether the identity is erased here and D1 has not confirmed its own deletion yet. */
  isErasing(): boolean {
    return this.readState()?.state.status === "erased";
  }

  /** The identity's sessions, the oldest first. */
  readHistory(): History {
    this.#history ??= this.#loadHistory();
    return this.#history;
  }

  /** Writes everything in one transaction. Synchronous: nothing runs between decision and record. */
  write(state: IdentityState, version: number, { entry, history, answer }: Additions = {}): void {
    const { sql } = this.#storage;
    const isErased = state.status === "erased";
    this.#storage.transactionSync(() => {
      if (this.readState() === null) {
        this.#stateTable.create();
        this.#outboxTable.create();
      }
      sql.exec(
        "INSERT INTO live (only, version, state) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, state = excluded.state",
        version,
        JSON.stringify(state),
      );
      if (isErased) this.#removePersonalParts();
      // The version numbers the row, so the number of a deleted row is never used again.
      if (entry !== undefined) {
        sql.exec(
          "INSERT INTO outbox (seq, dispatch) VALUES (?, ?)",
          version,
          JSON.stringify(entry),
        );
      }
      if (history !== undefined) this.#writeHistory(history);
      if (answer !== undefined) this.answers.write(answer);
      if (isErased) this.answers.deleteAll();
    });
    this.#state = { state, version };
    if (history !== undefined) this.#history = history;
  }

  /** The oldest undelivered entries, 50 at most, with the present state; undefined when there are none. */
  readPending(): PendingDelivery | undefined {
    const present = this.readState();
    if (present === null) return undefined;
    const rows = this.#storage.sql
      .exec<{ seq: number; dispatch: string }>(
        "SELECT seq, dispatch FROM outbox ORDER BY seq LIMIT ?",
        maxEntriesPerDelivery,
      )
      .toArray();
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    const entries = rows.map(({ dispatch }): OutboxEntry => {
      const entry: OutboxEntry = JSON.parse(dispatch);
      return { ...entry, events: storedEvents.parse(entry.events) };
    });
    return { ...present, entries, lastSeq: last.seq };
  }

  /** Deletes outbox rows up to this one. */
  removeDelivered(lastSeq: number): void {
    if (this.readState() === null) return;
    this.#storage.sql.exec("DELETE FROM outbox WHERE seq <= ?", lastSeq);
  }

  /**
   * Deletes everything, the alarm too, and starts a new erasure epoch. Both deletions start before
   * anything else can run.
   */
  async clear(): Promise<void> {
    this.#erasureEpoch += 1;
    this.#state = null;
    this.#history = [];
    this.answers.reset();
    try {
      await Promise.all([this.#storage.deleteAll(), this.#storage.deleteAlarm()]);
    } catch (error) {
      this.#state = undefined;
      this.#history = undefined;
      throw error;
    }
  }

  #loadState(): VersionedState | null {
    const [row] = this.#storage.sql
      .exec<{ version: number; state: string }>("SELECT version, state FROM live")
      .toArray();
    return row === undefined ? null : { state: parseState(row.state), version: row.version };
  }

  #loadHistory(): History {
    if (!this.#sessionTable.exists()) return [];
    return this.#storage.sql
      .exec("SELECT id, at, verdict, context FROM sessions ORDER BY at, id")
      .toArray()
      .flatMap((row): KnownSession[] => {
        // A damaged session is skipped: it must not keep a user from verifying a code.
        const parsed = knownSessionSchema.safeParse({
          ...row,
          context: JSON.parse(String(row.context)),
        });
        return parsed.success ? [parsed.data] : [];
      });
  }

  /** Writes only the sessions that changed: every written row costs money. */
  #writeHistory(history: History): void {
    const { sql } = this.#storage;
    const stored = new Map(this.readHistory().map((session) => [session.id, session]));
    if (history.length === 0 && stored.size === 0) return;
    this.#sessionTable.create();
    for (const session of history) {
      const isStored = stored.get(session.id) === session;
      stored.delete(session.id);
      if (isStored) continue;
      sql.exec(
        "INSERT OR REPLACE INTO sessions (id, at, verdict, context) VALUES (?, ?, ?, ?)",
        session.id,
        session.at,
        session.verdict,
        JSON.stringify(session.context),
      );
    }
    for (const id of stored.keys()) sql.exec("DELETE FROM sessions WHERE id = ?", id);
  }

  /** Reduces every entry in the outbox to its events without personal parts: D1 accepts nothing else. */
  #removePersonalParts(): void {
    const { sql } = this.#storage;
    const rows = sql.exec<{ seq: number; dispatch: string }>("SELECT seq, dispatch FROM outbox");
    for (const { seq, dispatch } of rows.toArray()) {
      const entry: OutboxEntry = JSON.parse(dispatch);
      const events = entry.events.map((event) => ({ ...event, personal: null }));
      sql.exec(
        "UPDATE outbox SET dispatch = ? WHERE seq = ?",
        JSON.stringify({ events } satisfies OutboxEntry),
        seq,
      );
    }
  }
}
