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
    const events = await decryptEvents(this.#config, this.#tenantId, page.events, page.keys, facts);
    return events.map((event) => ({ leafIndex: event.leafIndex, event: showEvent(event) }));
  }

  /** The leaf index that the next event gets. @throws StoreError */
  async findEnd(): Promise<number> {
    const db = await findTenantDb(this.#env, this.#tenantId);
    return await findLogEnd(db, this.#tenantId, deliveryTimeoutMs);
  }
}
