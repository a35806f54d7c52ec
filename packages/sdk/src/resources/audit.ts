import { bodyOf, type Connection } from "../connection.ts";
import { readExport } from "../export-lines.ts";
import type { RequestOptions } from "../options.ts";
import { Pages, queryOf } from "../pages.ts";
import type {
  AuditEvent,
  AuditEventFilters,
  AuditPublicKey,
  Checkpoint,
  ConsistencyProof,
  EventProof,
  ExportedEvent,
  ExportQuery,
  ExportRange,
  NewestCheckpoint,
  OcsfEvent,
  PageFilters,
  Statistics,
  StatisticsQuery,
} from "../types.ts";

/** The audit trail: a log whose every event is a leaf of a signed Merkle tree (RFC 9162). */
export class Audit {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Lists events, the newest first. The list is one or two seconds behind. The pages that a token reads within an hour are
   * an event of the trail, `audit.read`. Permission: `audit:read`.
   */
  events(filters: AuditEventFilters = {}, options?: RequestOptions): Pages<AuditEvent> {
    return new Pages(async (after) => {
      const query = queryOf(filters, after);
      const call = this.#connection.api(options).GET("/v1/audit/events", { params: { query } });
      const { events, has_more, next_after } = await bodyOf(call);
      return { items: events, has_more, next_after };
    });
  }

  /**
   * Reads the events of the tree as they arrive, the oldest first, up to the newest checkpoint. Stop the iteration at
   * any time; start again with `from` = `leaf_index` + 1 of the last event. Each request for events is itself an event of
   * the trail, `audit.exported`. Permission: `audit:read`.
   *
   * @throws IdpError if the export is cut off; all events before are valid
   */
  async *export(range: ExportRange = {}, options?: RequestOptions): AsyncGenerator<ExportedEvent> {
    for await (const lines of this.#readLines(range, options)) {
      for (const line of lines) yield JSON.parse(line);
    }
  }

  /**
   * The same export in the schema of OCSF. Start again with `from` = `metadata.sequence` + 1 of the last event.
   * Permission: `audit:read`.
   *
   * @throws IdpError if the export is cut off; all events before are valid
   */
  async *exportOcsf(range: ExportRange = {}, options?: RequestOptions): AsyncGenerator<OcsfEvent> {
    for await (const lines of this.#readLines({ ...range, format: "ocsf" }, options)) {
      for (const line of lines) yield JSON.parse(line);
    }
  }

  /**
   * The same export as NDJSON, to be saved for the verifier, which reads the format `native`. The stream fails as `export` does.
   * Permission: `audit:read`.
   */
  exportBytes(range: ExportQuery = {}, options?: RequestOptions): ReadableStream<Uint8Array> {
    const lines = this.#readLines(range, options);
    const encoder = new TextEncoder();
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await lines.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(`${value.join("\n")}\n`));
      },
      async cancel() {
        await lines.return(undefined);
      },
    });
  }

  /**
   * Integrates waiting events, and returns the newest signed tree head. Keep one from time to time: with it you can show
   * later that the trail was not changed. Permission: `audit:read`.
   */
  checkpoint(options?: RequestOptions): Promise<NewestCheckpoint> {
    return bodyOf(this.#connection.api(options).GET("/v1/audit/checkpoint"));
  }

  /** Lists tree heads, the newest first. Permission: `audit:read`. */
  checkpoints(filters: PageFilters = {}, options?: RequestOptions): Pages<Checkpoint, number> {
    return new Pages(async (after) => {
      const query = queryOf(filters, after);
      const call = this.#connection
        .api(options)
        .GET("/v1/audit/checkpoints", { params: { query } });
      const { checkpoints, has_more, next_after } = await bodyOf(call);
      return { items: checkpoints, has_more, next_after };
    });
  }

  /**
   * Proves that an event is in the tree of the newest checkpoint. Permission: `audit:read`.
   *
   * @throws IdpError `not_found`
   */
  proof(
    eventId: string,
    { leaf_index }: { readonly leaf_index?: number | undefined } = {},
    options?: RequestOptions,
  ): Promise<EventProof> {
    const query = leaf_index === undefined ? {} : { leaf_index };
    const params = { path: { id: eventId }, query };
    return bodyOf(this.#connection.api(options).GET("/v1/audit/events/{id}/proof", { params }));
  }

  /**
   * Proves that the tree of size `to` (default: of the newest checkpoint) only appends to the tree of size `from`.
   * Permission: `audit:read`.
   *
   * @throws IdpError `not_found`, `invalid_request`
   */
  async consistency(
    from: number,
    to?: number,
    options?: RequestOptions,
  ): Promise<ConsistencyProof> {
    const query = { from, ...(to === undefined ? {} : { to }) };
    const call = this.#connection.api(options).GET("/v1/audit/consistency", { params: { query } });
    return (await bodyOf(call)).proof;
  }

  /** Lists the public keys that sign checkpoints. Everybody may read them. */
  async keys(options?: RequestOptions): Promise<AuditPublicKey[]> {
    return (await bodyOf(this.#connection.api(options).GET("/v1/audit/keys"))).keys;
  }

  /** Counts integrated events by hour or by day, at most 1,000 points. Permission: `audit:read`. */
  statistics(query: StatisticsQuery, options?: RequestOptions): Promise<Statistics> {
    return bodyOf(this.#connection.api(options).GET("/v1/stats", { params: { query } }));
  }

  async *#readLines(
    { from = 0, to = Number.POSITIVE_INFINITY, ...format }: ExportQuery,
    options: RequestOptions | undefined,
  ): AsyncGenerator<string[]> {
    const { checkpoint } = await this.checkpoint(options);
    const range = { from, to: Math.min(to, checkpoint.tree_size), ...format };
    yield* readExport(this.#connection, range, options);
  }
}
