/**
 * Whole objects of the archive. A write names the version that it replaces, so that one that R2 applies late, after
 * its run has given up, never brings back what a later run has removed.
 */
import { awaitStore, StaleReadError } from "../../db/client.ts";
import { type StoredEvent, storedEventSchema } from "../event.ts";
import { type ArchiveObject, objectNameOf, prefixOf } from "./read-archive.ts";

/** NDJSON in a fixed field order, so that texts can be compared. */
export function formatLines(events: readonly StoredEvent[]): string {
  return events.map((event) => `${JSON.stringify(storedEventSchema.parse(event))}\n`).join("");
}

async function write(
  bucket: R2Bucket,
  name: string,
  events: readonly StoredEvent[],
  onlyIf: R2Conditional,
): Promise<void> {
  const written = await awaitStore(bucket.put(name, formatLines(events), { onlyIf }));
  if (written === null) throw new StaleReadError(new Error("The object was written meanwhile"));
}

/** @throws StaleReadError if the object exists; StoreError */
export async function createObject(
  bucket: R2Bucket,
  name: string,
  events: readonly StoredEvent[],
): Promise<void> {
  await write(bucket, name, events, { etagDoesNotMatch: "*" });
}

/** @throws StaleReadError if it has another version by now; StoreError */
export async function replaceObject(
  bucket: R2Bucket,
  { name, etag }: ArchiveObject,
  events: readonly StoredEvent[],
): Promise<void> {
  await write(bucket, name, events, { etagMatches: etag });
}

export interface WholeObject extends ArchiveObject {
  readonly events: readonly StoredEvent[];
}

/** Undefined if there is no object of that name. @throws StoreError */
export async function readObject(bucket: R2Bucket, name: string): Promise<WholeObject | undefined> {
  const object = await awaitStore(bucket.get(name));
  if (object === null) return undefined;
  const lines = (await awaitStore(object.text())).split("\n").slice(0, -1);
  const events = lines.map((line) => storedEventSchema.parse(JSON.parse(line)));
  return { name, etag: object.etag, events };
}

/**
 * Removes the personal parts of some events from an object. Repeated, it writes nothing.
 * @throws StaleReadError if the object was written meanwhile; StoreError
 */
export async function removePersonalParts(
  bucket: R2Bucket,
  object: WholeObject,
  isExpired: (event: StoredEvent) => boolean,
): Promise<WholeObject> {
  const events = object.events.map((event) =>
    event.personal !== null && isExpired(event) ? { ...event, personal: null } : event,
  );
  if (events.every((event, index) => event === object.events[index])) return object;
  await replaceObject(bucket, object, events);
  return { ...object, events };
}

/**
 * Lists the first leaf indexes of a tenant's objects, in order, from the given one on.
 * @returns those of one page, and whether there may be more
 * @throws StoreError
 */
export async function listObjects(
  bucket: R2Bucket,
  tenantId: string,
  from: number,
): Promise<{ readonly firstLeaves: readonly number[]; readonly isMore: boolean }> {
  const prefix = prefixOf(tenantId);
  const startAfter = from === 0 ? {} : { startAfter: objectNameOf(tenantId, from - 1) };
  const { objects, truncated } = await awaitStore(bucket.list({ prefix, ...startAfter }));
  const firstLeaves = objects.map(({ key }) => Number.parseInt(key.slice(prefix.length), 10));
  return { firstLeaves, isMore: truncated };
}
