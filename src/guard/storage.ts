/**
 * The guard's own SQLite: one row with the state, and the outbox. Tables are made with the first
 * write, so that asking about an unknown identity leaves nothing behind.
 */
import { z } from "zod";
import { auditEventSchema } from "../audit/event.ts";
import type { FirstRequest } from "../idempotency/request-key.ts";
import { type History, type KnownSession, knownSessionSchema } from "../sentinel/history.ts";
import { type IdentityState, parseState } from "./decisions/state.ts";
import type { OutboxEntry, VersionedState, PendingDelivery } from "./delivery/delivery.ts";

/** What is written with a state, in the same transaction. */
interface Additions {
  readonly entry?: OutboxEntry;
  readonly history?: History;
  readonly answer?: KeptAnswer;
}

/** How a request with an `Idempotency-Key` was answered. */
export interface KeptAnswer extends FirstRequest {
  readonly key: string;
  /** The receipt: the request's digest, and what was shown once; sealed. */
  readonly receipt: string;
  /** The result, JSON, without what was shown once. */
  readonly result: string;
  /** Real time from which on it may go, Unix ms. */
  readonly expiresAt: number;
}

/** Beyond it the oldest goes: a repetition of that one is then a request like any other. */
const maxAnswers = 1_000;

const dispatchesPerDelivery = 50;

const events = z.array(auditEventSchema);

export class GuardStorage {
  readonly #storage: DurableObjectStorage;
  /** Mirrors the table; `undefined` until it was read, `null` when there is none. */
  #live: VersionedState | null | undefined;
  /** Mirrors the table of sessions; `undefined` until it was read. */
  #history: History | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  readState(): VersionedState | null {
    if (this.#live === undefined) this.#live = this.#hasTable("live") ? this.#readLive() : null;
    return this.#live;
  }

  /** The sessions of the identity, in the order of time. */
  readHistory(): History {
    this.#history ??= this.#readHistory();
    return this.#history;
  }

