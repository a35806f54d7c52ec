/** Liveness, and readiness of D1 and the guard. */
import { z } from "zod";
import { listDatabases } from "../db/shards.ts";
import { within } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { pingGuard } from "../guard/client.ts";
import { anybody } from "../http/access.ts";
import { none, reply, route } from "../http/route.ts";
import { pingDatabase } from "../tenancy/tenant-store.ts";

/** What does not answer within this is out of reach. */
const checkTimeoutMs = 2_000;

async function answers(check: Promise<unknown>): Promise<boolean> {
  return await within(checkTimeoutMs, check).then(
    () => true,
    () => false,
  );
}

export function healthRoutes(livenessPath: string) {
  return [
    route(
      {
        method: "get",
        path: livenessPath,
        name: "liveness",
        summary: "The process is alive",
        tag: "Health",
        access: anybody,
        body: none,
        query: none,
        answers: {
          200: { description: "Alive.", body: z.object({ status: z.literal("ok") }) },
        },
      },
      async () => reply(200, { status: "ok" as const }),
    ),
    route(
      {
        method: "get",
        path: "/readyz",
        name: "readiness",
        summary: "D1 and the guard answer",
        tag: "Health",
        access: anybody,
        body: none,
        query: none,
        answers: {
          200: { description: "Ready.", body: z.object({ status: z.literal("ready") }) },
        },
        errorFields: {
          unavailable: { checks: z.object({ database: z.boolean(), guard: z.boolean() }) },
        },
      },
      async ({ env }) => {
        const [database, guard] = await Promise.all([
          answers(Promise.all(listDatabases(env).map(pingDatabase))),
          answers(pingGuard(env)),
        ]);
        if (database && guard) return reply(200, { status: "ready" as const });
        throw new AppError("unavailable", {
          sentence: `Out of reach: ${[database ? "" : "D1", guard ? "" : "guard"].filter(Boolean).join(" and ")}; try again.`,
          fields: { checks: { database, guard } },
        });
      },
    ),
  ];
}
