/**
 * Retention: sealed events older than the tenant keeps them leave D1 for the archive (R2), where they
 * lie as they were stored, personal parts sealed. The tree stays whole, so it still proves them.
 *
 * An object holds the events of consecutive leaves and is named by the first. It is written before
 * the rows go, and never again: rows of leaves that are archived already, because a run was killed in
 * between, go if they are the same, and are told of if somebody has made something else of them.
 */
import { z } from "zod";
import { type Database, withinStoreTimeout } from "../../db/client.ts";
import { listDatabasesInTurn } from "../../db/shards.ts";
import { causeOf, log } from "../../log.ts";
import { actorTypes, auditActions, auditDetails, auditOutcomes, targetTypes } from "../event.ts";
import type { StoredEvent } from "../stamp.ts";
import { findLogsOlderThan, findFirstLeafIndex, readEvents, deleteEventsBelow } from "../store.ts";
import { findHead } from "./store.ts";

/** No tenant keeps its events in D1 for less. */
export const minRetentionDays = 1;
const maxEventsPerObject = 2_000;
/** Objects per log and in a run; what is left waits for the next. */
const maxObjectsPerLog = 10;
const maxObjectsPerRun = 150;
const dayMs = 24 * 60 * 60 * 1000;
const indexDigits = 15;

const storedEvent: z.ZodType<StoredEvent> = z.strictObject({
  tenantId: z.string(),
  leafIndex: z.int(),
  id: z.string(),
  at: z.int(),
  actorType: z.enum(actorTypes),
  actorId: z.string().nullable(),
  action: z.enum(auditActions),
  targetType: z.enum(targetTypes),
  targetId: z.string(),
  personalKey: z.string().nullable(),
  personal: z.string().nullable(),
  personalDigest: z.string().nullable(),
  outcome: z.enum(auditOutcomes),
  reason: z.string().nullable(),
  requestId: z.string().nullable(),
  details: auditDetails,
  stamp: z.string(),
});

function prefixOf(tenantId: string): string {
  return `events/${tenantId}/`;
}

function objectNameOf(tenantId: string, firstLeafIndex: number): string {
  return `${prefixOf(tenantId)}${String(firstLeafIndex).padStart(indexDigits, "0")}.ndjson`;
}

/** Rows of leaves that are archived already are not those that were archived. */
class ArchiveMismatchError extends Error {
  constructor() {
    super("Rows in D1 are not the events that are archived of these leaves");
    this.name = "ArchivedOtherwiseError";
  }
}

/** The events before the cutoff, from the first on and as far as no leaf is missing. */
function takeExpired(events: readonly StoredEvent[], cutoff: number): StoredEvent[] {
  const first = events[0]?.leafIndex ?? 0;
  const end = events.findIndex(
    ({ at, leafIndex }, place) => at >= cutoff || leafIndex !== first + place,
  );
  return end === -1 ? [...events] : events.slice(0, end);
}

/** The events as lines, in the one spelling that an object has. */
function formatLines(events: readonly StoredEvent[]): string {
  return events.map((event) => `${JSON.stringify(storedEvent.parse(event))}\n`).join("");
}

/**
 * Sees to it that the events, or as many of the first as one object holds, are archived.
 * @returns how many are. @throws ArchivedOtherwiseError
 */
async function archiveEvents(
  bucket: R2Bucket,
  tenantId: string,
  first: number,
  events: readonly StoredEvent[],
): Promise<number> {
  const there = await readArchive(bucket, tenantId, { from: first, below: first + events.length });
  if (there.length === 0) {
    await withinStoreTimeout(bucket.put(objectNameOf(tenantId, first), formatLines(events)));
    return events.length;
  }
  if (formatLines(there) !== formatLines(events.slice(0, there.length)))
    throw new ArchiveMismatchError();
  return there.length;
}

