/**
 * The service with three more routes for its bench: one creates tenants (shards-worker.ts), one fills their logs, and
 * one runs a scheduled job and counts its calls. They run in the Worker, as the jobs do.
 */
import { z } from "zod";
import { deliverControlEvents } from "../../src/audit/control-outbox/deliver.ts";
import { enqueueEvents } from "../../src/audit/control-outbox/store.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { archiveLogs } from "../../src/audit/tree/archive.ts";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import { runBatch } from "../../src/db/client.ts";
import { controlDbOf, databaseOf } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import { deleteExpired } from "../../src/housekeeping.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { findRetentionDays } from "../../src/tenancy/find-retention.ts";
import { registerAllTokenEnds } from "../../src/tenancy/token-register-client.ts";
import { countCalls } from "./counted-calls.ts";
import { createLogin } from "./login-event.ts";
import shardsWorker from "./shards-worker.ts";

export * from "../../src/index.ts";

const tenantsPerBatch = 100;

const eventsBody = z.object({
  tenants: z.array(z.string()),
  databases: z.int().min(1),
  /** Whether the events wait in the control outbox. */
  isWaiting: z.boolean(),
});

/** Files one event in the log of each tenant, or enqueues it. Tenant `n` is in database `n % databases`. */
async function fileEvents(request: Request, env: Env): Promise<Response> {
  const { tenants, databases, isWaiting } = eventsBody.parse(await request.json());
  const { auditSigningKeys } = requireConfig(env);
  await Promise.all(
    Array.from({ length: databases }, async (_, shard) => {
      const own = tenants.filter((_id, n) => n % databases === shard);
      const db = isWaiting ? controlDbOf(env) : databaseOf(env, shard);
      for (let from = 0; from < own.length; from += tenantsPerBatch) {
        const events = await stampEvents(
          auditSigningKeys,
          own.slice(from, from + tenantsPerBatch).map(createLogin),
        );
        const statements = events.flatMap((event) =>
          isWaiting
            ? enqueueEvents(db, event.tenantId, [event])
            : [insertEvents(db, event.tenantId, [event])],
        );
        await runBatch(db, statements);
      }
    }),
  );
  return new Response();
}

type Job = (env: Env, now: number) => Promise<void>;

const jobs = {
  integrate: integrateLogs,
  witness: witnessHeads,
  "control outbox": (env) => deliverControlEvents(env),
  "token ends": (env) => registerAllTokenEnds(env),
  housekeeping: deleteExpired,
  archive: (env, now) => archiveLogs(env, now, findRetentionDays),
  populations: publishPopulations,
} as const satisfies Record<string, Job>;

const jobBody = z.object({
  job: z.enum(Object.keys(jobs) as (keyof typeof jobs)[]),
  now: z.int(),
  witness: z.string().optional(),
});

async function runJob(request: Request, env: Env): Promise<Response> {
  const { job, now, witness } = jobBody.parse(await request.json());
  const bound = witness === undefined ? env : { ...env, AUDIT_WITNESS_URL: witness };
  const startedAt = Date.now();
  const calls = await countCalls(env, () => jobs[job](bound, now));
  return Response.json({ ms: Date.now() - startedAt, ...calls });
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/bench/events") return await fileEvents(request, env);
    if (pathname === "/bench/job") return await runJob(request, env);
    return await shardsWorker.fetch(request, env, ctx);
  },
} satisfies ExportedHandler<Env>;
