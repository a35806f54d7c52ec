/**
 * Retention: sealed events older than the tenant keeps them leave D1 for the archive (R2), where they
 * lie as they were stored, personal parts sealed. The tree stays whole, so it still proves them.
 *
 * An object holds the events of consecutive leaves and is named by the first. It is written before
 * the rows go; a run that is killed in between writes it again.
 */
import { z } from "zod";
import { allDatabases, type Database, withinStoreTimeout } from "../db/client.ts";
import { causeOf, log } from "../log.ts";
import { defaultPolicy } from "../policy.ts";
import { auditActions, auditOutcomes } from "./event.ts";
import type { StoredEvent } from "./file.ts";
import { findExpired, firstLeaf, readLog, removeBelow } from "./store.ts";
import { findHead } from "./tree/store.ts";

const mostPerObject = 2_000;
/** Objects written per log and in a run; what is left waits for the next. */
const objectsPerLog = 10;
const objectsPerRun = 150;
const dayMs = 24 * 60 * 60 * 1000;
const indexDigits = 15;

const storedEvent: z.ZodType<StoredEvent> = z.strictObject({
  tenantId: z.string(),
  leafIndex: z.int(),
  id: z.string(),
  at: z.int(),
  actorType: z.enum(["api_token", "operator", "system"]),
  actorId: z.string().nullable(),
  action: z.enum(auditActions),
  targetType: z.enum(["tenant", "api_token", "identity"]),
  targetId: z.string(),
  personalKey: z.string().nullable(),
  personal: z.string().nullable(),
  personalDigest: z.string().nullable(),
  outcome: z.enum(auditOutcomes),
  reason: z.string().nullable(),
  requestId: z.string().nullable(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  stamp: z.string(),
});

function prefixOf(tenantId: string): string {
  return `events/${tenantId}/`;
}

function nameOf(tenantId: string, firstLeafIndex: number): string {
  return `${prefixOf(tenantId)}${String(firstLeafIndex).padStart(indexDigits, "0")}.ndjson`;
}

/** Moves what is old of one log; gives the number of objects written. */
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
    const events = await readLog(db, tenantId, first, size, mostPerObject);
    const keptFrom = events.findIndex(({ at }) => at >= cutoff);
    const old = keptFrom === -1 ? events : events.slice(0, keptFrom);
    const last = old.at(-1);
    if (last === undefined) break;
    const lines = old.map((event) => `${JSON.stringify(event)}\n`).join("");
    await withinStoreTimeout(bucket.put(nameOf(tenantId, first), lines));
    await removeBelow(db, tenantId, last.leafIndex + 1);
    log("info", "audit_archived", { tenant_id: tenantId, count: old.length });
  }
  return objects;
}

/** Moves what is old. Never throws: what fails is logged, and the next run does it. */
export async function archiveTrails(env: Env, now: number): Promise<void> {
  const { AUDIT_ARCHIVE: bucket } = env;
  if (bucket === undefined) return;
  const failed = (error: unknown, tenant_id?: string) =>
    log("error", "audit_archive_failed", {
      cause: causeOf(error),
      ...(tenant_id === undefined ? {} : { tenant_id }),
    });
  for (const db of allDatabases(env)) {
    let left = objectsPerRun;
    try {
      const expired = await findExpired(db, now, defaultPolicy.audit.retentionDays);
      for (const { tenantId, retentionDays } of expired) {
        if (left <= 0) break;
        const cutoff = now - retentionDays * dayMs;
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
async function objectsAt(bucket: R2Bucket, tenantId: string, leafIndex: number) {
  const wanted = nameOf(tenantId, leafIndex);
  // An object that begins earlier than this ends before the leaf.
  let startAfter = nameOf(tenantId, Math.max(0, leafIndex - mostPerObject));
  let holder = leafIndex < mostPerObject ? nameOf(tenantId, 0) : undefined;
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
