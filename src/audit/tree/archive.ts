/**
 * Retention: moves integrated events that are past the tenant's retention from D1 to the archive (R2). They
 * are archived as they were stored, with their personal parts sealed. The tree keeps their hashes, so it
 * still proves them.
 *
 * An object holds the events of consecutive leaves, and its name is the first leaf index. It is written
 * once, before the rows are deleted. If a run ends in between, the next run compares the rows with the
 * object: equal rows are deleted, and a difference is reported.
 */
import { awaitStore, type Database } from "../../db/client.ts";
import { listDatabasesInTurn } from "../../db/shards.ts";
import { runJob } from "../../job.ts";
import { log } from "../../log.ts";
import { type StoredEvent, storedEventSchema } from "../event.ts";
import {
  deleteEventsBelow,
  findFirstArrivedSince,
  findFirstLeafIndex,
  findLogsOlderThan,
  readEvents,
} from "../store.ts";
import { findHead } from "./store.ts";

/** The shortest retention that a tenant can set. */
export const minRetentionDays = 1;
const maxEventsPerObject = 2_000;
/** Further objects wait for the next run. */
const maxObjectsPerLog = 10;
const maxObjectsPerRun = 150;
const dayMs = 24 * 60 * 60 * 1000;
const indexDigits = 15;

function prefixOf(tenantId: string): string {
  return `events/${tenantId}/`;
}

function objectNameOf(tenantId: string, firstLeafIndex: number): string {
  return `${prefixOf(tenantId)}${String(firstLeafIndex).padStart(indexDigits, "0")}.ndjson`;
}

/** Rows in D1 differ from the archived events of the same leaves. */
class ArchiveMismatchError extends Error {
  constructor() {
    super("Rows in D1 differ from the archived events of the same leaves");
    this.name = "ArchiveMismatchError";
  }
}

/** Takes events from the start of the list up to the first missing leaf. */
function takeUnbroken(events: readonly StoredEvent[]): StoredEvent[] {
  const first = events[0]?.leafIndex ?? 0;
  const end = events.findIndex(({ leafIndex }, index) => leafIndex !== first + index);
  return end === -1 ? [...events] : events.slice(0, end);
}

/** NDJSON in a fixed field order, so that texts can be compared. */
function formatLines(events: readonly StoredEvent[]): string {
  return events.map((event) => `${JSON.stringify(storedEventSchema.parse(event))}\n`).join("");
}

/**
 * Archives the events, or verifies that an earlier run has archived the first of them.
 * @returns how many of the first events are archived
 * @throws ArchiveMismatchError
 */
async function archiveEvents(
  bucket: R2Bucket,
  tenantId: string,
  first: number,
  events: readonly StoredEvent[],
): Promise<number> {
  const archived = await readArchive(bucket, tenantId, {
    from: first,
    below: first + events.length,
  });
  if (archived.length === 0) {
    await awaitStore(bucket.put(objectNameOf(tenantId, first), formatLines(events)));
    return events.length;
  }
  const rows = events.slice(0, archived.length);
  if (formatLines(archived) !== formatLines(rows)) throw new ArchiveMismatchError();
  return archived.length;
}

/**
 * Archives the events of one log that arrived before the cutoff. @returns the number of objects
 */
async function archiveLog(
  db: Database,
  bucket: R2Bucket,
  tenantId: string,
  cutoff: number,
  now: number,
): Promise<number> {
  const size = (await findHead(db, tenantId))?.size ?? 0;
  let objects = 0;
  for (; objects < maxObjectsPerLog; objects += 1) {
    const first = await findFirstLeafIndex(db, tenantId);
    if (first === undefined) break;
    const below = Math.min(size, first + maxEventsPerObject);
    const end = await findFirstArrivedSince(db, tenantId, { from: first, below }, cutoff, now);
    if (end <= first) break;
    const events = await readEvents(db, tenantId, first, end, maxEventsPerObject);
    const expired = takeUnbroken(events);
    if (expired.length === 0) break;
    const count = await archiveEvents(bucket, tenantId, first, expired);
    await deleteEventsBelow(db, tenantId, first + count);
    log("info", "audit_archived", { tenant_id: tenantId, count });
  }
  return objects;
}

/** Finds how many days tenants keep their events in D1, by tenant id. */
type FindRetentionDays = (
  env: Env,
  tenantIds: readonly string[],
) => Promise<ReadonlyMap<string, number>>;

/** Finds logs whose oldest event in D1 is past the tenant's retention; what arrived before `cutoff` expired. */
async function findExpired(
  env: Env,
  db: Database,
  now: number,
  findRetentionDays: FindRetentionDays,
) {
  const logs = await findLogsOlderThan(db, now - minRetentionDays * dayMs, now);
  if (logs.length === 0) return [];
  const retentions = await findRetentionDays(
    env,
    logs.map(({ tenantId }) => tenantId),
  );
  return logs.flatMap(({ tenantId, oldestAt }) => {
    const days = retentions.get(tenantId);
    if (days === undefined) return [];
    const cutoff = now - days * dayMs;
    return oldestAt < cutoff ? [{ tenantId, cutoff }] : [];
  });
}

/**
 * Archives the expired events of all logs. Never throws: a failure is logged, and the next run continues.
 */
export async function archiveLogs(
  env: Env,
  now: number,
  findRetentionDays: FindRetentionDays,
): Promise<void> {
  const { AUDIT_ARCHIVE: bucket } = env;
  if (bucket === undefined) return;
  let left = maxObjectsPerRun;
  const archiveOne = async (db: Database, tenantId: string, cutoff: number) => {
    left -= await archiveLog(db, bucket, tenantId, cutoff, now);
  };
  const archiveExpired = async (db: Database) => {
    for (const { tenantId, cutoff } of await findExpired(env, db, now, findRetentionDays)) {
      if (left <= 0) return;
      await runJob("audit_archive_failed", () => archiveOne(db, tenantId, cutoff), {
        tenant_id: tenantId,
      });
    }
  };
  for (const db of listDatabasesInTurn(env, now)) {
    if (left <= 0) return;
    await runJob("audit_archive_failed", () => archiveExpired(db));
  }
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

/**
 * Reads archived events with `from` ≤ leaf index < `below`, from one object at most.
 * @throws StoreError if the archive fails
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
      .map((line) => storedEventSchema.parse(JSON.parse(line)))
      .filter(({ leafIndex }) => leafIndex >= from && leafIndex < below);
    if (events.length > 0) return events;
  }
  return [];
}

async function readText(bucket: R2Bucket, name: string): Promise<string | undefined> {
  const object = await awaitStore(bucket.get(name));
  return object === null ? undefined : await awaitStore(object.text());
}
