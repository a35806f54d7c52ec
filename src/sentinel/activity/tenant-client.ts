/**
 * Calls the tenant watch from the edge. An isolate keeps what it read for half a minute, so most assessments call
 * nothing, and the others call it beside everything else. An attempt is counted after the answer, which also renews
 * what the isolate knows.
 */
import { BoundedMap } from "../../bounded-map.ts";
import { awaitWithin } from "../../deadline.ts";
import { type Location, stubFor } from "../../location.ts";
import { causeOf, log } from "../../log.ts";
import type { FraudReport, NetworkAttempt, TenantActivity } from "./tenant-activity.ts";
import type { TenantWatch } from "./tenant-watch.ts";

/** A login does not wait longer than this. */
const timeoutMs = 1_000;
const freshMs = 30_000;
/** A repeated attempt of an identity from the same networks is counted at most this often. */
const repeatMs = 60_000;
const maxTenants = 500;
const maxRepeats = 5_000;

interface Known {
  /** Undefined: the watch gave no answer. */
  readonly activity: TenantActivity | undefined;
  /** Real time, and the time of the request, which may be that of a test clock. Unix ms. */
  readonly readAt: number;
  readonly now: number;
}

/** What the isolate knows, and the attempts that it has counted, with their times. Data, never promises. */
const memory = {
  activities: new BoundedMap<string, Known>({ maxEntries: maxTenants }),
  counted: new BoundedMap<string, { readonly at: number }>({ maxEntries: maxRepeats }),
};

export interface TenantWatchCaller {
  readonly env: Pick<Env, "TENANT_WATCHES">;
  readonly caller: { readonly tenantId: string; readonly location: Location };
  /** The tenant's test clock if one was sent. */
  readonly now: number;
  /** Real time. */
  readonly arrivedAt: number;
  readonly requestId: string;
}

function isRecent(at: number, now: number, windowMs: number): boolean {
  return Math.abs(now - at) < windowMs;
}

/** Calls the watch. Never throws: undefined if it gave no answer. */
async function ask<T>(
  { env, caller: { tenantId, location }, requestId }: TenantWatchCaller,
  call: (watch: DurableObjectStub<TenantWatch>) => PromiseLike<T | null>,
): Promise<T | undefined> {
  try {
    const watch = stubFor(env.TENANT_WATCHES, tenantId, location);
    return (await awaitWithin(timeoutMs, call(watch))) ?? undefined;
  } catch (error) {
    log("error", "tenant_watch_unreachable", { request_id: requestId, cause: causeOf(error) });
    return undefined;
  }
}

function remember(caller: TenantWatchCaller, activity: TenantActivity | undefined): void {
  const { now, arrivedAt: readAt } = caller;
  memory.activities.set(caller.caller.tenantId, { activity, readAt, now });
}

/** The tenant's activity, from memory or from the watch; undefined if it is not known. Never throws. */
export async function readActivity(caller: TenantWatchCaller): Promise<TenantActivity | undefined> {
  const { now, arrivedAt } = caller;
  const known = memory.activities.get(caller.caller.tenantId);
  const isFresh =
    known !== undefined &&
    isRecent(known.readAt, arrivedAt, freshMs) &&
    isRecent(known.now, now, freshMs);
  if (isFresh) return known.activity;
  const activity = await ask(caller, (watch) => watch.read(now));
  remember(caller, activity);
  return activity;
}

/** Counts an attempt, unless this isolate has counted it within the minute. Never throws. */
export async function countInTenant(
  caller: TenantWatchCaller,
  attempt: Omit<NetworkAttempt, "at">,
): Promise<void> {
  const { tenantId } = caller.caller;
  const at = caller.now;
  const key = [tenantId, attempt.identityId, ...attempt.networks].join(" ");
  const known = memory.counted.get(key);
  if (known !== undefined && isRecent(known.at, at, repeatMs)) return;
  memory.counted.set(key, { at });
  const activity = await ask(caller, (watch) => watch.count({ ...attempt, at }));
  if (activity !== undefined) remember(caller, activity);
}

/** Reports a session as fraud to the tenant's watch. Never throws. */
export async function reportFraud(
  caller: TenantWatchCaller,
  report: Omit<FraudReport, "at">,
): Promise<void> {
  await ask(caller, (watch) => watch.report({ ...report, at: caller.now }));
  memory.activities.delete(caller.caller.tenantId);
}

/** Withdraws such a report. Never throws. @param id keyed hash of the assessment's id */
export async function withdrawFraud(caller: TenantWatchCaller, id: string): Promise<void> {
  await ask(caller, (watch) => watch.withdraw(id));
  memory.activities.delete(caller.caller.tenantId);
}
