/** Liveness of the process, and readiness of D1 and the guard. */
import { z } from "zod";
import { listDatabases } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { pingGuard } from "../guard/client.ts";
import { anyone } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { pingDatabase } from "../tenancy/tenant-store.ts";

/** A check that takes longer counts as failed. */
const checkTimeoutMs = 2_000;

async function passes(check: Promise<unknown>): Promise<boolean> {
  return await awaitWithin(checkTimeoutMs, check).then(
    () => true,
    () => false,
  );
}

export function createHealthRoutes(livenessPath: string) {
  return [
    defineRoute(
      {
        method: "get",
        path: livenessPath,
        name: "liveness",
        summary: "Check that the process is alive",
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
        tag: "Health",
        access: anyone,
        body: none,
        query: none,
        responses: {
          200: {
            description: "D1 and the guard respond.",
            body: z.object({ status: z.literal("ready") }),
          },
        },
        errorFields: {
          unavailable: { checks: z.object({ database: z.boolean(), guard: z.boolean() }) },
        },
      },
      async ({ env }) => {
        const [database, guard] = await Promise.all([
          passes(Promise.all(listDatabases(env).map(pingDatabase))),
          passes(pingGuard(env)),
        ]);
        if (database && guard) return respond(200, { status: "ready" as const });
        throw new AppError("unavailable", {
          message: `Not ready: ${[database ? "" : "D1", guard ? "" : "guard"].filter(Boolean).join(" and ")} did not respond; retry later.`,
          fields: { checks: { database, guard } },
        });
      },
    ),
  ];
}
