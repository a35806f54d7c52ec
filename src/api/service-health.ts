/** `/v1/health`, for the operator: what waits in the service, and since when. */
import { z } from "zod";
import { listClockFaults } from "../audit/clock-fault-store.ts";
import { measureIntegration, measureWitness } from "../audit/tree/measure.ts";
import { type Database, MissingMigrationsError } from "../db/client.ts";
import { measureDatabase, usedPercentOf } from "../db/database-size.ts";
import { countMigrations, wantedMigrations } from "../db/migrations.ts";
import { findLastRuns, triggers } from "../db/run-times.ts";
import { controlDbOf, countDatabases, databaseOf, listDatabases } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { measureDestinations } from "../destinations/measure.ts";
import type { Config } from "../env.ts";
import { pingGuard } from "../guard/client.ts";
import { measureLateDeliveries } from "../guard/delivery/gate-client.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { instant, toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";
import { causeOf, log } from "../log.ts";

/** A part that takes longer counts as failed, so that one fault does not hide the others. */
const partTimeoutMs = 5_000;

const partNames = [
  ...(["size", "migrations", "events", "deliveries", "witness"] as const),
  ...(["guard", "runs", "clocks", "destinations"] as const),
] as const;
type PartName = (typeof partNames)[number];

const waiting = z
  .object({
    count: z.int().min(0),
    since: instant.nullable().meta({ description: "Since when the first of them has waited." }),
  })
  .meta({ id: "Waiting" });

const databaseSchema = z.object({
  shard: z.int().min(0).meta({ description: "The database: 0 is `DB`, 1 is `DB_1` and so on." }),
  migrations: z.object({ applied: z.int().min(0), wanted: z.int().min(0) }).nullable(),
  size_bytes: z.int().min(0).nullable(),
  used_percent: z.int().min(0).nullable(),
  events_waiting: waiting.nullable().meta({
    description: "Events that are filed and not integrated into the trails yet.",
  }),
  deliveries_waiting: waiting.nullable().meta({
    description: "Guards and refusal logs whose deliveries to this database fail.",
  }),
  witness: z
    .object({
      unwitnessed_since: instant.nullable().meta({
        description:
          "Since when the first event has waited for a tree head in KV that covers it. Heads are sent once an hour.",
      }),
      refused_by_bucket: z.int().min(0).meta({
        description: "Logs whose newest tree head the bucket did not accept.",
      }),
      refused_by_webhook: z.int().min(0),
    })
    .nullable(),
});

const healthSchema = z.object({
  now: instant.meta({ description: "The service's clock." }),
  bindings: z.object({
    databases: z.int().min(1),
    queue: z.boolean(),
    archive: z.boolean(),
    witness_webhook: z.boolean(),
    step_up_tokens: z.boolean(),
    feeds: z.array(z.string()).meta({
      description: "The lists that the service fetches by itself.",
      examples: [["ipsum", "tor-exits"]],
    }),
  }),
  guard: z.boolean().meta({ description: "Whether a guard responds." }),
  databases: z.array(databaseSchema),
  runs: z
    .array(z.object({ trigger: z.enum(triggers), last_ended_at: instant.nullable() }))
    .nullable()
    .meta({ description: "When the scheduled work of each trigger last ended." }),
  clocks: z
    .object({
      rejected: z.int().min(0).meta({ description: "Codes that were rejected in the last hour." }),
      off: z.int().min(0).meta({
        description: "Those of them that another time within ten minutes has.",
      }),
      median_off_by_seconds: z
        .number()
        .nullable()
        .meta({ description: "Above zero if the users' clocks are ahead of the service's." }),
    })
    .nullable(),
  destinations: z
    .object({
      enabled: z.int().min(0),
      measured: z.int().min(0).meta({
        description: "How many of them the request has looked at: up to 20, chosen at random.",
      }),
      behind: z.int().min(0),
      failing: z.int().min(0),
      unreachable: z.int().min(0),
      oldest_seconds: z.int().min(0),
    })
    .nullable(),
  problems: z
    .array(
      z.object({
        part: z.enum(partNames),
        shard: z.int().min(0).nullable(),
        cause: z.string().meta({ examples: ["migrations_missing"] }),
      }),
    )
    .meta({ description: "The parts that could not be measured. They are null above." }),
});
type Health = z.input<typeof healthSchema>;

function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

/** Measures the parts, each by itself. */
class Measurement {
  readonly problems: Health["problems"][number][] = [];

