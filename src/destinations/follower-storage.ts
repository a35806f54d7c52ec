/**
 * What a follower stores in its object. Of an event it has the leaf index and the id, and nothing else, so that an
 * erasure needs nothing here.
 */
import { SqlTable } from "../sql-table.ts";
import type { FollowerState, Waiting } from "./advance.ts";
import type { DestinationOwner } from "./destination.ts";
import type { Attempt, AttemptError } from "./request/attempt.ts";

const maxAttempts = 100;

const ownerKey = "owner";
const stateKey = "state";
const endedKey = "ended";

/** An attempt as it is listed. */
export interface ListedAttempt extends Attempt {
  readonly leafIndex: number;
  /** The id of the event; of a stream, of the first one in the batch. */
  readonly eventId: string;
  /** How many events the attempt covered. */
  readonly events: number;
  /** When the next one is due, Unix ms; null if it succeeded or nothing more is tried. */
  readonly nextAt: number | null;
}

type AttemptRow = {
  leaf_index: number;
  event_id: string;
  events: number;
  at: number;
  milliseconds: number;
  status: number | null;
  error: AttemptError | null;
  next_at: number | null;
};

type WaitingRow = { leaf_index: number; event_id: string; attempts: number; due_at: number };

function waitingOf(row: WaitingRow): Waiting {
  const { leaf_index: leafIndex, event_id: id, attempts, due_at: dueAt } = row;
  return { leafIndex, id, attempts, dueAt };
}

export class FollowerStorage {
  readonly #storage: DurableObjectStorage;
  readonly #waiting: SqlTable;
  readonly #attempts: SqlTable;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#waiting = new SqlTable(
      storage.sql,
      "waiting",
      "(leaf_index INTEGER PRIMARY KEY, event_id TEXT NOT NULL, attempts INTEGER NOT NULL, due_at INTEGER NOT NULL)",
    );
    // The slots are filled in turn, so that an attempt writes one row.
    this.#attempts = new SqlTable(
      storage.sql,
      "attempts",
      "(slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, leaf_index INTEGER NOT NULL, event_id TEXT NOT NULL, events INTEGER NOT NULL, at INTEGER NOT NULL, milliseconds INTEGER NOT NULL, status INTEGER, error TEXT, next_at INTEGER)",
    );
  }

  readOwner(): DestinationOwner | undefined {
    return this.#storage.kv.get<DestinationOwner>(ownerKey);
  }

  writeOwner(owner: DestinationOwner): void {
    this.#storage.kv.put(ownerKey, owner);
  }

  /** Whether the destination was deleted. A row that a restore of D1 brings back does not send again. */
  hasEnded(): boolean {
    return this.#storage.kv.get<boolean>(endedKey) === true;
  }

  readState(): FollowerState | undefined {
    return this.#storage.kv.get<FollowerState>(stateKey);
  }

  writeState(state: FollowerState): void {
    this.#storage.kv.put(stateKey, state);
  }

  /** Runs the work in one transaction. */
  transact<T>(work: () => T): T {
    return this.#storage.transactionSync(work);
  }

  countWaiting(): number {
    if (!this.#waiting.exists()) return 0;
    const [row] = this.#storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM waiting");
    return row?.n ?? 0;
  }

  findWaiting(leafIndex: number): Waiting | undefined {
    if (!this.#waiting.exists()) return undefined;
    const rows = this.#storage.sql
      .exec<WaitingRow>("SELECT * FROM waiting WHERE leaf_index = ?", leafIndex)
      .toArray();
    return rows.map(waitingOf)[0];
  }

  /** Lists the deliveries that are due, by leaf index. @param now real time, Unix ms */
  listDue(now: number, limit: number): Waiting[] {
    if (!this.#waiting.exists()) return [];
    return this.#storage.sql
      .exec<WaitingRow>(
        "SELECT * FROM waiting WHERE due_at <= ? ORDER BY leaf_index LIMIT ?",
        now,
        limit,
      )
      .toArray()
      .map(waitingOf);
  }

  /** When the next delivery is due, Unix ms; undefined if none waits. */
  findNextDue(): number | undefined {
    if (!this.#waiting.exists()) return undefined;
    const [row] = this.#storage.sql
      .exec<{ due: number | null }>("SELECT min(due_at) AS due FROM waiting")
      .toArray();
    return row?.due ?? undefined;
  }

  putWaiting({ leafIndex, id, attempts, dueAt }: Waiting): void {
    this.#waiting.create();
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO waiting (leaf_index, event_id, attempts, due_at) VALUES (?, ?, ?, ?)",
      ...[leafIndex, id, attempts, dueAt],
    );
  }

  removeWaiting(leafIndex: number): void {
    if (!this.#waiting.exists()) return;
    this.#storage.sql.exec("DELETE FROM waiting WHERE leaf_index = ?", leafIndex);
  }

  /** Removes the deliveries of a leaf and of those after it, which the cursor reaches again. */
  removeWaitingFrom(leafIndex: number): void {
    if (!this.#waiting.exists()) return;
    this.#storage.sql.exec("DELETE FROM waiting WHERE leaf_index >= ?", leafIndex);
  }

  /** Adds an attempt in place of the hundredth before it. */
  addAttempt(attempt: ListedAttempt): void {
    this.#attempts.create();
    const { leafIndex, eventId, events, at, milliseconds, status, error, nextAt } = attempt;
    const { sql } = this.#storage;
    const [last] = sql
      .exec<{ seq: number | null }>("SELECT max(seq) AS seq FROM attempts")
      .toArray();
    const seq = (last?.seq ?? -1) + 1;
    sql.exec(
      "INSERT OR REPLACE INTO attempts (slot, seq, leaf_index, event_id, events, at, milliseconds, status, error, next_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ...[seq % maxAttempts, seq, leafIndex, eventId, events],
      ...[at, milliseconds, status, error, nextAt],
    );
  }

  /** The last hundred attempts, newest first. */
  listAttempts(): ListedAttempt[] {
    if (!this.#attempts.exists()) return [];
    return this.#storage.sql
      .exec<AttemptRow>(
        "SELECT leaf_index, event_id, events, at, milliseconds, status, error, next_at FROM attempts ORDER BY seq DESC",
      )
      .toArray()
      .map(({ leaf_index, event_id, next_at, ...row }) => ({
        ...row,
        leafIndex: leaf_index,
        eventId: event_id,
        nextAt: next_at,
      }));
  }

  /** Deletes everything, and remembers that the destination was deleted: both or neither. */
  async end(): Promise<void> {
    this.transact(() => {
      this.#waiting.drop();
      this.#attempts.drop();
      for (const key of [ownerKey, stateKey]) this.#storage.kv.delete(key);
      this.#storage.kv.put(endedKey, true);
    });
    await this.#storage.deleteAlarm();
    await this.#storage.sync();
  }
}
