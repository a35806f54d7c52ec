/** Streams the integrated events of a log. Memory holds one chunk at a time, however long the log is. */
import { toHex } from "../../crypto/bytes.ts";
import type { Database } from "../../db/client.ts";
import { findTenantDb } from "../../db/shards.ts";
import type { Config } from "../../env.ts";
import { AppError } from "../../errors.ts";
import { causeOf, log } from "../../log.ts";
import { type DecryptedEvent, decryptEvents } from "../decrypt-events.ts";
import { readTrail } from "./read-trail.ts";
import { readTiles } from "./store.ts";
import { listTiles, MissingTileError, TileSet } from "./tiles.ts";

/** An event is at most 7 KB (its agent has up to 1,024 characters), so a chunk is at most 7 MB. */
const maxEventsPerChunk = 1_000;
/**
 * The platform allows 1,000 calls to D1 and R2 per request. A chunk needs three, or six if it comes from
 * the archive; integrating the log before the export needs about 200.
 */
const maxChunksPerResponse = 125;

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

interface Chunk {
  /** NDJSON. */
  readonly lines: string;
  /** The leaf index after the last event. */
  readonly next: number;
}

/** Undefined if there are no more events. */
async function readChunk(
  { env, config, caller: { tenantId } }: ExportCall,
  from: number,
  below: number,
  formatEvent: FormatEvent,
): Promise<Chunk | undefined> {
  const db = await findTenantDb(env, tenantId);
  const stored = await readTrail(env, db, tenantId, { from, below }, maxEventsPerChunk);
  const [first, last] = [stored[0], stored.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const [events, hashOf] = await Promise.all([
    decryptEvents(db, config, tenantId, stored),
    readLeafHashes(db, tenantId, first.leafIndex, last.leafIndex + 1),
  ]);
  const lines = events.map(
    (event) => `${JSON.stringify(formatEvent(event, hashOf(event.leafIndex)))}\n`,
  );
  return { lines: lines.join(""), next: last.leafIndex + 1 };
}

/**
 * Streams events with `from` ≤ leaf index < `below`, one JSON object per line. The stream ends early after
 * 125,000 events; the client continues with the leaf after the last one. A failure aborts the stream.
 */
export function exportTrail(
  call: ExportCall,
  range: { readonly from: number; readonly below: number },
  formatEvent: FormatEvent,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next = range.from;
  let chunks = 0;
  const source: UnderlyingSource<Uint8Array> = {
    async pull(controller) {
      try {
        const chunk =
          next < range.below && chunks < maxChunksPerResponse
            ? await readChunk(call, next, range.below, formatEvent)
            : undefined;
        if (chunk === undefined) {
          controller.close();
          return;
        }
        controller.enqueue(encoder.encode(chunk.lines));
        next = chunk.next;
        chunks += 1;
      } catch (error) {
        log("error", "audit_export_failed", {
          request_id: call.requestId,
          tenant_id: call.caller.tenantId,
          cause: causeOf(error),
        });
        // The platform logs this error's message, so it must not be that of a store, which may hold data.
        controller.error(new AppError("unavailable"));
      }
    },
  };
  // No chunk is read ahead, so a client that stops reading occupies the memory of one chunk.
  return new ReadableStream(source, { highWaterMark: 0 });
}
