/**
 * A guard's own SQLite database: the state with its outbox in one row, the sessions and the kept answers.
 * Tables are created with the first write, so a request about an unknown identity stores nothing.
 */
import type { History } from "../sentinel/history.ts";
import { SqlTable } from "../sql-table.ts";
import { type IdentityState, parseState, splitRefusals } from "./decisions/state.ts";
import type { PendingDelivery, VersionedState } from "./delivery/build-delivery.ts";
import type { OutboxEntry, WaitingEntry } from "./delivery/outbox-entry.ts";
import { type KeptAnswer, KeptAnswers } from "./kept-answers.ts";
import { StoredOutbox } from "./stored-outbox.ts";
import { StoredSessions } from "./stored-sessions.ts";

/** What is written with a state, in the same transaction. */
interface Additions {
  readonly entry?: OutboxEntry;
  readonly history?: History;
  readonly answer?: KeptAnswer;
}

/** What is in the row of the state besides the state. */
interface Companions {
  readonly waiting: readonly WaitingEntry[];
  /** JSON values. */
  readonly sessions: readonly unknown[];
}

function formatState(state: IdentityState, { waiting, sessions }: Companions): string {
  const { refusals, laterRefusals } = splitRefusals(state.refusals);
  return JSON.stringify({
    ...state,
    refusals,
    ...(laterRefusals.length === 0 ? {} : { laterRefusals }),
    ...(waiting.length === 0 ? {} : { waiting }),
    ...(sessions.length === 0 ? {} : { sessions }),
  });
}

/**
 * Parses the row of the state. The companions are taken out of it first, because the state keeps fields that it does
 * not know. @throws ZodError or SyntaxError when it is damaged
 */
function parseRow(text: string): Companions & { readonly state: IdentityState } {
  const { waiting = [], sessions = [], ...state }: Partial<Companions> = JSON.parse(text);
  return { waiting, sessions, state: parseState(state) };
}

export class GuardStorage {
  readonly #storage: DurableObjectStorage;
  readonly #stateTable: SqlTable;
  readonly #outbox: StoredOutbox;
  readonly #sessions: StoredSessions;
  readonly answers: KeptAnswers;
  /** Mirrors the table `live`: `undefined` until it was read, `null` when it is empty. */
  #state: VersionedState | null | undefined;
  #erasureEpoch = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#stateTable = new SqlTable(
      storage.sql,
      "live",
      "(only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, state TEXT NOT NULL)",
    );
    this.#outbox = new StoredOutbox(storage.sql);
    this.#sessions = new StoredSessions(storage.sql);
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
    // The sessions in the row of the state are read with it.
    this.readState();
    return this.#sessions.read();
  }

  /** Writes everything in one transaction. Synchronous: nothing runs between decision and record. */
  write(state: IdentityState, version: number, { entry, history, answer }: Additions = {}): void {
    const isErased = state.status === "erased";
    const isFirst = this.readState() === null;
    // The version numbers the entry, so the number of a delivered entry is never used again.
    const added = entry && { ...entry, seq: version, writtenAt: Date.now() };
    const outbox = this.#outbox.change(added, isErased);
    const sessions = this.#sessions.change(history);
    const hasRows = this.#outbox.hasRows(outbox) || this.#sessions.hasRows(sessions);
    const isOneRow = !(isFirst || isErased || answer || hasRows);
    const write = () => {
      if (isFirst) this.#stateTable.create();
      this.#storage.sql.exec(
        "INSERT INTO live (only, version, state) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, state = excluded.state",
        version,
        formatState(state, { waiting: outbox.inState, sessions: sessions.inState }),
      );
      this.#outbox.write(outbox);
      this.#sessions.write(sessions);
      if (answer !== undefined) this.answers.write(answer);
      if (isErased) this.answers.deleteAll();
    };
    // One statement is a transaction of its own.
    if (isOneRow) write();
    else this.#storage.transactionSync(write);
    this.#outbox.applyChange(outbox);
    this.#sessions.applyChange(sessions);
    this.#state = { state, version };
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
      formatState(present.state, {
        waiting: this.#outbox.inState,
        sessions: this.#sessions.inState,
      }),
    );
  }

  /**
   * Deletes everything, the alarm too, and starts a new erasure epoch. Both deletions start before
   * anything else can run.
   */
  async clear(): Promise<void> {
    this.#erasureEpoch += 1;
    this.#state = null;
    this.#sessions.reset(true);
    this.#outbox.reset();
    this.answers.reset();
    try {
      await Promise.all([this.#storage.deleteAll(), this.#storage.deleteAlarm()]);
    } catch (error) {
      this.#state = undefined;
      this.#sessions.reset(false);
      throw error;
    }
  }

  #loadState(): VersionedState | null {
    const [row] = this.#storage.sql
      .exec<{ version: number; state: string }>("SELECT version, state FROM live")
      .toArray();
    if (row === undefined) return null;
    const { state, waiting, sessions } = parseRow(row.state);
    this.#outbox.open(waiting);
    this.#sessions.open(sessions);
    return { state, version: row.version };
  }
}
