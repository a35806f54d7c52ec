/** Liveness of the process, and readiness of D1 and the guard. */
import { z } from "zod";
import { requireAllDatabases } from "../db/bound-shards.ts";
import { listDatabases } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { AppError } from "../errors.ts";
import { pingGuard } from "../guard/client.ts";
import { anyone } from "../http/access.ts";
import { defineRoute, none, respond } from "../http/route.ts";
import { pingDatabase } from "../tenancy/tenant-store.ts";

/** A check that takes longer counts as failed. */
const checkTimeoutMs = 2_000;

/** @returns undefined if the check passes, otherwise what is wrong */
async function findProblem(name: string, check: Promise<unknown>): Promise<string | undefined> {
  try {
    await awaitWithin(checkTimeoutMs, check);
    return undefined;
  } catch (error) {
    return error instanceof AppError
      ? "a database that tenants need is not bound"
      : `${name} did not respond`;
  }
}

/** Every database responds, and every database that tenants need is bound. */
async function checkDatabases(env: Env): Promise<void> {
  await Promise.all([...listDatabases(env).map(pingDatabase), requireAllDatabases(env)]);
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
        const problems = await Promise.all([
          findProblem("D1", checkDatabases(env)),
          findProblem("guard", pingGuard(env)),
        ]);
        const [database, guard] = problems.map((problem) => problem === undefined);
        if (database && guard) return respond(200, { status: "ready" as const });
        throw new AppError("unavailable", {
          message: `Not ready: ${problems.filter(Boolean).join(" and ")}; retry later.`,
          fields: { checks: { database, guard } },
        });
      },
    ),
  ];
}
