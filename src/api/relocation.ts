/** `/v1/tenants/:id/relocation`, for the operator: moves a tenant's data to another shard. */
import { z } from "zod";
import { relocationPhases } from "../db/relocation-phase.ts";
import { controlDbOf } from "../db/shards.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { operator } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { id, instant, toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";
import { operatorScope, runOnce } from "../idempotency/run-once.ts";
import { relocate } from "../relocation/relocate.ts";
import { tableNames } from "../relocation/row-store.ts";
import type { Relocation } from "../relocation/store.ts";

/** Pages that one request copies: the platform's free plan allows 50 subrequests. */
const defaultPagesPerRequest = 14;
const maxPagesPerRequest = 200;

const relocationSchema = z
  .object({
    tenant_id: id,
    from: z.int().min(0),
    to: z.int().min(0),
    phase: z.enum(relocationPhases),
    done: z.boolean(),
    table: z
      .string()
      .nullable()
      .meta({ description: "The table that is being copied or compared; null in other phases." }),
    copied: z.int().min(0).meta({ description: "Number of copied rows." }),
    started_at: instant,
    switched_at: instant
      .nullable()
      .meta({ description: "When the tenant's data moved to the new shard; null before." }),
    finished_at: instant.nullable(),
  })
  .meta({ id: "Relocation" });

function showRelocation(relocation: Relocation): z.input<typeof relocationSchema> {
  const { tenantId, from, to, phase, tableIndex, copied } = relocation;
  const hasTable = phase === "copying" || phase === "comparing";
  return {
    tenant_id: tenantId,
    from,
    to,
    phase,
    copied,
    done: phase === "done",
    table: hasTable ? (tableNames[tableIndex] ?? null) : null,
    started_at: toRfc3339(relocation.startedAt),
    switched_at: toRfc3339OrNull(relocation.switchedAt),
    finished_at: toRfc3339OrNull(relocation.finishedAt),
  };
}

export const relocationRoutes = [
  defineRoute(
    {
      method: "post",
      path: "/v1/tenants/:id/relocation",
      name: "relocateTenant",
      summary: "Continue to move a tenant's data to another shard",
      description:
        "Moves a tenant's data to another database, a part with each call. Repeat the call until the phase is `done`.",
      tag: "Tenancy",
      access: operator,
      body: z.strictObject({
        relocation: z.strictObject({
          shard: z
            .int()
            .min(0)
            .meta({ description: "The new shard: 0 is `DB`, 1 is `DB_1` and so on." }),
          limit: z.int().min(1).max(maxPagesPerRequest).default(defaultPagesPerRequest).meta({
            description: "Maximum number of pages of rows that this request processes.",
          }),
        }),
      }),
      query: none,
      responses: {
        200: {
          description:
            "The progress. Repeat the request until `done` is true. The last phase begins a minute after the switch.",
          body: z.object({ relocation: relocationSchema }),
        },
      },
      errors: ["not_found", "tenant_deleting"],
    },
    async (request) => {
      const { shard, limit } = request.body.relocation;
      const db = controlDbOf(request.env);
      const relocation = await runOnce<Relocation>(
        request,
        operatorScope,
        db,
        async (storeResult) => {
          const call = { ...request, now: request.arrivedAt };
          const progress = await relocate(call, request.param("id"), shard, limit);
          await runEssentialBatch(db, await storeResult(progress));
          return progress;
        },
      );
      return respond(200, { relocation: showRelocation(relocation) });
    },
  ),
];
