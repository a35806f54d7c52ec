/**
 * Reads the archive (R2). An object holds the events of consecutive leaves, and its name is the first leaf index.
 * archive.ts writes it, and archived-boxes.ts removes personal parts from it; its leaves never change.
 */
import { awaitStore } from "../../db/client.ts";
import { type StoredEvent, storedEventSchema } from "../event.ts";

export const maxEventsPerObject = 2_000;
const indexDigits = 15;

export function prefixOf(tenantId: string): string {
  return `events/${tenantId}/`;
}

export function objectNameOf(tenantId: string, firstLeafIndex: number): string {
  return `${prefixOf(tenantId)}${String(firstLeafIndex).padStart(indexDigits, "0")}.ndjson`;
}

/** Finds the name of the object that can hold a leaf, and of the one after it, if they exist. */
async function findObjects(bucket: R2Bucket, tenantId: string, leafIndex: number) {
  const wanted = objectNameOf(tenantId, leafIndex);
  // An object that begins before this one ends before the leaf.
  let startAfter = objectNameOf(tenantId, Math.max(0, leafIndex - maxEventsPerObject));
  let holder = leafIndex < maxEventsPerObject ? objectNameOf(tenantId, 0) : undefined;
  for (;;) {
    const prefix = prefixOf(tenantId);
    const { objects, truncated } = await awaitStore(bucket.list({ prefix, startAfter }));
    const next = objects.find(({ key }) => key > wanted)?.key;
    const last = objects.findLast(({ key }) => key <= wanted)?.key;
    holder = last ?? holder;
    if (next !== undefined || !truncated) return { holder, next };
    startAfter = last ?? startAfter;
  }
}

/** One version of an object. */
export interface ArchiveObject {
  readonly name: string;
  readonly etag: string;
}

/** Where reading an object goes on. It is not valid in another version of the object. */
export interface ArchivePosition extends ArchiveObject {
  /** Bytes. */
  readonly offset: number;
}

export interface ArchivedEvents {
  readonly events: readonly StoredEvent[];
  /** The object that they are from; undefined if there are none. */
  readonly object: ArchiveObject | undefined;
  /** Where the next event is; undefined at the end of the object. */
  readonly next: ArchivePosition | undefined;
}

interface LeafBounds {
  readonly from: number;
  readonly below: number;
}

const noEvents: ArchivedEvents = { events: [], object: undefined, next: undefined };
const newline = 0x0a;
const decoder = new TextDecoder();

/**
 * Parses the events within the bounds, and no further one once they have `maxBytes`. A line that is cut off is
 * left out.
 * @returns the events, and the offset after the last line that was parsed
 */
function parseLines(bytes: Uint8Array, { from, below }: LeafBounds, maxBytes: number) {
  const events: StoredEvent[] = [];
  let start = 0;
  for (let taken = 0; taken < maxBytes; ) {
    const end = bytes.indexOf(newline, start);
    if (end === -1) break;
    const row: { readonly leafIndex: number } = JSON.parse(
      decoder.decode(bytes.subarray(start, end)),
    );
    if (row.leafIndex >= below) break;
    if (row.leafIndex >= from) {
      events.push(storedEventSchema.parse(row));
      taken += end - start;
    }
    start = end + 1;
  }
  return { events, end: start };
}

/**
 * Reads archived events with `from` ≤ leaf index < `below`, from one object at most.
 * @param maxBytes no further event is read once they have so many
 * @throws StoreError if the archive fails
 */
export async function readArchive(
  bucket: R2Bucket,
  tenantId: string,
  bounds: LeafBounds,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<ArchivedEvents> {
  const { holder, next } = await findObjects(bucket, tenantId, bounds.from);
  for (const name of [holder, next]) {
    if (name === undefined) continue;
    // An object that begins with the first leaf is read in part. In another, that leaf may be anywhere.
    const isFirst = name === objectNameOf(tenantId, bounds.from);
    const length = isFirst ? maxBytes : Number.POSITIVE_INFINITY;
    const found = await readObject(bucket, { name, offset: 0 }, length, bounds, maxBytes);
    if (found.events.length > 0) return found;
  }
  return noEvents;
}

/** Reads on in an object; no events if it has changed meanwhile. @throws StoreError if the archive fails */
export async function readArchiveAt(
  bucket: R2Bucket,
  position: ArchivePosition,
  bounds: LeafBounds,
  maxBytes: number,
): Promise<ArchivedEvents> {
  return await readObject(bucket, position, maxBytes, bounds, maxBytes);
}

/** @param length bytes to read, more than any line has; infinite for the rest of the object */
async function readObject(
  bucket: R2Bucket,
  { name, offset, etag }: Omit<ArchivePosition, "etag"> & { readonly etag?: string },
  length: number,
  bounds: LeafBounds,
  maxBytes: number,
): Promise<ArchivedEvents> {
  const object = await awaitStore(
    bucket.get(name, {
      ...(Number.isFinite(length) ? { range: { offset, length } } : {}),
      ...(etag === undefined ? {} : { onlyIf: { etagMatches: etag } }),
    }),
  );
  if (object === null || !("body" in object)) return noEvents;
  const bytes = new Uint8Array(await awaitStore(object.arrayBuffer()));
  const { events, end } = parseLines(bytes, bounds, maxBytes);
  const isAtEnd = offset + end >= object.size;
  const version = { name, etag: object.etag };
  return {
    events,
    object: version,
    next: isAtEnd ? undefined : { ...version, offset: offset + end },
  };
}
