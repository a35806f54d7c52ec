/** For the operator: `/v1/tenants/:id/usage`, and the rebuilding of a tenant's statistics. */
import { z } from "zod";
import {
  type HourRange,
  hourMs,
  hourOf,
  hoursPerDay,
  monthOf,
} from "../audit/statistics/count-events.ts";
import { sumUsage } from "../audit/statistics/points.ts";
import { type Coverage, sumCounts } from "../audit/statistics/store.ts";
import { rebuildStatistics } from "../audit/tree/count-backlog.ts";
import { runBatch } from "../db/client.ts";
import { controlDbOf, findShard, findTenantDb } from "../db/shards.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { id, instant, requestInstant, toRfc3339 } from "../http/schemas.ts";
import { operatorScope, runOnce } from "../idempotency/run-once.ts";
import { countIdentities } from "../identity/store.ts";
import { count, coverageFields, requireInOrder, showCoverage } from "./statistics-schemas.ts";

const maxUsageDays = 400;
/** Steps that one request runs: the platform's free plan allows 50 subrequests. */
const defaultStepsPerRequest = 8;
const maxStepsPerRequest = 100;

/** @throws AppError `not_found` */
async function requireTenant(env: Env, tenantId: string): Promise<void> {
  const shard = await findShard(controlDbOf(env), tenantId);
  if (shard === undefined) throw new AppError("not_found");
}

export const usageRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/tenants/:id/usage",
      name: "getUsage",
      summary: "Sum up what a tenant has used",
      description: "Sums up what a tenant has used between two times, in whole hours.",
      tag: "Tenancy",
      access: operator,
      body: none,
      query: z.strictObject({
        from: requestInstant.optional().meta({
          description:
            "Counts from the hour with this time. Default: the start of the month of `to`.",
        }),
        to: requestInstant.optional().meta({
          description: `Counts up to the hour before or with this time, at most ${maxUsageDays} days after \`from\`. Default: now.`,
        }),
      }),
      responses: {
        200: {
          description: "The sums over whole hours (UTC), and what the tenant has now.",
          body: z.object({
            usage: z.object({
              tenant_id: id,
              from: instant,
              to: instant,
              verifications: count.meta({ description: "Codes that were accepted or rejected." }),
              passkeys: count.meta({
                description: "Logins with a passkey that were accepted or rejected.",
              }),
              assessments: count.meta({ description: "Sessions that were assessed." }),
              enrolments: count.meta({ description: "TOTP secrets that were configured." }),
              locks: count.meta({ description: "Locks after too many failures." }),
              requests_refused: count,
              active_users: count.meta({
                description:
                  "Users with an accepted verification. Each counts once in a calendar month (UTC), at the first one.",
              }),
              events: count.meta({ description: "Audit events." }),
              users: count.meta({ description: "Users at this moment." }),
              ...coverageFields,
            }),
          }),
        },
      },
      errors: ["not_found"],
    },
    async ({ env, now, query, param }) => {
      const tenantId = param("id");
      const { to = now } = query;
      const { from = Math.max(0, monthOf(hourOf(to - 1)).from * hourMs) } = query;
      requireInOrder({ from, to });
      const range: HourRange = { from: hourOf(from), below: Math.ceil(to / hourMs) };
      if (range.below - range.from > maxUsageDays * hoursPerDay) {
        const message = `must be at most ${maxUsageDays} days before \`to\``;
        throw createInvalidRequest([{ path: "from", message }]);
      }
      await requireTenant(env, tenantId);
      const db = await findTenantDb(env, tenantId);
      const hours = Math.max(1, range.below - range.from);
      const [{ sums, coverage }, users] = await Promise.all([
        sumCounts(db, tenantId, range, hours),
        countIdentities(db, tenantId),
      ]);
      const { requestsRefused, activeUsers, ...usage } = sumUsage(sums);
      return respond(200, {
        usage: {
          tenant_id: tenantId,
          from: toRfc3339(range.from * hourMs),
          to: toRfc3339(range.below * hourMs),
          ...usage,
          requests_refused: requestsRefused,
          active_users: activeUsers,
          users,
          ...showCoverage(coverage),
        },
      });
    },
  ),
  defineRoute(
    {
      method: "post",
      path: "/v1/tenants/:id/statistics",
      name: "rebuildStatistics",
      summary: "Count the next events of a tenant's trail again",
      description:
        "Counts the events of a tenant again, a part with each call. Repeat the call until it is complete.",
      tag: "Tenancy",
      access: operator,
      body: z.strictObject({
        rebuild: z.strictObject({
          restart: z.boolean().default(false).meta({
            description: "Deletes the tenant's statistics first, and begins with the first event.",
          }),
          limit: z.int().min(1).max(maxStepsPerRequest).default(defaultStepsPerRequest).meta({
            description: "Maximum number of steps of up to 2,000 events in this request.",
          }),
        }),
      }),
      query: none,
      responses: {
        200: {
          description:
            "The progress. Repeat the request without `restart` until `done` is true; otherwise the service continues in the background.",
          body: z.object({
            rebuild: z.object({
              tenant_id: id,
              counted: count.meta({ description: "Events that are counted." }),
              total: count.meta({ description: "Integrated events." }),
              done: z.boolean(),
            }),
          }),
        },
      },
      errors: ["not_found"],
    },
    async (request) => {
      const { env, body, param } = request;
      const { restart: isRestart, limit: steps } = body.rebuild;
      const tenantId = param("id");
      const control = controlDbOf(env);
      const { countedSize, size } = await runOnce<Coverage>(
        request,
        operatorScope,
        control,
        async (storeResult) => {
          await requireTenant(env, tenantId);
          const progress = await rebuildStatistics(env, tenantId, { isRestart, steps });
          await runBatch(control, await storeResult(progress));
          return progress;
        },
      );
      return respond(200, {
        rebuild: {
          tenant_id: tenantId,
          counted: countedSize,
          total: size,
          done: countedSize === size,
        },
      });
    },
  ),
];
