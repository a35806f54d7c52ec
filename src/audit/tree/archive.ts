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
import { databasesInTurn } from "../../db/shards.ts";
import { runJob } from "../../job.ts";
import { log } from "../../log.ts";
import { actorTypes, auditActions, auditDetails, auditOutcomes, targetTypes } from "../event.ts";
import type { StoredEvent } from "../stamp.ts";
import { findOldest, firstLeaf, readLog, removeBelow } from "../store.ts";
import { findHead } from "./store.ts";

/** No tenant keeps its events in D1 for less. */
export const shortestRetentionDays = 1;
const maxPerObject = 2_000;
/** Objects per log and in a run; what is left waits for the next. */
const objectsPerLog = 10;
const objectsPerRun = 150;
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

function nameOf(tenantId: string, firstLeafIndex: number): string {
  return `${prefixOf(tenantId)}${String(firstLeafIndex).padStart(indexDigits, "0")}.ndjson`;
}

/** Rows of leaves that are archived already are not those that were archived. */
class ArchivedOtherwiseError extends Error {
  constructor() {
    super("Rows in D1 are not the events that are archived of these leaves");
    this.name = "ArchivedOtherwiseError";
  }
}

/** The events before the cutoff, from the first on and as far as no leaf is missing. */
function oldest(events: readonly StoredEvent[], cutoff: number): StoredEvent[] {
  const first = events[0]?.leafIndex ?? 0;
  const end = events.findIndex(
    ({ at, leafIndex }, place) => at >= cutoff || leafIndex !== first + place,
  );
  return end === -1 ? [...events] : events.slice(0, end);
}

/** The events as lines, in the one spelling that an object has. */
function linesOf(events: readonly StoredEvent[]): string {
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
    await withinStoreTimeout(bucket.put(nameOf(tenantId, first), linesOf(events)));
    return events.length;
  }
  if (linesOf(there) !== linesOf(events.slice(0, there.length))) throw new ArchivedOtherwiseError();
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
  for (; objects < objectsPerLog; objects += 1) {
    const first = await firstLeaf(db, tenantId);
    if (first === undefined) break;
    const events = await readLog(db, tenantId, first, size, maxPerObject);
    const old = oldest(events, cutoff);
    if (old.length === 0) break;
    const count = await archiveEvents(bucket, tenantId, first, old);
    await removeBelow(db, tenantId, first + count);
    log("info", "audit_archived", { tenant_id: tenantId, count });
  }
  return objects;
}

/** How many days tenants keep their events in D1, by tenant id. */
type RetentionDaysOf = (
  env: Env,
  tenantIds: readonly string[],
) => Promise<ReadonlyMap<string, number>>;

/** Logs whose oldest event in the database is past the tenant's retention, with the time it ends at. */
async function findExpired(env: Env, db: Database, now: number, retentionDaysOf: RetentionDaysOf) {
  const oldest = await findOldest(db, now - shortestRetentionDays * dayMs);
  if (oldest.length === 0) return [];
  const retentions = await retentionDaysOf(
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
export async function archiveTrails(
  env: Env,
  now: number,
  retentionDaysOf: RetentionDaysOf,
): Promise<void> {
  const { AUDIT_ARCHIVE: bucket } = env;
  if (bucket === undefined) return;
  let left = objectsPerRun;
  const archiveOne = async (db: Database, tenantId: string, cutoff: number) => {
    left -= await archiveLog(db, bucket, tenantId, cutoff);
  };
  const archiveExpired = async (db: Database) => {
    for (const { tenantId, cutoff } of await findExpired(env, db, now, retentionDaysOf)) {
      if (left <= 0) return;
      await runJob("audit_archive_failed", () => archiveOne(db, tenantId, cutoff), {
        tenant_id: tenantId,
      });
    }
  };
  for (const db of databasesInTurn(env, now)) {
    if (left <= 0) return;
    await runJob("audit_archive_failed", () => archiveExpired(db));
  }
}

/** Names of the object that can hold a leaf, and of the next one; undefined where there is none. */
async function objectsAt(bucket: R2Bucket, tenantId: string, leafIndex: number) {
  const wanted = nameOf(tenantId, leafIndex);
  // An object that begins earlier than this ends before the leaf.
  let startAfter = nameOf(tenantId, Math.max(0, leafIndex - maxPerObject));
  let holder = leafIndex < maxPerObject ? nameOf(tenantId, 0) : undefined;
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
  const { holder, next } = await objectsAt(bucket, tenantId, from);
  for (const name of [holder, next]) {
    const text = name === undefined ? undefined : await textOf(bucket, name);
    const events = (text ?? "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => storedEvent.parse(JSON.parse(line)))
      .filter(({ leafIndex }) => leafIndex >= from && leafIndex < below);
    if (events.length > 0) return events;
  }
  return [];
}

async function textOf(bucket: R2Bucket, name: string): Promise<string | undefined> {
  const object = await withinStoreTimeout(bucket.get(name));
  return object === null ? undefined : await withinStoreTimeout(object.text());
}
