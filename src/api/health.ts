/** Liveness of the process, and readiness of D1 and the guard. */
import { z } from "zod";
import { requireAllDatabases } from "../db/bound-shards.ts";
import {
  type DatabaseSize,
  measureDatabase,
  usedPercentOf,
  warningPercent,
} from "../db/database-size.ts";
import { requireMigrations } from "../db/migrations.ts";
import { listDatabases } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { pingGuard } from "../guard/client.ts";
import { anyone } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";

/** A check that takes longer counts as failed. */
const checkTimeoutMs = 2_000;

/** What a check found, or what is wrong. */
type CheckResult<T> = { readonly found: T } | { readonly problem: string };

async function runCheck<T>(name: string, check: Promise<T>): Promise<CheckResult<T>> {
  try {
    return { found: await awaitWithin(checkTimeoutMs, check) };
  } catch (error) {
    return {
      problem: error instanceof AppError ? error.message : `${name} did not respond; retry later.`,
    };
  }
}

/**
 * Checks that every database responds and has all migrations, and that every database that tenants need is bound.
 * @throws AppError `unavailable`, StoreError
 */
async function checkDatabases(env: Env): Promise<DatabaseSize[]> {
  const databases = listDatabases(env);
  // Missing migrations make the other checks fail too, and are the better answer.
  const migrated = Promise.all(databases.map(requireMigrations));
  const sizes = Promise.all(databases.map(measureDatabase));
  const results = await Promise.allSettled([migrated, requireAllDatabases(env), sizes]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return await sizes;
}

const warning = z.object({
  code: z.literal("database_nearly_full"),
  shard: z.int().min(0).meta({ description: "The database: 0 is `DB`, 1 is `DB_1` and so on." }),
  used_percent: z.int().min(warningPercent),
});

/** Warns of databases that are nearly full. The service stays ready: it verifies codes without D1. */
function findWarnings(
  sizes: readonly DatabaseSize[],
  maxDatabaseBytes: number,
): z.output<typeof warning>[] {
  return sizes.flatMap((size, shard) => {
    const percent = usedPercentOf(size, maxDatabaseBytes);
    return percent < warningPercent
      ? []
      : [{ code: "database_nearly_full" as const, shard, used_percent: percent }];
  });
}

export function createHealthRoutes(livenessPath: string) {
  return [
    defineRoute(
      {
        method: "get",
        path: livenessPath,
        name: "liveness",
        summary: "Check that the process is alive",
        description: "Answers while the process runs.",
        tag: "Health",
        access: anyone,
        body: none,
        query: none,
        responses: {
          200: {
            description: "The process is alive.",
            body: z.object({ status: z.literal("ok") }),
          },
        },
      },
      async () => respond(200, { status: "ok" as const }),
    ),
    defineRoute(
      {
        method: "get",
        path: "/readyz",
        name: "readiness",
        summary: "Check that D1 and the guard respond",
        description:
          "Answers 200 if the service can serve requests: its databases and guards respond.",
        tag: "Health",
        access: anyone,
        body: none,
        query: none,
        responses: {
          200: {
            description:
              "D1 and the guard respond. `warnings` names databases that are at least 80 % full, and is absent if there are none.",
            body: z.object({
              status: z.literal("ready"),
              warnings: z.array(warning).optional(),
            }),
          },
        },
        errorFields: {
          unavailable: { checks: z.object({ database: z.boolean(), guard: z.boolean() }) },
        },
      },
      async ({ env, config }) => {
        const [database, guard] = await Promise.all([
          runCheck("D1", checkDatabases(env)),
          runCheck("guard", pingGuard(env)),
        ]);
        if ("found" in database && "found" in guard) {
          const warnings = findWarnings(database.found, config.maxDatabaseBytes);
          return respond(200, {
            status: "ready" as const,
            ...(warnings.length === 0 ? {} : { warnings }),
          });
        }
        const problems = [database, guard].flatMap((check) =>
          "problem" in check ? [check.problem] : [],
        );
        throw new AppError("unavailable", {
          message: `Not ready: ${problems.join(" ")}`,
          fields: { checks: { database: "found" in database, guard: "found" in guard } },
        });
      },
    ),
  ];
}
