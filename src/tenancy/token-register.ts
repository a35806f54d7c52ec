/**
 * The token register: one Durable Object per tenant that records when tokens end by revocation or rotation.
 * D1 records this too, but a D1 that is restored to an earlier time has lost it, and the register has not.
 */
import { DurableObject } from "cloudflare:workers";
import { causeOf, log } from "../log.ts";
import { SqlTable } from "../sql-table.ts";
import type { TokenEnd } from "./token-end.ts";

export class TokenRegister extends DurableObject<Env> {
  readonly #ends = new SqlTable(
    this.ctx.storage.sql,
    "ends",
    "(hash TEXT PRIMARY KEY, ends_at INTEGER NOT NULL) WITHOUT ROWID",
  );

  /** Records ends; an earlier end stays. @returns whether they are stored */
  async keep(ends: readonly TokenEnd[]): Promise<boolean> {
    const { storage } = this.ctx;
    try {
      storage.transactionSync(() => {
        this.#ends.create();
        for (const { hash, endsAt } of ends) {
          storage.sql.exec(
            "INSERT INTO ends (hash, ends_at) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET ends_at = min(ends_at, excluded.ends_at)",
            hash,
            endsAt,
          );
        }
      });
      await storage.sync();
      return true;
    } catch (error) {
      log("error", "token_register_failed", { cause: causeOf(error) });
      return false;
    }
  }

  /** When the token ends; null if no end is recorded, undefined if the storage fails. */
  async endOf(hash: string): Promise<number | null | undefined> {
    const { sql } = this.ctx.storage;
    try {
      if (!this.#ends.exists()) return null;
      const rows = sql.exec<{ ends_at: number }>("SELECT ends_at FROM ends WHERE hash = ?", hash);
      return rows.toArray()[0]?.ends_at ?? null;
    } catch (error) {
      log("error", "token_register_failed", { cause: causeOf(error) });
      return undefined;
    }
  }
}
