/**
 * A guard's sessions, as they are stored. A session that nobody has proved is in the row of the state: it costs
 * no row, neither when it arrives nor when it is forgotten. A session with a verdict has a row of its own,
 * as all sessions of older builds had.
 */
import {
  type History,
  type KnownSession,
  knownSessionSchema,
  maxWeakSessions,
} from "../sentinel/history.ts";
import { SqlTable } from "../sql-table.ts";

/**
 * The weakly confirmed ones and some more. The row of the state is written again with each change, so further
 * sessions have rows of their own.
 */
export const maxSessionsInState = maxWeakSessions + 16;

/** The sessions after a change of the state. */
interface ChangedSessions {
  /** Those in the row of the state, as JSON values. */
  readonly inState: readonly unknown[];
  readonly added: History;
  readonly removed: readonly string[];
  /** All sessions, if they changed. */
  readonly history?: History;
}

/** A damaged session is skipped: it must not keep a user from verifying a code. */
function parseSession(value: unknown): readonly KnownSession[] {
  const parsed = knownSessionSchema.safeParse(value);
  return parsed.success ? [parsed.data] : [];
}

function compareSessions(left: KnownSession, right: KnownSession): number {
  return left.at - right.at || (left.id < right.id ? -1 : 1);
}

export class StoredSessions {
  readonly #sql: SqlStorage;
  readonly #table: SqlTable;
  #inState: readonly unknown[] = [];
  /** The sessions with rows, by id, and all of them: `undefined` until they were read. */
  #rows: ReadonlyMap<string, KnownSession> | undefined;
  #history: History | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#table = new SqlTable(
      sql,
      "sessions",
      "(id TEXT PRIMARY KEY, at INTEGER NOT NULL, verdict TEXT, context TEXT NOT NULL) WITHOUT ROWID",
    );
  }

  /** The sessions for the row of the state, as JSON values. */
  get inState(): readonly unknown[] {
    return this.#inState;
  }

  /** @param inState what the row of the state has */
  open(inState: readonly unknown[]): void {
    this.#inState = inState;
  }

  /** The oldest first. */
  read(): History {
    this.#history ??= [
      ...this.#readRows().values(),
      ...this.#inState.flatMap(parseSession),
    ].toSorted(compareSessions);
    return this.#history;
  }

  /** Computes the sessions that go with the next state. @param history undefined if they stay as they are */
  change(history: History | undefined): ChangedSessions {
    if (history === undefined) return { inState: this.#inState, added: [], removed: [] };
    const rows = this.#readRows();
    const isForState = ({ id, verdict }: KnownSession) => verdict === null && !rows.has(id);
    const inState = history.filter(isForState).slice(-maxSessionsInState);
    const withRows = new Map(
      history.filter((session) => !inState.includes(session)).map((one) => [one.id, one]),
    );
    return {
      inState,
      added: [...withRows.values()].filter((session) => rows.get(session.id) !== session),
      removed: [...rows.keys()].filter((id) => !withRows.has(id)),
      history,
    };
  }

  /** Whether the change writes rows of its own. */
  hasRows({ added, removed }: ChangedSessions): boolean {
    return added.length + removed.length > 0;
  }

  /** Writes what has rows of its own. It belongs in the transaction of the change. */
  write({ added, removed }: ChangedSessions): void {
    if (added.length > 0) this.#table.create();
    for (const { id, at, verdict, context, risk, deviceId } of added) {
      // Older builds read the context alone, and ignore the risk and the device in it.
      const stored = { ...context, risk, deviceId };
      this.#sql.exec(
        "INSERT OR REPLACE INTO sessions (id, at, verdict, context) VALUES (?, ?, ?, ?)",
        ...[id, at, verdict, JSON.stringify(stored)],
      );
    }
    for (const id of removed) this.#sql.exec("DELETE FROM sessions WHERE id = ?", id);
  }

  /** Call this when the change is stored. */
  applyChange({ inState, added, removed, history }: ChangedSessions): void {
    if (history === undefined) return;
    this.#inState = inState;
    this.#history = history;
    const rows = new Map(this.#readRows());
    for (const id of removed) rows.delete(id);
    for (const session of added) rows.set(session.id, session);
    this.#rows = rows;
  }

  /** Empties the memory. @param isCleared whether the storage is empty, and need not be read */
  reset(isCleared: boolean): void {
    this.#inState = [];
    this.#rows = isCleared ? new Map() : undefined;
    this.#history = undefined;
  }

  #readRows(): ReadonlyMap<string, KnownSession> {
    this.#rows ??= new Map(this.#loadRows().map((session) => [session.id, session]));
    return this.#rows;
  }

  #loadRows(): KnownSession[] {
    if (!this.#table.exists()) return [];
    return this.#sql
      .exec("SELECT id, at, verdict, context FROM sessions")
      .toArray()
      .flatMap((row) => {
        const context = JSON.parse(String(row.context));
        const { risk, deviceId } = context ?? {};
        return parseSession({
          ...row,
          context,
          ...(risk === undefined ? {} : { risk }),
          ...(deviceId === undefined ? {} : { deviceId }),
        });
      });
  }
}
