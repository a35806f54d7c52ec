/** `/v1/stats`. */
import { z } from "zod";
import {
  hourMs,
  hoursPerDay,
  type Metric,
  metricValues,
} from "../audit/statistics/count-events.ts";
import { buildPoints, prefixOf, steps } from "../audit/statistics/points.ts";
import { sumCounts } from "../audit/statistics/store.ts";
import { findTenantDb } from "../db/shards.ts";
import { createInvalidRequest } from "../errors.ts";
import { requirePermission } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { instant, requestInstant, toRfc3339 } from "../http/schemas.ts";
import { count, coverageFields, requireInOrder, showCoverage } from "./statistics-schemas.ts";

const maxPoints = 1_000;
/** Points that an answer has without `from`, besides the one of `to`. */
const defaultPoints = { hour: 24, day: 30 } as const;

const metrics = Object.keys(metricValues).filter((name): name is Metric => name in metricValues);
export const statisticsRoutes = [
  defineRoute(
    {
      method: "get",
      path: "/v1/stats",
      name: "getStatistics",
      summary: "Count the tenant's events by hour or by day",
      description:
        "Counts the events of the trail by hour or day, in UTC. A period without events has zeros.",
      tag: "Audit",
      access: requirePermission("audit:read"),
      body: none,
      query: z.strictObject({
        metric: z.enum(metrics).meta({ description: "What is counted." }),
        step: z.enum(steps).default("day").meta({ description: "The length of each bucket." }),
        from: requestInstant.optional().meta({
          description:
            "The first bucket is the one with this time. Default: 24 hours before `to`, or 30 days with `step=day`.",
        }),
        to: requestInstant.optional().meta({
          description: `The last bucket is the one before or with this time. At most ${maxPoints} buckets. Default: now.`,
        }),
      }),
      responses: {
        200: {
          description:
            "A point for each bucket (UTC) that begins before `to`, the oldest first; zeros where nothing happened.",
          body: z.object({
            metric: z.enum(metrics),
            step: z.enum(steps),
            points: z.array(
              z.object({
                at: instant.meta({ description: "The beginning of the bucket." }),
                values: z
                  .record(z.string(), count)
                  .meta({ examples: [{ success: 12, failure: 3, refused: 1 }] }),
              }),
            ),
            ...coverageFields,
          }),
        },
      },
    },
    async ({ env, caller: { tenantId }, now, query }) => {
      const { metric, step, to = now } = query;
      const hoursPerBucket = step === "day" ? hoursPerDay : 1;
      const bucketMs = hoursPerBucket * hourMs;
      const { from = Math.max(0, to - defaultPoints[step] * bucketMs) } = query;
      requireInOrder({ from, to });
      const first = Math.floor(from / bucketMs);
      const end = Math.ceil(to / bucketMs);
      if (end - first > maxPoints) {
        const message = `must leave at most ${maxPoints} points; ask for a shorter time or a longer step`;
        throw createInvalidRequest([{ path: "from", message }]);
      }
      const range = { from: first * hoursPerBucket, below: end * hoursPerBucket };
      const db = await findTenantDb(env, tenantId);
      const prefix = prefixOf(metric, step);
      const { sums, coverage } = await sumCounts(db, tenantId, range, hoursPerBucket, prefix);
      const points = buildPoints(metric, range, hoursPerBucket, sums);
      return respond(200, {
        metric,
        step,
        points: points.map(({ hour, values }) => ({ at: toRfc3339(hour * hourMs), values })),
        ...showCoverage(coverage),
      });
    },
  ),
];
