/**
 * The token register: one Durable Object per tenant that records when tokens end by revocation or rotation.
 * A revocation is decided here, so that it does not depend on a D1 that takes writes, and a D1 that is restored
 * to an earlier time makes no token valid again.
 *
 * A revocation waits in the outbox, with its audit event, until D1 has both. The isolate that revokes the token
 * writes to D1 and confirms; if it does not, the alarm does.
 */
import { DurableObject } from "cloudflare:workers";
import { deliveryTimeoutMs } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { causeOf, log } from "../log.ts";
import { RetryAlarm } from "../retry-alarm.ts";
import { SqlTable } from "../sql-table.ts";
import { fileRevocation } from "./file-revocation.ts";
import { listOtherWriters } from "./revocation-store.ts";
import {
  type RegisterResult,
  type Revocation,
  type RevokingToken,
  revokedForGood,
  type TokenEnd,
} from "./token-end.ts";

/** Longer than the isolate takes to write to D1. */
const confirmationTimeoutMs = 3_000;
/** How often the other tokens are read for one revocation, when the register records others meanwhile. */
const maxReads = 5;

export class TokenRegister extends DurableObject<Env> {
  readonly #ends = new SqlTable(
    this.ctx.storage.sql,
    "ends",
    "(hash TEXT PRIMARY KEY, ends_at INTEGER NOT NULL) WITHOUT ROWID",
  );
  readonly #outbox = new SqlTable(
    this.ctx.storage.sql,
    "outbox",
    "(hash TEXT PRIMARY KEY, revocation TEXT NOT NULL) WITHOUT ROWID",
  );
  readonly #alarm = new RetryAlarm(this.ctx, "token_register");
  /** How many revocations this object has recorded since it started. */
  #recorded = 0;

  /** Records ends; an earlier end stays. @returns whether they are stored */
  async keep(ends: readonly TokenEnd[]): Promise<boolean> {
    const stored = await this.#store(() => {
      this.#insertEnds(ends);
      return true;
    });
    return stored ?? false;
  }

  /**
   * Revokes a token. A second revocation returns the first one while it waits for D1.
   * @param caller the token that revokes it; null: the operator
   * @returns undefined if a store fails
   */
  async revoke(
    caller: RevokingToken | null,
    revocation: Revocation,
  ): Promise<RegisterResult | undefined> {
    for (let read = 0; read < maxReads; read += 1) {
      const recorded = this.#recorded;
      const others = await this.#readOtherWriters(caller, revocation);
      if (others === undefined) return undefined;
      // Otherwise a token that replaced one of these may have been revoked since they were read.
      if (recorded === this.#recorded) {
        return await this.#store(() => this.#decide(caller, revocation, others));
      }
    }
    return undefined;
  }

  /** The hashes of the tokens of which one must remain valid; undefined if D1 fails. */
  async #readOtherWriters(
    caller: RevokingToken | null,
    { tenantId, id }: Revocation,
  ): Promise<readonly string[] | undefined> {
    if (caller?.needsOtherWriter !== true) return [];
    try {
      return await listOtherWriters(controlDbOf(this.env), tenantId, id, caller.now);
    } catch (error) {
      log("error", "token_register_failed", { cause: causeOf(error) });
      return undefined;
    }
  }

  #decide(
    caller: RevokingToken | null,
    revocation: Revocation,
    otherWriters: readonly string[],
  ): RegisterResult {
    const refuse = (refusal: RegisterResult["refusal"]) => ({ kept: null, refusal });
    const realTime = Date.now();
    const hasEnded = (end: number | null, now: number) => end !== null && end <= now;
    if (caller !== null) {
      const ends = [this.#findEnd(caller.hash), caller.expiresAt];
      if (ends.some((end) => hasEnded(end, realTime))) return refuse("invalid_token");
    }
    const waiting = this.#listWaiting().find(({ hash }) => hash === revocation.hash);
    if (waiting !== undefined) return { kept: waiting, refusal: null };
    if (caller?.needsOtherWriter === true) {
      const latest = Math.max(realTime, caller.now);
      const isValid = (hash: string) => !hasEnded(this.#findEnd(hash), latest);
      if (!otherWriters.some(isValid)) return refuse("last_token");
    }
    this.#recorded += 1;
    this.#insertEnds([{ hash: revocation.hash, endsAt: revokedForGood }]);
    this.#outbox.create();
    this.ctx.storage.sql.exec(
      "INSERT INTO outbox (hash, revocation) VALUES (?, ?)",
      revocation.hash,
      JSON.stringify(revocation),
    );
    return { kept: revocation, refusal: null };
  }

  /** Deletes a revocation from the outbox, because D1 has it. */
  async confirm(hash: string): Promise<void> {
    if (!this.#outbox.exists()) return;
    this.ctx.storage.sql.exec("DELETE FROM outbox WHERE hash = ?", hash);
  }

  /** When the token ends; null if no end is recorded, undefined if the storage fails. */
  async endOf(hash: string): Promise<number | null | undefined> {
    try {
      return this.#findEnd(hash);
    } catch (error) {
      log("error", "token_register_failed", { cause: causeOf(error) });
      return undefined;
    }
  }

  /** Files the waiting revocations. It fires again until that succeeds, and never gives up. */
  override async alarm(): Promise<void> {
    await this.#alarm.run(() => this.#fileWaiting());
  }

  /** Files the waiting revocations, and then deletes everything. @returns whether that is done */
  async clear(): Promise<boolean> {
    try {
      await this.#fileWaiting();
      const { storage } = this.ctx;
      await this.#alarm.reset(async () => {
        await Promise.all([storage.deleteAll(), storage.deleteAlarm()]);
      });
      return true;
    } catch (error) {
      log("error", "token_register_failed", { cause: causeOf(error) });
      return false;
    }
  }

  async #fileWaiting(): Promise<void> {
    for (const revocation of this.#listWaiting()) {
      await fileRevocation(this.env, revocation, deliveryTimeoutMs);
      await this.confirm(revocation.hash);
    }
  }

  /** Makes a change durable, with an alarm if something waits. @returns undefined if the storage fails */
  async #store<T>(change: () => T): Promise<T | undefined> {
    const { storage } = this.ctx;
    try {
      const result = storage.transactionSync(change);
      if (this.#listWaiting().length > 0) await this.#alarm.arm(confirmationTimeoutMs);
      await storage.sync();
      return result;
    } catch (error) {
      log("error", "token_register_failed", { cause: causeOf(error) });
      return undefined;
    }
  }

  #insertEnds(ends: readonly TokenEnd[]): void {
    this.#ends.create();
    for (const { hash, endsAt } of ends) {
      this.ctx.storage.sql.exec(
        "INSERT INTO ends (hash, ends_at) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET ends_at = min(ends_at, excluded.ends_at)",
        hash,
        endsAt,
      );
    }
  }

  #findEnd(hash: string): number | null {
    if (!this.#ends.exists()) return null;
    const { sql } = this.ctx.storage;
    const rows = sql.exec<{ ends_at: number }>("SELECT ends_at FROM ends WHERE hash = ?", hash);
    return rows.toArray()[0]?.ends_at ?? null;
  }

  #listWaiting(): Revocation[] {
    if (!this.#outbox.exists()) return [];
    const { sql } = this.ctx.storage;
    return sql
      .exec<{ revocation: string }>("SELECT revocation FROM outbox")
      .toArray()
      .map(({ revocation }): Revocation => JSON.parse(revocation));
  }
}