  /** Writes all of it together. Synchronous: nothing comes between decision and record. */
  write(
    state: IdentityState,
    version: number,
    { entry: dispatch, history, answer }: Additions = {},
  ): void {
    const { sql } = this.#storage;
    this.#storage.transactionSync(() => {
      if (this.readState() === null) this.#createTables();
      sql.exec(
        "INSERT INTO live (only, version, state) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET version = excluded.version, state = excluded.state",
        version,
        JSON.stringify(state),
      );
      if (state.status === "erased") this.#removePersonalParts();
      if (dispatch !== undefined) {
        // The version is the number of the row: one that has gone is not given out again.
        sql.exec(
          "INSERT INTO outbox (seq, dispatch) VALUES (?, ?)",
          version,
          JSON.stringify(dispatch),
        );
      }
      if (history !== undefined) this.#writeHistory(history);
      if (answer !== undefined) this.#writeAnswer(answer);
      if (state.status === "erased") this.#removeAnswers(Number.MAX_SAFE_INTEGER);
    });
    this.#live = { state, version };
    if (history !== undefined) this.#history = history;
  }

  /** The oldest dispatches not delivered yet, or undefined when all are. */
  readPending(): PendingDelivery | undefined {
    const live = this.readState();
    if (live === null) return undefined;
    const rows = this.#storage.sql
      .exec<{ seq: number; dispatch: string }>(
        "SELECT seq, dispatch FROM outbox ORDER BY seq LIMIT ?",
        dispatchesPerDelivery,
      )
      .toArray();
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    const dispatches = rows.map(({ dispatch }): OutboxEntry => {
      const stored: OutboxEntry = JSON.parse(dispatch);
      return { ...stored, events: events.parse(stored.events) };
    });
    return { ...live, entries: dispatches, lastSeq: last.seq };
  }

  /** Forgets what has arrived. */
  removeDelivered(lastSeq: number): void {
    if (this.readState() === null) return;
    this.#storage.sql.exec("DELETE FROM outbox WHERE seq <= ?", lastSeq);
  }

  /** The answer kept under the key of a request, if one is. */
  findAnswer(key: string): KeptAnswer | undefined {
    if (!this.#hasTable("answers")) return undefined;
    return this.#answers("WHERE key = ?", key)[0];
  }

  /** All answers kept. */
  readAnswers(): KeptAnswer[] {
    return this.#hasTable("answers") ? this.#answers("") : [];
  }

  /** Puts a receipt in the place of the one that an answer has. */
  replaceReceipt(key: string, receipt: string): void {
    this.#storage.sql.exec("UPDATE answers SET receipt = ? WHERE key = ?", receipt, key);
  }

  /** Forgets answers past their time. @returns when the next one may go, Unix ms */
  removeExpiredAnswers(realNow: number): number | undefined {
    this.#removeAnswers(realNow);
    const due = this.readAnswers().map(({ expiresAt }) => expiresAt);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Leaves nothing behind, as if the identity had never been. Both begin before anything else runs. */
  async clear(): Promise<void> {
    this.#live = null;
    this.#history = [];
    try {
      await Promise.all([this.#storage.deleteAll(), this.#storage.deleteAlarm()]);
    } catch (error) {
      this.#live = undefined;
      this.#history = undefined;
      throw error;
    }
  }

  #hasTable(name: string): boolean {
    const { sql } = this.#storage;
    return sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", name).toArray().length > 0;
  }

  #readHistory(): History {
    if (!this.#hasTable("sessions")) return [];
    return this.#storage.sql
      .exec("SELECT id, at, verdict, context FROM sessions ORDER BY at, id")
      .toArray()
      .flatMap((row): KnownSession[] => {
        // One that cannot be read is forgotten; it must not stand between a user and a code.
        const parsed = knownSessionSchema.safeParse({
          ...row,
          context: JSON.parse(String(row.context)),
        });
        return parsed.success ? [parsed.data] : [];
      });
  }

  /** Rows of sessions that are as they were stay untouched. */
  #writeHistory(history: History): void {
    const { sql } = this.#storage;
    const stored = new Map(this.readHistory().map((session) => [session.id, session]));
    if (history.length === 0 && stored.size === 0) return;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, at INTEGER NOT NULL, verdict TEXT, context TEXT NOT NULL) WITHOUT ROWID",
    );
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

  #answers(where: string, ...parameters: string[]): KeptAnswer[] {
    return this.#storage.sql
      .exec<{
        key: string;
        at: number;
        request_id: string;
        receipt: string;
        result: string;
        forget_at: number;
      }>(`SELECT * FROM answers ${where}`, ...parameters)
      .toArray()
      .map(({ request_id: requestId, forget_at: expiresAt, ...row }) => ({
        ...row,
        requestId,
        expiresAt,
      }));
  }

  #writeAnswer({ key, at, requestId, receipt, result, expiresAt }: KeptAnswer): void {
    const { sql } = this.#storage;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, at INTEGER NOT NULL, request_id TEXT NOT NULL, receipt TEXT NOT NULL, result TEXT NOT NULL, forget_at INTEGER NOT NULL) WITHOUT ROWID",
    );
    sql.exec(
      "INSERT OR REPLACE INTO answers (key, at, request_id, receipt, result, forget_at) VALUES (?, ?, ?, ?, ?, ?)",
      ...[key, at, requestId, receipt, result, expiresAt],
    );
    sql.exec(
      "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY forget_at DESC, key LIMIT -1 OFFSET ?)",
      maxAnswers,
    );
  }

  #removeAnswers(realNow: number): void {
    if (!this.#hasTable("answers")) return;
    this.#storage.sql.exec("DELETE FROM answers WHERE forget_at <= ?", realNow);
  }

  /** Of what waits to be told only that it happened is left: D1 would take no more of an erased person. */
  #removePersonalParts(): void {
    const { sql } = this.#storage;
    const rows = sql.exec<{ seq: number; dispatch: string }>("SELECT seq, dispatch FROM outbox");
    for (const { seq, dispatch } of rows.toArray()) {
      const waiting: OutboxEntry = JSON.parse(dispatch);
      const told = waiting.events.map((event) => ({ ...event, personal: null }));
      sql.exec(
        "UPDATE outbox SET dispatch = ? WHERE seq = ?",
        JSON.stringify({ events: told } satisfies OutboxEntry),
        seq,
      );
    }
  }

  #readLive(): VersionedState | null {
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
