/**
 * The export register: one Durable Object per tenant that counts its open exports. An open export holds a lease
 * and extends it; a lease that nobody extends runs out, because the platform runs no code of a request whose
 * client is gone or whose isolate has ended. The clock is read here, so all leases of a tenant have one clock.
 */
import { DurableObject } from "cloudflare:workers";
import { causeOf, log } from "../log.ts";
import { SqlTable } from "../sql-table.ts";
import {
  exportLeaseMs,
  type LeaseAnswer,
  type LeaseRequest,
  maxExportsPerTenant,
  maxExportsPerToken,
} from "./export-limits.ts";

export class ExportRegister extends DurableObject<Env> {
  readonly #leases = new SqlTable(
    this.ctx.storage.sql,
    "leases",
    "(id TEXT PRIMARY KEY, token_id TEXT NOT NULL, ends_at INTEGER NOT NULL) WITHOUT ROWID",
  );

  /** Takes a lease, or extends it. @returns undefined if the storage fails */
  async hold(request: LeaseRequest): Promise<LeaseAnswer | undefined> {
    try {
      return this.ctx.storage.transactionSync(() => this.#hold(request, Date.now()));
    } catch (error) {
      log("error", "export_register_failed", { cause: causeOf(error) });
      return undefined;
    }
  }

  #hold({ leaseId, tokenId }: LeaseRequest, now: number): LeaseAnswer {
    const { sql } = this.ctx.storage;
    this.#leases.create();
    // A lease that ends too late was taken before the clock was set back.
    sql.exec("DELETE FROM leases WHERE ends_at <= ? OR ends_at > ?", now, now + exportLeaseMs);
    const others = sql
      .exec<{ token_id: string; ends_at: number }>(
        "SELECT token_id, ends_at FROM leases WHERE id <> ? ORDER BY ends_at",
        leaseId,
      )
      .toArray();
    const ofToken = others.filter(({ token_id }) => token_id === tokenId);
    const full =
      ofToken.length >= maxExportsPerToken
        ? ofToken
        : others.length >= maxExportsPerTenant
          ? others
          : [];
    const [next] = full;
    if (next !== undefined) {
      return { retryAfterSeconds: Math.ceil((next.ends_at - now) / 1000) };
    }
    sql.exec(
      "INSERT INTO leases (id, token_id, ends_at) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET ends_at = excluded.ends_at",
      leaseId,
      tokenId,
      now + exportLeaseMs,
    );
    return { retryAfterSeconds: null };
  }

  /** Deletes everything, for a tenant that is deleted. @returns whether that is done */
  async clear(): Promise<boolean> {
    try {
      await this.ctx.storage.deleteAll();
      return true;
    } catch (error) {
      log("error", "export_register_failed", { cause: causeOf(error) });
      return false;
    }
  }

  /** Ends a lease. If the storage fails, the lease runs out. */
  async release(leaseId: string): Promise<void> {
    try {
      if (!this.#leases.exists()) return;
      this.ctx.storage.sql.exec("DELETE FROM leases WHERE id = ?", leaseId);
    } catch (error) {
      log("error", "export_register_failed", { cause: causeOf(error) });
    }
  }
}
