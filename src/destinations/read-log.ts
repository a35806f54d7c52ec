/** Reads a tenant's log as destinations receive it: from D1, and the oldest events from the archive. */
import { decryptEvents } from "../audit/decrypt-events.ts";
import { findLogEnd } from "../audit/log-end-store.ts";
import { showEvent } from "../audit/show-event.ts";
import { type PageLimits, readTrailPage } from "../audit/tree/read-trail.ts";
import { deliveryTimeoutMs } from "../db/client.ts";
import { findTenantDb } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { TrailFactsFinder } from "../tenancy/trail-facts.ts";
import type { LogEvent } from "./request/log-event.ts";

/** As the export; a stream sends at most so many events in one batch. */
const pageLimits: PageLimits = { maxEvents: 500, maxBytes: 1024 * 1024 };

/** Of what was read longer ago, no request begins, because a user may have been erased since. */
const maxPageAgeMs = 5_000;

export interface LogRange {
  readonly from: number;
  /** Exclusive. */
  readonly below?: number;
}

/** Reads the log for one run of a follower: what it knows of tokens and keys is that of its first read. */
export class LogReader {
  readonly #env: Env;
  readonly #config: Config;
  readonly #tenantId: string;
  readonly #facts: TrailFactsFinder;
  /** When the last read ended, Unix ms. */
  #readAt = 0;

  constructor(env: Env, config: Config, tenantId: string) {
    this.#env = env;
    this.#config = config;
    this.#tenantId = tenantId;
    this.#facts = new TrailFactsFinder(env, tenantId);
  }

  /** Reads a page of the log, in order. An empty one says that the log has no event in the range. @throws StoreError */
  async read({ from, below = from + pageLimits.maxEvents }: LogRange): Promise<LogEvent[]> {
    const db = await findTenantDb(this.#env, this.#tenantId);
    const range = { from, below };
    const page = await readTrailPage(this.#env, db, this.#tenantId, range, pageLimits, undefined);
    if (page.events.length === 0) return [];
    const facts = await this.#facts.find(page.events);
    const events = await decryptEvents(this.#config, page.events, page.keys, facts);
    this.#readAt = Date.now();
    return events.map((event) => ({ leafIndex: event.leafIndex, event: showEvent(event) }));
  }

  /** Whether the page that was read last may still be sent. */
  isFresh(): boolean {
    return Date.now() - this.#readAt <= maxPageAgeMs;
  }

  /** The leaf index that the next event gets. @throws StoreError */
  async findEnd(): Promise<number> {
    const db = await findTenantDb(this.#env, this.#tenantId);
    return await findLogEnd(db, this.#tenantId, deliveryTimeoutMs);
  }
}
