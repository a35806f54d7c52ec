/**
 * A guard's own SQLite database: the state with its outbox in one row, the sessions and the kept answers.
 * Tables are created with the first write, so a request about an unknown identity stores nothing.
 */
import { type History, type KnownSession, knownSessionSchema } from "../sentinel/history.ts";
import { SqlTable } from "../sql-table.ts";
import { type IdentityState, parseState, splitRefusals } from "./decisions/state.ts";
import type { PendingDelivery, VersionedState } from "./delivery/build-delivery.ts";
import type { OutboxEntry, WaitingEntry } from "./delivery/outbox-entry.ts";
import { type KeptAnswer, KeptAnswers } from "./kept-answers.ts";
import { StoredOutbox } from "./stored-outbox.ts";

/** What is written with a state, in the same transaction. */
interface Additions {
  readonly entry?: OutboxEntry;
  readonly history?: History;
  readonly answer?: KeptAnswer;
}

/** The state as it is stored: with the entries of the outbox, if there are any. */
function formatState(state: IdentityState, waiting: readonly WaitingEntry[]): string {
  const { refusals, laterRefusals } = splitRefusals(state.refusals);
  return JSON.stringify({
    ...state,
    refusals,
    ...(laterRefusals.length === 0 ? {} : { laterRefusals }),
    ...(waiting.length === 0 ? {} : { waiting }),
  });
}

function parseWaiting(text: string): readonly WaitingEntry[] {
  const { waiting = [] }: { readonly waiting?: readonly WaitingEntry[] } = JSON.parse(text);
  return waiting;
}

export class GuardStorage {
  readonly #storage: DurableObjectStorage;
  readonly #stateTable: SqlTable;
  readonly #outbox: StoredOutbox;
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
    this.#outbox = new StoredOutbox(storage.sql);
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
    const isErased = state.status === "erased";
    const isFirst = this.readState() === null;
    // The version numbers the entry, so the number of a delivered entry is never used again.
    const outbox = this.#outbox.change(entry && { ...entry, seq: version }, isErased);
    const isOneRow = !(isFirst || isErased || history || answer || this.#outbox.hasRows(outbox));
    const write = () => {
      if (isFirst) this.#stateTable.create();
      this.#storage.sql.exec(
        "INSERT INTO live (only, version, state) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, state = excluded.state",
        version,
        formatState(state, outbox.inState),
      );
      this.#outbox.write(outbox);
      if (history !== undefined) this.#writeHistory(history);
      if (answer !== undefined) this.answers.write(answer);
      if (isErased) this.answers.deleteAll();
    };
    // One statement is a transaction of its own.
    if (isOneRow) write();
    else this.#storage.transactionSync(write);
    this.#outbox.applyChange(outbox);
    this.#state = { state, version };
    if (history !== undefined) this.#history = history;
  }

  /** The oldest undelivered entries, with the present state; undefined when there are none. */
  readPending(): PendingDelivery | undefined {
    const present = this.readState();
    if (present === null) return undefined;
    const entries = this.#outbox.readPending();
    const last = entries.at(-1);
    if (last === undefined) return undefined;
    return { ...present, entries, lastSeq: last.seq, lastFoundSeq: this.#outbox.lastFoundSeq };
  }

  /** Removes the entries of the outbox up to this one. */
  removeDelivered(lastSeq: number): void {
    const present = this.readState();
    if (present === null || !this.#outbox.removeDelivered(lastSeq)) return;
    this.#storage.sql.exec(
      "UPDATE live SET state = ?",
      formatState(present.state, this.#outbox.inState),
    );
  }

  /**
   * Deletes everything, the alarm too, and starts a new erasure epoch. Both deletions start before
   * anything else can run.
   */
  async clear(): Promise<void> {
    this.#erasureEpoch += 1;
    this.#state = null;
    this.#history = [];
    this.#outbox.reset();
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
    if (row === undefined) return null;
    const present = { state: parseState(row.state), version: row.version };
    this.#outbox.open(parseWaiting(row.state));
    return present;
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
}
