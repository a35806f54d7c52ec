/** Fills the databases of the tenants bench, and runs the scheduled jobs in the Worker. */
import { z } from "zod";
import { databasesOf, type Service } from "./service.ts";
import { sendRequest } from "./shards.ts";

const tenantsPerStatement = 5_000;

export type JobName =
  | "integrate"
  | "witness"
  | "control outbox"
  | "token ends"
  | "housekeeping"
  | "archive"
  | "populations";

const jobAnswer = z.object({
  ms: z.number(),
  d1Calls: z.number(),
  d1Statements: z.number(),
  d1RowsRead: z.number(),
  d1RowsWritten: z.number(),
  kvCalls: z.number(),
  r2Calls: z.number(),
  requests: z.number(),
});
export type JobRun = z.infer<typeof jobAnswer>;

/** Runs a job once, with the given time (Unix ms) as its scheduled time. */
export async function runJob(
  service: Service,
  job: JobName,
  now: number,
  witness: string,
): Promise<JobRun> {
  return await sendRequest(service, "/bench/job", { job, now, witness }, jobAnswer);
}

/** Files one event in each log, or enqueues it in the control outbox. */
export async function fileEvents(
  service: Service,
  tenants: readonly string[],
  databases: number,
  isWaiting = false,
): Promise<void> {
  const response = await fetch(`${service.url}/bench/events`, {
    method: "POST",
    body: JSON.stringify({ tenants, databases, isWaiting }),
  });
  if (!response.ok) throw new Error(`The events were not filed: ${response.status}`);
}

/** Sums over all databases: the sizes of trees, the heads that all witnesses have, and the events that wait. */
export async function countHeads({ env }: Service) {
  const sums = { sizes: 0, witnessed: 0, waiting: 0 };
  for (const db of databasesOf(env)) {
    const row = await db
      .prepare(
        `SELECT coalesce(sum(size), 0) AS sizes,
          count(*) FILTER (WHERE min(witnessed_size, bucket_size, forwarded_size) = size) AS witnessed,
          (SELECT count(*) FROM control_outbox) AS waiting FROM audit_trees`,
      )
      .first<{ sizes: number; witnessed: number; waiting: number }>();
    sums.sizes += row?.sizes ?? 0;
    sums.witnessed += row?.witnessed ?? 0;
    sums.waiting += row?.waiting ?? 0;
  }
  return sums;
}

/** Gives each of the first tenants a revoked token that its register does not have. */
export async function insertEnds(
  { env }: Service,
  tenants: readonly string[],
  count: number,
): Promise<void> {
  await env.DB.prepare(
    `INSERT INTO api_tokens (id, tenant_id, name, hash, permissions, created_at, revoked_at, end_unregistered)
    SELECT 'bench-' || value, value, 'Bench', 'hash-' || value, '[]', 0, 1, 1 FROM json_each(?)`,
  )
    .bind(JSON.stringify(tenants.slice(0, count)))
    .run();
}

/** Makes the population of every tenant due. */
export async function insertPopulations(
  { env }: Service,
  tenants: readonly string[],
  databases: number,
): Promise<void> {
  for (const [shard, db] of databasesOf(env).entries()) {
    const own = tenants.filter((_, n) => n % databases === shard);
    for (let from = 0; from < own.length; from += tenantsPerStatement) {
      await db
        .prepare(
          "INSERT INTO populations (tenant_id, built_at, logins) SELECT value, 0, 0 FROM json_each(?)",
        )
        .bind(JSON.stringify(own.slice(from, from + tenantsPerStatement)))
        .run();
    }
  }
}
