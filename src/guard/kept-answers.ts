/**
 * The answers that a guard keeps for repeated requests with an `Idempotency-Key`. Above the bounds, the oldest
 * are deleted. A repetition of their requests then runs as a new request.
 */
import type { FirstRequest } from "../idempotency/request-key.ts";
import { SqlTable } from "../sql-table.ts";

/** The answer to a request with an `Idempotency-Key`. */
export interface KeptAnswer extends FirstRequest {
  readonly key: string;
  /** The sealed receipt: the request's digest, and the fields that are shown once. */
  readonly receipt: string;
  /** The result as JSON, without the fields that are shown once. */
  readonly result: string;
  /** Real time after which it may be deleted, Unix ms. Stored in the column `forget_at`. */
  readonly expiresAt: number;
}

const maxAnswers = 1_000;
/** Receipts and results together, in characters. An assessment has a few thousand. */
const maxCharacters = 1_000_000;

/** What all answers together take. */
interface Total {
  readonly answers: number;
  readonly characters: number;
}

export class KeptAnswers {
  readonly #sql: SqlStorage;
  readonly #table: SqlTable;
  /** Kept in memory, so that a write does not read the table. `undefined` until it was computed. */
  #total: Total | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#table = new SqlTable(
      sql,
      "answers",
      "(key TEXT PRIMARY KEY, at INTEGER NOT NULL, request_id TEXT NOT NULL, receipt TEXT NOT NULL, result TEXT NOT NULL, forget_at INTEGER NOT NULL) WITHOUT ROWID",
    );
  }

  find(key: string): KeptAnswer | undefined {
    return this.#select("WHERE key = ?", key)[0];
  }

  readAll(): KeptAnswer[] {
    return this.#select("");
  }

  /** Writes an answer. It belongs in the transaction of the change. */
  write({ key, at, requestId, receipt, result, expiresAt }: KeptAnswer): void {
    this.#table.create();
    const { answers, characters } = this.#total ?? this.#computeTotal();
    // Until the rows are written, the total is unknown: the transaction may fail.
    this.#total = undefined;
    this.#sql.exec(
      "INSERT OR REPLACE INTO answers (key, at, request_id, receipt, result, forget_at) VALUES (?, ?, ?, ?, ?, ?)",
      ...[key, at, requestId, receipt, result, expiresAt],
    );
    const total = {
      answers: answers + 1,
      characters: characters + receipt.length + result.length,
    };
    const isWithin = total.answers <= maxAnswers && total.characters <= maxCharacters;
    this.#total = isWithin ? total : this.#deleteOldest();
  }

  replaceReceipt(key: string, receipt: string): void {
    this.#sql.exec("UPDATE answers SET receipt = ? WHERE key = ?", receipt, key);
    this.#total = undefined;
  }

  /** Deletes expired answers. @returns when the next answer expires, Unix ms */
  deleteExpired(realNow: number): number | undefined {
    if (!this.#table.exists()) return undefined;
    this.#total = undefined;
    this.#sql.exec("DELETE FROM answers WHERE forget_at <= ?", realNow);
    const [next] = this.#sql
      .exec<{ at: number | null }>("SELECT min(forget_at) AS at FROM answers")
      .toArray();
    return next?.at ?? undefined;
  }

  /** Deletes all answers. */
  deleteAll(): void {
    this.deleteExpired(Number.MAX_SAFE_INTEGER);
  }

  /** Invalidates what is known of the table, after a transaction failed or the storage was cleared. */
  reset(): void {
    this.#total = undefined;
  }

  #computeTotal(): Total {
    return this.#sql
      .exec<{ answers: number; characters: number }>(
        "SELECT count(*) AS answers, coalesce(sum(length(receipt) + length(result)), 0) AS characters FROM answers",
      )
      .one();
  }

  #deleteOldest(): Total {
    this.#sql.exec(
      `DELETE FROM answers WHERE key IN (SELECT key FROM (
        SELECT key, row_number() OVER newest AS place,
          sum(length(receipt) + length(result)) OVER newest AS characters
        FROM answers WINDOW newest AS (ORDER BY forget_at DESC, key))
      WHERE place > ? OR characters > ?)`,
      maxAnswers,
      maxCharacters,
    );
    return this.#computeTotal();
  }

  #select(where: string, ...parameters: string[]): KeptAnswer[] {
    if (!this.#table.exists()) return [];
    return this.#sql
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
}
