/**
 * Streams the integrated events of a log. Memory holds at most a page of events and the chunk that is being sent,
 * however long the log is and however slowly the client reads.
 */
import { encodeUtf8, toHex } from "../../crypto/bytes.ts";
import type { Database } from "../../db/client.ts";
import { findTenantDb } from "../../db/shards.ts";
import type { Config } from "../../env.ts";
import { AppError } from "../../errors.ts";
import { causeOf, log } from "../../log.ts";
import { yieldToOthers } from "../../slices.ts";
import { type DecryptedEvent, decryptEvents, type FindTrailFacts } from "../decrypt-events.ts";
import type { ArchivePosition } from "./read-archive.ts";
import { type PageLimits, readTrailPage } from "./read-trail.ts";
import { readTiles } from "./store.ts";
import { listTiles, MissingTileError, TileSet } from "./tiles.ts";

/** The bound of a chunk. One event is always shorter. */
export const maxChunkBytes = 256 * 1024;
/** A page has about the bytes of a chunk. Without personal parts an event has about 500. */
const pageLimits: PageLimits = { maxEvents: 500, maxBytes: maxChunkBytes };
/**
 * The platform allows 1,000 queries to D1 per request. Integrating the log before the export needs up to 250, and the
 * token's state 36 in 15 minutes. A page needs two, three if it is the first one from an object of the archive, and one more if a token acted
 * that acted in no page before.
 */
const maxQueriesPerAnswer = 700;
/** A client that reads slowly gets the rest in another answer. */
export const maxAnswerMs = 15 * 60 * 1000;
/** How often an export whose client does not read checks that it may go on. */
const checkIntervalMs = 2_000;

/**
 * Converts an event to its form in the export.
 * @param leafHash the hash in the tree, hex; null if the tree is damaged there
 */
type FormatEvent = (event: DecryptedEvent, leafHash: string | null) => object;

interface ExportCall {
  readonly env: Env;
  readonly config: Config;
  readonly caller: { readonly tenantId: string };
  readonly requestId: string;
  readonly findFacts: FindTrailFacts;
}

/** What allows an export to go on: the caller's token, and its place among the open exports. */
export interface ExportPermit {
  /** Called before each chunk and every 2 s. @throws AppError if the export must end now */
  check(): Promise<void>;
  /** Called once, when the export has ended. Never throws. */
  release(): Promise<void>;
}

/** Reads the hashes of the leaves from `start` to `end`, exclusive. @returns a look-up by leaf index */
async function readLeafHashes(db: Database, tenantId: string, start: number, end: number) {
  const leaves = Array.from({ length: end - start }, (_, n) => ({
    start: start + n,
    end: start + n + 1,
  }));
  const tiles = (await readTiles(db, [{ tenantId, tiles: listTiles(leaves, end) }])).get(tenantId);
  const set = new TileSet(tiles ?? []);
  return (index: number): string | null => {
    try {
      return toHex(set.hashOf({ start: index, end: index + 1 }));
    } catch (error) {
      if (error instanceof MissingTileError) return null;
      throw error;
    }
  };
}

/** Reads the lines of an export in chunks. */
class LineReader {
  readonly #call: ExportCall;
  readonly #below: number;
  readonly #formatEvent: FormatEvent;
  /** The leaf index after the last event that was read. */
  #next: number;
  #position: ArchivePosition | undefined;
  #queries = 0;
  /** Lines of the last page that are not sent yet. */
  #lines: readonly Uint8Array[] = [];

  constructor(call: ExportCall, from: number, below: number, formatEvent: FormatEvent) {
    this.#call = call;
    this.#next = from;
    this.#below = below;
    this.#formatEvent = formatEvent;
  }

  /** Undefined if there are no more events, or the answer has as many as it can. */
  async readChunk(): Promise<Uint8Array | undefined> {
    if (this.#lines.length === 0) this.#lines = await this.#readPage();
    let bytes = 0;
    const tooMany = this.#lines.findIndex((line) => {
      bytes += line.length;
      return bytes > maxChunkBytes;
    });
    const count = tooMany === -1 ? this.#lines.length : Math.max(1, tooMany);
    const chunk = concatenate(this.#lines.slice(0, count));
    this.#lines = this.#lines.slice(count);
    return chunk.length === 0 ? undefined : chunk;
  }

