/**
 * Turns: a scheduled job with a bound continues after the tenant with which its previous run ended, so that
 * no tenant waits for those before it, however often their work fails. A run that reaches the end of its list
 * stores nothing; the cursor costs a row only while more waits than one run can do.
 */
import { type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { runJob } from "../job.ts";
import type { LogEvent } from "../log-events.ts";
import { awaitStore, type Database } from "./client.ts";
import { jobCursors } from "./tables.ts";

/** The jobs with a cursor. The control outbox has one for each shard. */
export type JobName =
  | "integration"
  | "witness"
  | "archive"
  | "personal_expiry"
  | "population"
  | "token_ends"
  | "statistics"
  | "tenant_deletion"
  | "ended_trails"
  | `control_outbox_${number}`;

/** Whether the tenant is up to the job's cursor, so that a run reaches those after it first. */
export function hadTurn(job: JobName, tenantId: SQLiteColumn | SQL): SQL {
  return sql`${tenantId} <= coalesce((SELECT cursor FROM job_cursors WHERE job = ${job}), '')`;
}

/** The order in which a run of the job reaches tenants: from its cursor to the end, then from the start. */
export function orderInTurn(job: JobName, tenantId: SQLiteColumn | SQL): SQL {
  return sql`${hadTurn(job, tenantId)}, ${tenantId}`;
}

interface Tenant {
  readonly tenantId: string;
}

/**
 * Ends a run that has processed the first `done` items of a list in turn. If others wait, the next run begins
 * with them.
 * @param limit the most items that the list could have
 * @throws StoreError
 */
export async function endTurn(
  db: Database,
  job: JobName,
  items: readonly Tenant[],
  done: number,
  limit: number,
): Promise<void> {
  const last = items[done - 1];
  if (last === undefined || (done === items.length && items.length < limit)) return;
  const cursor = last.tenantId;
  await awaitStore(
    db
      .insert(jobCursors)
      .values({ job, cursor })
      .onConflictDoUpdate({ target: jobCursors.job, set: { cursor } }),
  );
}

interface TurnJob {
  readonly job: JobName;
  /** Name of the log event that reports a failure. */
  readonly failure: LogEvent;
  readonly maxTenants: number;
  /** Whether the run may begin with another tenant. */
  readonly hasBudget?: () => boolean;
}

/**
 * Runs the work for one tenant after another, in turn. A failure is logged with the tenant's id and stops no
 * other tenant's work.
 * @param list lists tenants with work, in the order of `orderInTurn`
 * @throws StoreError if the list cannot be read
 */
export async function forEachInTurn<T extends Tenant>(
  db: Database,
  { job, failure, maxTenants, hasBudget = () => true }: TurnJob,
  list: (limit: number) => Promise<readonly T[]>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const items = await list(maxTenants);
  let done = 0;
  for (const item of items) {
    if (!hasBudget()) break;
    await runJob(failure, () => work(item), { tenant_id: item.tenantId });
    done += 1;
  }
  await endTurn(db, job, items, done, maxTenants);
}

/**
 * Divides a bound among databases by what waits in each: each gets what it needs, and if that is too much, what
 * the others do not need is shared.
 * @returns the shares, in the same order
 */
export function divideFairly(total: number, needs: readonly number[]): number[] {
  const shares = needs.map(() => 0);
  let left = total;
  for (;;) {
    const wanting = needs.flatMap((need, index) => (need > (shares[index] ?? 0) ? [index] : []));
    if (left === 0 || wanting.length === 0) return shares;
    const each = Math.max(1, Math.floor(left / wanting.length));
    for (const index of wanting) {
      const share = shares[index] ?? 0;
      const more = Math.min(each, (needs[index] ?? 0) - share, left);
      shares[index] = share + more;
      left -= more;
    }
  }
}
