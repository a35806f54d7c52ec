/**
 * Retention: moves integrated events that are past the tenant's retention from D1 to the archive (R2). They
 * are archived as they were stored, with their personal parts sealed. The tree keeps their hashes, so it
 * still proves them.
 *
 * An object holds the events of consecutive leaves, and its name is the first leaf index. It is written
 * before the rows are deleted. If a run ends in between, the next run compares the rows with the
 * object: equal rows are deleted, and a difference is reported.
 *
 * Personal parts may expire between the two. Then the rows no longer have them, and the object loses them too before
 * the rows are deleted. The deletion itself requires that the rows still have the personal parts with which they were
 * compared.
 */
import { type Database, StaleReadError } from "../../db/client.ts";
import { listDatabasesInTurn } from "../../db/shards.ts";
import { forEachInTurn } from "../../db/turns.ts";
import { runJob } from "../../job.ts";
import { log } from "../../log.ts";
import type { StoredEvent } from "../event.ts";
import {
  deleteArchivedEvents,
  findFirstArrivedSince,
  findFirstLeafIndex,
  findLogsOlderThan,
  readEvents,
} from "../store.ts";
import { createObject, formatLines, readObject, removePersonalParts } from "./archive-object.ts";
import { maxEventsPerObject, objectNameOf, readArchive } from "./read-archive.ts";
import { findHead } from "./store.ts";

/** The shortest retention that a tenant can set. */
export const minRetentionDays = 1;
/** Further objects wait for the next run. */
const maxObjectsPerLog = 10;
/** Of all databases together; a log without an object counts as one. An object takes five calls of D1 and three of R2. */
const maxObjectsPerRun = 100;
const dayMs = 24 * 60 * 60 * 1000;

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

/** Whether a row is the archived event. Where one of them has no personal parts any more, the others count. */
function isArchived(row: StoredEvent, archived: StoredEvent): boolean {
  const isExpired = row.personal === null || archived.personal === null;
  const withoutParts = (event: StoredEvent) => ({ ...event, personal: null });
  return isExpired
    ? formatLines([withoutParts(row)]) === formatLines([withoutParts(archived)])
    : formatLines([row]) === formatLines([archived]);
}

/**
 * Archives the events, or verifies that an earlier run has archived the first of them.
 * @returns how many of the first events are archived
 * @throws ArchiveMismatchError; StaleReadError if another run has written the object meanwhile
 */
async function archiveEvents(
  bucket: R2Bucket,
  tenantId: string,
  first: number,
  events: readonly StoredEvent[],
): Promise<number> {
  const { events: archived, object } = await readArchive(bucket, tenantId, {
    from: first,
    below: first + events.length,
  });
  if (object === undefined) {
    await createObject(bucket, objectNameOf(tenantId, first), events);
    return events.length;
  }
  const isSame = archived.every((event, index) => {
    const row = events[index];
    return row !== undefined && isArchived(row, event);
  });
  if (!isSame) throw new ArchiveMismatchError();
  const rows = events.slice(0, archived.length);
  await removeExpired(bucket, object.name, rows, archived);
  return archived.length;
}

/** Removes from an object the personal parts that its rows no longer have. */
async function removeExpired(
  bucket: R2Bucket,
  name: string,
  rows: readonly StoredEvent[],
  archived: readonly StoredEvent[],
): Promise<void> {
  const expired = new Set(
    archived.flatMap(({ leafIndex, personal }, index) =>
      personal !== null && rows[index]?.personal === null ? [leafIndex] : [],
    ),
  );
  const object = expired.size === 0 ? undefined : await readObject(bucket, name);
  if (object === undefined) return;
  await removePersonalParts(bucket, object, ({ leafIndex }) => expired.has(leafIndex));
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
  let first = await findFirstLeafIndex(db, tenantId);
  let objects = 0;
  while (first !== undefined && objects < maxObjectsPerLog) {
    const below = Math.min(size, first + maxEventsPerObject);
    const end = await findFirstArrivedSince(db, tenantId, { from: first, below }, cutoff, now);
    if (end <= first) break;
    const events = await readEvents(db, tenantId, first, end, maxEventsPerObject);
    const expired = takeUnbroken(events);
    if (expired.length === 0) break;
    objects += 1;
    try {
      const count = await archiveEvents(bucket, tenantId, first, expired);
      await deleteArchivedEvents(db, tenantId, expired.slice(0, count));
      log("info", "audit_archived", { tenant_id: tenantId, count });
      first = count < maxEventsPerObject && count === expired.length ? undefined : first + count;
    } catch (error) {
      if (!(error instanceof StaleReadError)) throw error;
      // Personal parts have just expired, or another run was faster.
      first = await findFirstLeafIndex(db, tenantId);
    }
  }
  return objects;
}

/** Finds how many days tenants keep their events in D1, by tenant id. */
type FindRetentionDays = (
  env: Env,
  tenantIds: readonly string[],
) => Promise<ReadonlyMap<string, number>>;

interface ExpiredLog {
  readonly tenantId: string;
  /** Events that arrived before this time have expired, Unix ms. */
  readonly cutoff: number;
}

/** Finds logs whose oldest event in D1 is past the tenant's retention, in turn. */
async function findExpired(
  env: Env,
  db: Database,
  now: number,
  findRetentionDays: FindRetentionDays,
): Promise<ExpiredLog[]> {
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
  const archiveExpired = async (db: Database, share: number) => {
    const end = left - share;
    const archiveOne = async ({ tenantId, cutoff }: ExpiredLog) => {
      // Counted first, so that a log that always fails counts too.
      left -= 1;
      left -= Math.max(0, (await archiveLog(db, bucket, tenantId, cutoff, now)) - 1);
    };
    const job = {
      job: "archive",
      failure: "audit_archive_failed",
      maxTenants: maxObjectsPerRun,
      hasBudget: () => left > end,
    } as const;
    const list = async (limit: number) =>
      (await findExpired(env, db, now, findRetentionDays)).slice(0, limit);
    await forEachInTurn(db, job, list, archiveOne);
  };
  const databases = listDatabasesInTurn(env, now);
  for (const [index, db] of databases.entries()) {
    // What one database does not need is left to those after it.
    const share = Math.ceil(left / (databases.length - index));
    if (share > 0) await runJob("audit_archive_failed", () => archiveExpired(db, share));
  }
}
