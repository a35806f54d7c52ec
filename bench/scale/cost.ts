/** From counts to dollars. Pure. */
import {
  type Delivery,
  deliveryCounts,
  edge,
  object,
  type Operation,
  queue,
  sealing,
  storage,
} from "./counts.ts";
import { type Meter, meters, type Price, prices } from "./prices.ts";

export type Usage = Readonly<Partial<Record<Meter, number>>>;

const gigabyte = 1e9;

export function added(...usages: readonly Usage[]): Usage {
  const sum: Partial<Record<Meter, number>> = {};
  for (const usage of usages) {
    for (const meter of meters) sum[meter] = (sum[meter] ?? 0) + (usage[meter] ?? 0);
  }
  return sum;
}

export function times(usage: Usage, count: number): Usage {
  return Object.fromEntries(meters.map((meter) => [meter, (usage[meter] ?? 0) * count]));
}

/** What one operation uses, without storage and sealing. A batch of the queue is full. */
export function usageOf(operation: Operation, delivery: Delivery): Usage {
  const { objectCalls, alarms, delivers, isRequest, kvReads, d1RowsRead, d1RowsWritten } =
    operation;
  const deliveries = delivers ? 1 : 0;
  const queued = delivery === "queue" ? deliveries : 0;
  const each = deliveryCounts[delivery];
  const activeMs = objectCalls * object.callMs + deliveries * each.activeMs;
  const requests = isRequest ? 1 : 0;
  return {
    workerRequests: requests + queued / queue.maxMessagesPerBatch,
    workerCpuMs: requests * edge.cpuMs + queued * queue.consumerCpuMs,
    objectRequests: objectCalls + alarms + deliveries * each.objectCalls,
    objectGbSeconds: (activeMs / 1000) * object.gigabytes,
    objectRowsRead: operation.objectRowsRead + deliveries * each.rowsRead,
    objectRowsWritten: operation.objectRowsWritten + alarms + deliveries * each.rowsWritten,
    queueOperations: queued * queue.operationsPerMessage,
    d1RowsRead,
    d1RowsWritten,
    kvReads,
  };
}

/** GB-s of one operation if an object were billed for so many seconds after each thing it does. */
export function lingeringGbSeconds(
  operation: Operation,
  delivery: Delivery,
  seconds: number,
): number {
  // The alarm finds the guard still there, and keeps it for as long again.
  const untilAlarm = Math.min(seconds, deliveryCounts[delivery].alarmAfterSeconds);
  const active = operation.objectCalls * seconds + (operation.delivers ? untilAlarm : 0);
  return active * object.gigabytes;
}

/** Passes of a month that find something to seal, over all logs; arrivals are independent. */
export function sealedPasses(events: number, tenants: number): number {
  const perPass = events / tenants / sealing.passesPerMonth;
  return tenants * sealing.passesPerMonth * -Math.expm1(-perPass);
}

/** What sealing a month's events uses. */
export function sealingUsage(events: number, tenants: number): Usage {
  const passes = sealedPasses(events, tenants);
  return {
    workerCpuMs: events * sealing.cpuMsPerEvent,
    d1RowsRead: events + passes * sealing.rowsReadPerLog,
    d1RowsWritten: passes * sealing.rowsWrittenPerLog,
  };
}

/** What lies there for a month. */
export function storageUsage(events: number, identities: number): Usage {
  return {
    d1GbMonths: (events * storage.bytesPerEvent) / gigabyte,
    objectGbMonths: (identities * object.bytes) / gigabyte,
  };
}

export function dollarsFor({ dollars, per }: Price, quantity: number): number {
  return (Math.max(0, quantity) / per) * dollars;
}

/** Each meter's dollars, nothing being included. */
export function costs(usage: Usage): readonly (readonly [Meter, number])[] {
  return meters.map((meter) => [meter, dollarsFor(prices[meter], usage[meter] ?? 0)]);
}

/** Each meter's dollars beyond what the plan includes. */
export function costsBeyondPlan(usage: Usage): readonly (readonly [Meter, number])[] {
  return meters.map((meter) => {
    const beyond = (usage[meter] ?? 0) - prices[meter].included;
    return [meter, dollarsFor(prices[meter], beyond)];
  });
}

export function total(lines: readonly (readonly [Meter, number])[]): number {
  return lines.reduce((sum, [, dollars]) => sum + dollars, 0);
}

/** A month of nothing but this operation, with events kept for a month. */
export function monthOf(
  operation: Operation,
  count: number,
  tenants: number,
  delivery: Delivery,
): Usage {
  return added(
    times(usageOf(operation, delivery), count),
    sealingUsage(count, tenants),
    storageUsage(count, count / storage.loginsPerIdentity),
    { workerRequests: edge.cronRunsPerMonth },
  );
}
