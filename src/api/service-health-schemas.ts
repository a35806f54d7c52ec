/** The measurements of `/v1/health`. */
import { z } from "zod";
import { triggers } from "../db/run-times.ts";
import { instant } from "../http/schemas.ts";

export const partNames = [
  ...(["size", "migrations", "events", "deliveries", "witness"] as const),
  ...(["guard", "runs", "clocks", "destinations"] as const),
] as const;
export type PartName = (typeof partNames)[number];

export const waiting = z
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

export const healthSchema = z.object({
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
export type Health = z.input<typeof healthSchema>;
