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
import { forEachInTurn } from "../../db/turns.ts";
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
  const { events: archived } = await readArchive(bucket, tenantId, {
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
  let first = await findFirstLeafIndex(db, tenantId);
  let objects = 0;
  while (first !== undefined && objects < maxObjectsPerLog) {
    const below = Math.min(size, first + maxEventsPerObject);
    const end = await findFirstArrivedSince(db, tenantId, { from: first, below }, cutoff, now);
    if (end <= first) break;
    const events = await readEvents(db, tenantId, first, end, maxEventsPerObject);
    const expired = takeUnbroken(events);
    if (expired.length === 0) break;
    const count = await archiveEvents(bucket, tenantId, first, expired);
    await deleteEventsBelow(db, tenantId, first + count);
    log("info", "audit_archived", { tenant_id: tenantId, count });
    objects += 1;
    first = count < maxEventsPerObject && count === expired.length ? undefined : first + count;
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
