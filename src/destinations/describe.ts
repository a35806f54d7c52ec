/** Describes destinations with what their followers have done. */
import { findArrival, findLogEnd } from "../audit/log-end-store.ts";
import type { Database } from "../db/client.ts";
import { findTenantDb } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { causeOf, log } from "../log.ts";
import type { TenantCaller } from "../tenancy/caller.ts";
import type { StoredDestination } from "./destination.ts";
import type { FollowerReport } from "./follower.ts";
import type { ListedAttempt } from "./follower-storage.ts";
import { followerOf } from "./wake.ts";

const reportTimeoutMs = 2_000;

export interface DestinationStatistics {
  readonly status: "enabled" | "disabled" | "failing";
  /** The first leaf that was not looked at. */
  readonly cursor: number;
  readonly behind: {
    /** Events that were not looked at. */
    readonly events: number;
    /** How long the first of them has waited. */
    readonly seconds: number;
  };
  readonly waiting: number;
  readonly delivered: number;
  readonly failed: number;
  readonly givenUp: number;
}

export interface DescribedDestination {
  readonly destination: StoredDestination;
  readonly statistics: DestinationStatistics;
}

export interface DescribeCall {
  readonly env: Env;
  readonly caller: Pick<TenantCaller, "tenantId" | "location">;
  /** Real time, Unix ms. */
  readonly arrivedAt: number;
}

/** Asks a follower. @throws AppError `unavailable` */
async function askFollower<T>(
  { env, caller }: DescribeCall,
  destination: StoredDestination,
  ask: (follower: ReturnType<typeof followerOf>) => Promise<T | undefined>,
): Promise<T> {
  const asking = ask(followerOf(env, destination, caller.location));
  const answer = await awaitWithin(reportTimeoutMs, asking).catch((error: unknown) => {
    log("error", "follower_unreachable", { tenant_id: caller.tenantId, cause: causeOf(error) });
  });
  if (answer === undefined) throw new AppError("unavailable");
  return answer;
}

async function measure(
  db: Database,
  { destination, report }: { destination: StoredDestination; report: FollowerReport },
  end: number,
  now: number,
): Promise<DestinationStatistics> {
  const { tenantId, startLeaf, startedAt, updatedAt, status } = destination;
  const { state, waiting } = report;
  // Until the follower has run, it has done nothing since the tenant has set the cursor, or changed anything.
  const cursor = state !== null && state.startedAt >= startedAt ? state.cursor : startLeaf;
  const isFailing = state !== null && state.updatedAt >= updatedAt && state.failingSince !== null;
  const events = Math.max(0, end - cursor);
  const arrivedAt = events === 0 ? undefined : await findArrival(db, tenantId, cursor);
  const seconds = arrivedAt === undefined ? 0 : Math.max(0, Math.floor((now - arrivedAt) / 1000));
  return {
    status: status === "enabled" && isFailing ? "failing" : status,
    cursor,
    behind: { events, seconds },
    waiting,
    delivered: state?.delivered ?? 0,
    failed: state?.failed ?? 0,
    givenUp: state?.givenUp ?? 0,
  };
}

/**
 * Describes destinations of the caller. One that was deleted, and that a restore of D1 has brought back, is left out.
 * @throws AppError `unavailable` if a follower does not answer; StoreError
 */
export async function describeDestinations(
  call: DescribeCall,
  destinations: readonly StoredDestination[],
): Promise<DescribedDestination[]> {
  if (destinations.length === 0) return [];
  const { tenantId } = call.caller;
  const db = await findTenantDb(call.env, tenantId);
  const [end, ...reports] = await Promise.all([
    findLogEnd(db, tenantId),
    ...destinations.map(async (destination) => {
      const report = await askFollower(call, destination, (follower) => follower.report());
      return { destination, report };
    }),
  ]);
  return await Promise.all(
    reports
      .filter(({ report }) => !report.hasEnded)
      .map(async ({ destination, report }) => {
        const statistics = await measure(db, { destination, report }, end, call.arrivedAt);
        return { destination, statistics };
      }),
  );
}

/** Describes one destination. @throws AppError `not_found` if it was deleted, `unavailable`; StoreError */
export async function describeDestination(
  call: DescribeCall,
  destination: StoredDestination,
): Promise<DescribedDestination> {
  const [described] = await describeDestinations(call, [destination]);
  if (described === undefined) throw new AppError("not_found");
  return described;
}

/** The last attempts of a destination, newest first. @throws AppError `unavailable` */
export async function listAttempts(
  call: DescribeCall,
  destination: StoredDestination,
): Promise<readonly ListedAttempt[]> {
  return await askFollower(call, destination, (follower) => follower.listAttempts());
}
