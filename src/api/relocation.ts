/** `/v1/tenants/:id/relocation` for the operator: moving a tenant's data to another database. */
import { z } from "zod";
import { runBatch } from "../db/client.ts";
import { controlDb } from "../db/shards.ts";
import { operator } from "../http/access.ts";
import { none, respond, defineRoute } from "../http/route.ts";
import { id, instant, toRfc3339, toRfc3339OrNull } from "../http/schemas.ts";
import { runOnce, operatorScope } from "../idempotency/run-once.ts";
import { relocationPhases } from "../relocation/phase.ts";
import { relocate } from "../relocation/relocate.ts";
import { tableNames } from "../relocation/row-store.ts";
import type { Relocation } from "../relocation/store.ts";

/** Pages in one request: the free plan of the platform allows 50 subrequests. */
const defaultPagesPerRequest = 14;
const maxPagesPerRequest = 200;

const relocationSchema = z
  .object({
    tenant_id: id,
    from: z.int().min(0),
    to: z.int().min(0),
    phase: z.enum(relocationPhases),
    done: z.boolean(),
    table: z.string().nullable().meta({ description: "The one that is copied or compared." }),
    copied: z.int().min(0).meta({ description: "Rows." }),
    started_at: instant,
    switched_at: instant
      .nullable()
      .meta({ description: "From then on the tenant lives in the new database." }),
    finished_at: instant.nullable(),
  })
  .meta({ id: "Relocation" });

function showRelocation(relocation: Relocation): z.input<typeof relocationSchema> {
  const { tenantId, from, to, phase, tableIndex, copied } = relocation;
  const hasTable = phase === "copying" || phase === "comparing";
  return {
    ...{ tenant_id: tenantId, from, to, phase, copied },
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
      summary: "Move a tenant's data to another database: the next slice, from where it was left",
      tag: "Tenancy",
      access: operator,
      body: z.strictObject({
        relocation: z.strictObject({
          shard: z.int().min(0).meta({ description: "0 is `DB`, 1 `DB_1` and so on." }),
          limit: z.int().min(1).max(maxPagesPerRequest).default(defaultPagesPerRequest).meta({
            description: "Pages of rows in this request.",
          }),
        }),
      }),
      query: none,
      responses: {
        200: {
          description:
            "How far it has come. Send it again until it is done: the last part begins a minute after the switch.",
          body: z.object({ relocation: relocationSchema }),
        },
      },
      errors: ["not_found"],
    },
    async (request) => {
      const { shard, limit } = request.body.relocation;
      const db = controlDb(request.env);
      const relocation = await runOnce<Relocation>(request, operatorScope, db, async (remember) => {
        const call = { ...request, now: request.arrivedAt };
        const moved = await relocate(call, request.param("id"), shard, limit);
        await runBatch(db, await remember(moved));
        return moved;
      });
      return respond(200, { relocation: showRelocation(relocation) });
    },
  ),
];
