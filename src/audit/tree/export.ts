/** The sealed trail as a stream of events: whatever its length, only a chunk of it is in memory. */
import { toHex } from "../../crypto/bytes.ts";
import type { Database } from "../../db/client.ts";
import { findTenantDb } from "../../db/shards.ts";
import type { Config } from "../../env.ts";
import { AppError } from "../../errors.ts";
import { causeOf, log } from "../../log.ts";
import { type DecryptedEvent, decryptEvents } from "../decrypt-events.ts";
import { readTiles } from "./store.ts";
import { MissingTileError, TileSet, listTiles } from "./tiles.ts";
import { readTrail } from "./read-trail.ts";

/** The largest events, with agents of 1,024 characters, are 7 KB: a chunk is 7 MB at most. */
const maxEventsPerChunk = 1_000;
/**
 * A request may make a thousand calls to D1 and R2 together: a chunk makes three, or six where it comes
 * from the archive, and sealing has made some 200 before.
 */
const maxChunksPerAnswer = 125;

/** An event with the hash that the tree has for its leaf, hex; null where the tree has none. */
export interface ExportedEvent extends DecryptedEvent {
  readonly leafHash: string | null;
}

interface ExportCall {
  readonly env: Env;
  readonly config: Config;
  readonly caller: { readonly tenantId: string };
  readonly requestId: string;
}

/** Hashes of the leaves from one on, below another. */
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

async function readChunk(
  { env, config, caller: { tenantId } }: ExportCall,
  from: number,
  below: number,
): Promise<ExportedEvent[]> {
  const db = await findTenantDb(env, tenantId);
  const stored = await readTrail(env, db, tenantId, { from, below }, maxEventsPerChunk);
  const [first, last] = [stored[0], stored.at(-1)];
  if (first === undefined || last === undefined) return [];
  const [events, hashOf] = await Promise.all([
    decryptEvents(db, config, tenantId, stored),
    readLeafHashes(db, tenantId, first.leafIndex, last.leafIndex + 1),
  ]);
  return events.map((event) => ({ ...event, leafHash: hashOf(event.leafIndex) }));
}

/**
 * Events from a leaf on, below another, a line each. The answer ends early after 125,000; a
 * client that has the last line goes on with the leaf after it. A fault breaks the stream off.
 */
export function exportTrail(
  call: ExportCall,
  range: { readonly from: number; readonly below: number },
  show: (event: ExportedEvent) => object,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next = range.from;
  let chunks = 0;
  const source: UnderlyingSource<Uint8Array> = {
    async pull(controller) {
      try {
        const events =
          next < range.below && chunks < maxChunksPerAnswer
            ? await readChunk(call, next, range.below)
            : [];
        const last = events.at(-1);
        if (last === undefined) {
          controller.close();
          return;
        }
        const lines = events.map((event) => `${JSON.stringify(show(event))}\n`);
        controller.enqueue(encoder.encode(lines.join("")));
        next = last.leafIndex + 1;
        chunks += 1;
      } catch (error) {
        log("error", "audit_export_failed", {
          request_id: call.requestId,
          tenant_id: call.caller.tenantId,
          cause: causeOf(error),
        });
        // The platform logs it in its own words: those of a store's error may hold what was asked for.
        controller.error(new AppError("unavailable"));
      }
    },
  };
  // Nothing is read ahead: a client that does not read holds the chunk that is on its way, and no other.
  return new ReadableStream(source, { highWaterMark: 0 });
}
