/** Measures what a database's logs wait for: their integration, and the witnesses. */
import { sql } from "drizzle-orm";
import { z } from "zod";
import { awaitStore, type Database } from "../../db/client.ts";
import { auditEvents, auditTrees } from "../tables.ts";
import { findUnintegrated, type UnintegratedLog } from "./store.ts";

const maxLogs = 4_000;

/** What waits. Events of older builds have no time, and count without it. */
export interface Waiting {
  readonly count: number;
  /** Since when the first has waited, Unix ms; null if nothing waits, or D1 does not know. */
  readonly since: number | null;
}

/** Sums up the events that wait for their integration. */
export function sumWaiting(logs: readonly UnintegratedLog[]): Waiting {
  const times = logs.flatMap(({ waitingSince }) => (waitingSince === null ? [] : [waitingSince]));
  return {
    count: logs.reduce((sum, { length, size }) => sum + length - size, 0),
    since: times.length === 0 ? null : times.reduce((first, time) => Math.min(first, time)),
  };
}

/** The events that wait for their integration, of up to 4,000 logs. @throws StoreError */
export async function measureIntegration(db: Database): Promise<Waiting> {
  return sumWaiting(await findUnintegrated(db, maxLogs));
}

export interface WitnessLag {
  /** Since when the first event has waited for a tree head in KV that covers it, Unix ms; null if none waits. */
  readonly unwitnessedSince: number | null;
  /** Logs whose newest head the bucket, or the webhook, did not accept. */
  readonly refusedByBucket: number;
  readonly refusedByWebhook: number;
}

const lag = z.object({
  since: z.number().nullable(),
  bucket: z.number().nullable(),
  webhook: z.number().nullable(),
});

/** @throws StoreError */
export async function measureWitness(db: Database): Promise<WitnessLag> {
  const { tenantId, size, witnessedSize, bucketFailures, forwardFailures } = auditTrees;
  const firstUnwitnessed = sql`(SELECT ${auditEvents.arrivedAt} FROM ${auditEvents}
    WHERE ${auditEvents.tenantId} = ${tenantId} AND ${auditEvents.leafIndex} = ${witnessedSize})`;
  const found = await awaitStore(
    db.get(sql`SELECT min(iif(${size} > ${witnessedSize}, ${firstUnwitnessed}, NULL)) AS since,
      sum(${bucketFailures} > 0) AS bucket, sum(${forwardFailures} > 0) AS webhook
      FROM ${auditTrees}`),
  );
  const { since, bucket, webhook } = lag.parse(found);
  return {
    unwitnessedSince: since,
    refusedByBucket: bucket ?? 0,
    refusedByWebhook: webhook ?? 0,
  };
}
