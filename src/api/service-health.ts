/** `/v1/health`, for the operator: what waits in the service, and since when. */
import { z } from "zod";
import { listClockFaults } from "../audit/clock-fault-store.ts";
import { measureIntegration, measureWitness } from "../audit/tree/measure-store.ts";
import { type Database, MissingMigrationsError } from "../db/client.ts";
import { measureDatabase, usedPercentOf } from "../db/database-size.ts";
import { countMigrations, wantedMigrations } from "../db/migrations.ts";
import { findLastRuns } from "../db/run-times.ts";
import { controlDbOf, countDatabases, databaseOf, listDatabases } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { measureDestinations } from "../destinations/measure.ts";
import type { Config } from "../env.ts";
import { pingGuard } from "../guard/client.ts";
import { measureLateDeliveries } from "../guard/delivery/gate-client.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";
import { causeOf, log } from "../log.ts";
import {
  type Health,
  healthSchema,
  type PartName,
  type waiting,
} from "./service-health-schemas.ts";

/** A part that takes longer counts as failed, so that one fault does not hide the others. */
const partTimeoutMs = 5_000;

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