  /** Null if the part could not be measured. */
  async part<T>(
    part: PartName,
    shard: number | null,
    measure: () => Promise<T>,
  ): Promise<T | null> {
    try {
      return await awaitWithin(partTimeoutMs, measure());
    } catch (error) {
      const isUnmigrated = error instanceof MissingMigrationsError;
      const cause = isUnmigrated ? "migrations_missing" : causeOf(error);
      this.problems.push({ part, shard, cause });
      log("error", "health_not_measured", {
        source: part,
        cause,
        ...(shard === null ? {} : { shard }),
      });
      return null;
    }
  }

  async database(env: Env, config: Config, shard: number): Promise<Health["databases"][number]> {
    const db = databaseOf(env, shard);
    const [applied, size, events, deliveries, witness] = await Promise.all([
      this.part("migrations", shard, () => countMigrations(db)),
      this.part("size", shard, () => measureDatabase(db)),
      this.part("events", shard, () => measureIntegration(db)),
      this.part("deliveries", shard, () => measureLateDeliveries(env, shard)),
      this.part("witness", shard, () => measureWitness(db)),
    ]);
    return {
      shard,
      migrations: applied === null ? null : { applied, wanted: wantedMigrations },
      size_bytes: size?.bytes ?? null,
      used_percent: size === null ? null : usedPercentOf(size, config.maxDatabaseBytes),
      events_waiting: showWaiting(events),
      deliveries_waiting: showWaiting(deliveries),
      witness:
        witness === null
          ? null
          : {
              unwitnessed_since: toRfc3339OrNull(witness.unwitnessedSince),
              refused_by_bucket: witness.refusedByBucket,
              refused_by_webhook: witness.refusedByWebhook,
            },
    };
  }
}

function showWaiting(
  found: { readonly count: number; readonly since: number | null } | null,
): z.input<typeof waiting> | null {
  return found === null ? null : { count: found.count, since: toRfc3339OrNull(found.since) };
}

async function measureClocks(
  databases: readonly Database[],
  now: number,
): Promise<Health["clocks"]> {
  const faults = (await Promise.all(databases.map((db) => listClockFaults(db, now)))).flat();
  const off = faults.filter((seconds) => seconds !== null);
  return { rejected: faults.length, off: off.length, median_off_by_seconds: medianOf(off) };
}

async function showRuns(env: Env): Promise<Health["runs"]> {
  const runs = await findLastRuns(controlDbOf(env));
  return runs.map(({ trigger, endedAt }) => ({
    trigger,
    last_ended_at: toRfc3339OrNull(endedAt),
  }));
}

async function showDestinations(env: Env, now: number): Promise<Health["destinations"]> {
  const { oldestSeconds, ...counts } = await measureDestinations(env, now);
  return { ...counts, oldest_seconds: oldestSeconds };
}

function listFetchedFeeds({ SENTINEL_FEEDS = "" }: { readonly SENTINEL_FEEDS?: string }): string[] {
  return SENTINEL_FEEDS.split(",").flatMap((name) => name.trim() || []);
}

/** @param now real time, Unix ms */
async function measureHealth(env: Env, config: Config, now: number): Promise<Health> {
  const measurement = new Measurement();
  const shards = Array.from({ length: countDatabases(env) }, (_, shard) => shard);
  const [databases, guard, runs, clocks, destinations] = await Promise.all([
    Promise.all(shards.map((shard) => measurement.database(env, config, shard))),
    measurement.part("guard", null, async () => {
      await pingGuard(env);
      return true;
    }),
    measurement.part("runs", null, () => showRuns(env)),
    measurement.part("clocks", null, () => measureClocks(listDatabases(env), now)),
    measurement.part("destinations", null, () => showDestinations(env, now)),
  ]);
  return {
    now: toRfc3339(now),
    bindings: {
      databases: shards.length,
      queue: env.DELIVERIES !== undefined,
      archive: env.AUDIT_ARCHIVE !== undefined,
      witness_webhook: env.AUDIT_WITNESS_URL !== undefined,
      step_up_tokens: config.tokenSigningKeys !== undefined && config.publicUrl !== undefined,
      feeds: listFetchedFeeds(env),
    },
    guard: guard === true,
    databases,
    runs,
    clocks,
    destinations,
    problems: measurement.problems,
  };
}

export const serviceHealthRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/health",
      name: "getHealth",
      summary: "Measure what waits in the service, and since when",
      description:
        "Measures the parts of the service for the operator, each by itself: a part that fails is null and named in `problems`. The answer is 200 as long as the configuration is valid. `edge-idp doctor` judges it.",
      tag: "Health",
      access: operator,
      body: none,
      query: none,
      responses: {
        200: {
          description: "The measurements.",
          body: z.object({ health: healthSchema }),
        },
      },
    },
    async ({ env, config, arrivedAt }) =>
      respond(200, { health: await measureHealth(env, config, arrivedAt) }),
  ),
];
