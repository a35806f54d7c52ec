/**
 * The service with two more routes for its bench, which create tenants and run waves of deliveries without guards.
 * They run in the Worker, because from outside each call of D1 would cost more than D1 itself.
 */
import { z } from "zod";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { createId } from "../../src/crypto/id.ts";
import { runBatch, StoreError } from "../../src/db/client.ts";
import { controlDbOf, runInTenantDb } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import service from "../../src/index.ts";
import { insertTenant } from "../../src/tenancy/tenant-store.ts";
import { createLogin } from "./login-event.ts";
import { databasesOf, withDatabases } from "./shard-bindings.ts";

export * from "../../src/index.ts";

const tenantsPerBatch = 200;
/** Concurrent deliveries. */
const maxConcurrent = 64;
/** A guard retries a failed delivery, at first after this time. */
const retryAfterMs = 200;

const waveBody = z.object({
  tenants: z.array(z.string()),
  databases: z.int().min(1),
  /** Batches a second for each database; unlimited if absent. */
  pace: z.int().min(1).optional(),
});

/** Files one login of the tenant, with retries until that succeeds. @returns the number of failed deliveries */
async function deliverLogin(env: Env, tenantId: string): Promise<number> {
  const events = await stampEvents(requireConfig(env).auditSigningKeys, [createLogin(tenantId)]);
  for (let failures = 0; ; failures += 1) {
    try {
      await runInTenantDb(env, tenantId, (db) =>
        runBatch(db, [insertEvents(db, tenantId, events)]),
      );
      return failures;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      await scheduler.wait(retryAfterMs);
    }
  }
}

/** Wraps the database so that it runs one batch at a time, and at most so many a second. */
function limitPace(database: D1Database, batchesPerSecond: number): D1Database {
  const ms = 1000 / batchesPerSecond;
  let last: Promise<unknown> = Promise.resolve();
  return new Proxy(database, {
    get(target, name) {
      if (name === "batch") {
        return (statements: D1PreparedStatement[]) => {
          const pause = last.then(() => scheduler.wait(ms));
          const done = pause.then(() => target.batch(statements));
          last = pause;
          return done;
        };
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function buildEnvironment(env: Env, count: number, pace: number | undefined): Env {
  const bound = Object.entries(databasesOf(env, count)).map(
    ([name, database]) =>
      [name, pace === undefined ? database : limitPace(database, pace)] as const,
  );
  return { ...withDatabases(env, count), ...Object.fromEntries(bound) };
}

/** Delivers one login for each of the tenants. */
async function runWave(request: Request, env: Env): Promise<Response> {
  const { tenants, databases, pace } = waveBody.parse(await request.json());
  const bound = buildEnvironment(env, databases, pace);
  let next = 0;
  let failures = 0;
  const work = async () => {
    for (let id = tenants[next++]; id !== undefined; id = tenants[next++]) {
      const failed = await deliverLogin(bound, id);
      failures += failed;
    }
  };
  await Promise.all(Array.from({ length: maxConcurrent }, work));
  return Response.json({ failures });
}

const tenantsBody = z.object({ count: z.int().min(1), databases: z.int().min(1) });

/** Creates tenants, each in the next database, and answers their ids. */
async function createTenants(request: Request, env: Env): Promise<Response> {
  const { count, databases } = tenantsBody.parse(await request.json());
  const db = controlDbOf(env);
  const createdAt = Date.now();
  const ids = Array.from({ length: count }, (_, n) => createId(createdAt + n));
  for (let from = 0; from < count; from += tenantsPerBatch) {
    const some = ids.slice(from, from + tenantsPerBatch);
    const statements = some.flatMap((id, n) => {
      const of = {
        name: "Bench",
        mode: "live",
        jurisdiction: null,
        settings: {},
        createdAt,
        status: "active",
        suspendedAt: null,
      } as const;
      return insertTenant(db, { ...of, id, shard: (from + n) % databases });
    });
    await runBatch(db, statements);
  }
  return Response.json({ ids });
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/bench/wave") return await runWave(request, env);
    if (pathname === "/bench/tenants") return await createTenants(request, env);
    return await service.fetch(request, env, ctx);
  },
} satisfies ExportedHandler<Env>;