  async #readPage(): Promise<readonly Uint8Array[]> {
    const { env, config, caller, findFacts } = this.#call;
    const { tenantId } = caller;
    const range = { from: this.#next, below: this.#below };
    if (range.from >= range.below || this.#queries >= maxQueriesPerAnswer) return [];
    const db = await findTenantDb(env, tenantId);
    const page = await readTrailPage(env, db, tenantId, range, pageLimits, this.#position);
    const [first, last] = [page.events[0], page.events.at(-1)];
    if (first === undefined || last === undefined) return [];
    const end = last.leafIndex + 1;
    const [facts, hashOf] = await Promise.all([
      findFacts(page.events),
      readLeafHashes(db, tenantId, first.leafIndex, end),
    ]);
    const events = await decryptEvents(config, page.events, page.keys, facts);
    this.#queries += page.queries + 1 + facts.queries;
    this.#next = end;
    this.#position = page.next;
    return events.map((event) =>
      encodeUtf8(`${JSON.stringify(this.#formatEvent(event, hashOf(event.leafIndex)))}\n`),
    );
  }
}

function concatenate(lines: readonly Uint8Array[]): Uint8Array {
  const chunk = new Uint8Array(lines.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const line of lines) {
    chunk.set(line, offset);
    offset += line.length;
  }
  return chunk;
}

/**
 * Streams events with `from` ≤ leaf index < `below`, one JSON object per line. The stream ends early after 700
 * queries and after 15 minutes; the client continues with the leaf after the last one. A failure, or a permit that is
 * gone, cuts it off: its last line is then an error body, because over HTTP/1.1 the platform ends an aborted answer
 * like a complete one.
 */
export function exportTrail(
  call: ExportCall,
  range: { readonly from: number; readonly below: number },
  formatEvent: FormatEvent,
  permit: ExportPermit,
): ReadableStream<Uint8Array> {
  const lines = new LineReader(call, range.from, range.below, formatEvent);
  const endsAt = Date.now() + maxAnswerMs;
  const ended = new AbortController();
  const isOver = () => ended.signal.aborted;

  let isCancelled = false;
  /** Set once the error body is in the stream, which is aborted after it. */
  let failure: AppError | undefined;

  /** The request may end with its stream, so the permit is released first. */
  const end = async (finish: () => void) => {
    if (isOver()) return;
    ended.abort();
    await permit.release();
    if (!isCancelled) finish();
  };
  const abort = async (controller: ReadableStreamDefaultController, error: unknown) => {
    if (isOver()) return;
    // The platform logs this error's message, so it must not be that of a store, which may hold data.
    const shown = error instanceof AppError ? error : new AppError("unavailable");
    const isRefused = shown.code === "invalid_token" || shown.code === "tenant_suspended";
    log(isRefused ? "info" : "error", "audit_export_failed", {
      request_id: call.requestId,
      tenant_id: call.caller.tenantId,
      code: shown.code,
      cause: causeOf(error),
    });
    const { message, code } = shown;
    const body = { error: message, code, request_id: call.requestId };
    await end(() => {
      controller.enqueue(encodeUtf8(`${JSON.stringify(body)}\n`));
      failure = shown;
    });
  };

  /** Ends the stream of a client that does not read, which causes no pull. */
  const watch = async (controller: ReadableStreamDefaultController) => {
    try {
      for (;;) {
        await scheduler.wait(checkIntervalMs, { signal: ended.signal });
        await permit.check();
        if (Date.now() >= endsAt) return await end(() => controller.close());
      }
    } catch (error) {
      await abort(controller, error);
    }
  };

  let isWatched = false;
  const source: UnderlyingSource<Uint8Array> = {
    async pull(controller) {
      if (failure !== undefined) {
        // An abort in the turn in which the platform takes the error body from the stream would discard that body.
        await yieldToOthers();
        return controller.error(failure);
      }
      // The end is under way, and answers the client.
      if (isOver()) return;
      if (!isWatched) {
        isWatched = true;
        void watch(controller);
      }
      try {
        const chunk = Date.now() < endsAt ? await lines.readChunk() : undefined;
        // Last, so that nothing is sent that was read under a permit that has gone since.
        await permit.check();
        if (isOver()) return;
        if (chunk === undefined) await end(() => controller.close());
        else controller.enqueue(chunk);
      } catch (error) {
        await abort(controller, error);
      }
    },
    async cancel() {
      isCancelled = true;
      await end(() => {});
    },
  };
  // No chunk is read ahead, so a client that stops reading occupies the memory of one page.
  return new ReadableStream(source, { highWaterMark: 0 });
}