/** Moves what is old of one log; gives the number of objects it took. */
async function archiveLog(
  db: Database,
  bucket: R2Bucket,
  tenantId: string,
  cutoff: number,
): Promise<number> {
  const size = (await findHead(db, tenantId))?.size ?? 0;
  let objects = 0;
  for (; objects < maxObjectsPerLog; objects += 1) {
    const first = await findFirstLeafIndex(db, tenantId);
    if (first === undefined) break;
    const events = await readEvents(db, tenantId, first, size, maxEventsPerObject);
    const old = takeExpired(events, cutoff);
    if (old.length === 0) break;
    const count = await archiveEvents(bucket, tenantId, first, old);
    await deleteEventsBelow(db, tenantId, first + count);
    log("info", "audit_archived", { tenant_id: tenantId, count });
  }
  return objects;
}

/** How many days tenants keep their events in D1, by tenant id. */
type FindRetentionDays = (
  env: Env,
  tenantIds: readonly string[],
) => Promise<ReadonlyMap<string, number>>;

/** Logs whose oldest event in the database is past the tenant's retention, with the time it ends at. */
async function findExpired(
  env: Env,
  db: Database,
  now: number,
  findRetentionDays: FindRetentionDays,
) {
  const oldest = await findLogsOlderThan(db, now - minRetentionDays * dayMs);
  if (oldest.length === 0) return [];
  const retentions = await findRetentionDays(
    env,
    oldest.map(({ tenantId }) => tenantId),
  );
  return oldest.flatMap(({ tenantId, at }) => {
    const days = retentions.get(tenantId);
    if (days === undefined) return [];
    const cutoff = now - days * dayMs;
    return at < cutoff ? [{ tenantId, cutoff }] : [];
  });
}

/** Moves what is old. Never throws: what fails is logged, and the next run does it. */
export async function archiveLogs(
  env: Env,
  now: number,
  retentionDaysOf: FindRetentionDays,
): Promise<void> {
  const { AUDIT_ARCHIVE: bucket } = env;
  if (bucket === undefined) return;
  const failed = (error: unknown, tenant_id?: string) =>
    log("error", "audit_archive_failed", {
      cause: causeOf(error),
      ...(tenant_id === undefined ? {} : { tenant_id }),
    });
  let left = maxObjectsPerRun;
  for (const db of listDatabasesInTurn(env, now)) {
    try {
      for (const { tenantId, cutoff } of await findExpired(env, db, now, retentionDaysOf)) {
        if (left <= 0) return;
        await archiveLog(db, bucket, tenantId, cutoff).then(
          (objects) => {
            left -= objects;
          },
          (error: unknown) => failed(error, tenantId),
        );
      }
    } catch (error) {
      failed(error);
    }
  }
}

/** Names of the object that can hold a leaf, and of the next one; undefined where there is none. */
async function findObjects(bucket: R2Bucket, tenantId: string, leafIndex: number) {
  const wanted = objectNameOf(tenantId, leafIndex);
  // An object that begins earlier than this ends before the leaf.
  let startAfter = objectNameOf(tenantId, Math.max(0, leafIndex - maxEventsPerObject));
  let holder = leafIndex < maxEventsPerObject ? objectNameOf(tenantId, 0) : undefined;
  for (;;) {
    const prefix = prefixOf(tenantId);
    const { objects, truncated } = await withinStoreTimeout(bucket.list({ prefix, startAfter }));
    const next = objects.find(({ key }) => key > wanted)?.key;
    const last = objects.findLast(({ key }) => key <= wanted)?.key;
    holder = last ?? holder;
    if (next !== undefined || !truncated) return { holder, next };
    startAfter = last ?? startAfter;
  }
}

/**
 * The archived events from a leaf on, below another, as far as one object holds them.
 * @throws StoreError where the archive fails
 */
export async function readArchive(
  bucket: R2Bucket,
  tenantId: string,
  { from, below }: { readonly from: number; readonly below: number },
): Promise<StoredEvent[]> {
  const { holder, next } = await findObjects(bucket, tenantId, from);
  for (const name of [holder, next]) {
    const text = name === undefined ? undefined : await readText(bucket, name);
    const events = (text ?? "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => storedEvent.parse(JSON.parse(line)))
      .filter(({ leafIndex }) => leafIndex >= from && leafIndex < below);
    if (events.length > 0) return events;
  }
  return [];
}

async function readText(bucket: R2Bucket, name: string): Promise<string | undefined> {
  const object = await withinStoreTimeout(bucket.get(name));
  return object === null ? undefined : await withinStoreTimeout(object.text());
}
