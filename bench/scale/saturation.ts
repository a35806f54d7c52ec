/** What has an end, and how many verifications a second it takes to come there. Pure. */
import { queue, secondsPerMonth, storage } from "./counts.ts";

/** Published limits; docs/scale.md names the pages. */
export const limits = {
  d1Bytes: 10e9,
  d1AccountBytes: 1e12,
  /** A soft one. */
  objectRequestsPerSecond: 1_000,
  queueMessagesPerSecond: 5_000,
} as const;

/** How long D1 is busy with a transaction: it does one at a time. */
export interface Writer {
  readonly name: string;
  /** Beginning, confirming and copying a transaction, ms. */
  readonly transactionMs: number;
}

/** The published example of a query, and its "several milliseconds" of a write. */
export const writers: readonly Writer[] = [
  { name: "1 ms", transactionMs: 1 },
  { name: "5 ms", transactionMs: 5 },
];

/**
 * Added by each message of a batch, ms. Measured (docs/performance.md): 97.6 s for a million events of
 * three rows; a message writes four.
 */
const messageMs = (0.0976 * 4) / 3;

/** Filled so far or busy so long, a database wants another beside it. */
export const enough = { busyShare: 0.5, filledShare: 0.8 } as const;

/** Messages a consumer finds waiting, at so many a second. */
export function batchAt(perSecond: number): number {
  return Math.min(queue.maxMessagesPerBatch, Math.max(1, perSecond * queue.waitSeconds));
}

/** Share of the time that one D1 is busy; above 1 it falls behind. */
export function busyShare(perSecond: number, batch: number, { transactionMs }: Writer): number {
  return ((perSecond / batch) * (transactionMs + batch * messageMs)) / 1000;
}

/** Verifications a second at which one D1 is busy all the time. */
export function maxPerSecond(batch: number, { transactionMs }: Writer): number {
  return (1000 * batch) / (transactionMs + batch * messageMs);
}

/** Events that fit into one D1. */
export function eventsPerDatabase(): number {
  return Math.floor(limits.d1Bytes / storage.bytesPerEvent);
}

/** Days until one D1 is full. */
export function daysUntilFull(perSecond: number): number {
  return eventsPerDatabase() / (perSecond * 24 * 60 * 60);
}

/** Tenants with so many events a month, kept for so many months, that fill one D1 as far as it should be. */
export function tenantsPerDatabase(eventsPerMonth: number, months: number): number {
  return Math.floor((eventsPerDatabase() * enough.filledShare) / (eventsPerMonth * months));
}

export interface Load {
  readonly eventsPerMonth: number;
  readonly keptMonths: number;
  /** The busiest second against the average one. */
  readonly peak: number;
  readonly batched: boolean;
}

/** Databases that a load wants, for its writes and for its size. */
export function databasesFor(load: Load, writer: Writer): { writes: number; size: number } {
  const perSecond = (load.eventsPerMonth / secondsPerMonth) * load.peak;
  const most = maxPerSecond(load.batched ? batchAt(perSecond) : 1, writer);
  const events = load.eventsPerMonth * load.keptMonths;
  return {
    writes: Math.max(1, Math.ceil(perSecond / (most * enough.busyShare))),
    size: Math.max(1, Math.ceil(events / (eventsPerDatabase() * enough.filledShare))),
  };
}
