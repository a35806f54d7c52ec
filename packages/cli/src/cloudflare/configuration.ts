/**
 * The configuration of one deployment, `wrangler.prod.toml`. It is derived from wrangler.toml anew each time, so that an
 * upgrade brings new bindings and settings along, and keeps what belongs to the deployment.
 */
import { z } from "zod";

export const configurationFile = "wrangler.prod.toml";

const databaseSchema = z.looseObject({
  binding: z.string(),
  database_name: z.string().optional(),
  database_id: z.string().optional(),
});
const namespaceSchema = z.looseObject({ binding: z.string(), id: z.string().optional() });
const routeSchema = z.looseObject({ pattern: z.string(), custom_domain: z.boolean().optional() });
const bucketSchema = z.looseObject({
  binding: z.string(),
  bucket_name: z.string().optional(),
  jurisdiction: z.string().optional(),
});
const consumerSchema = z.looseObject({ queue: z.string() });
const queuesSchema = z.looseObject({ consumers: z.array(consumerSchema).default([]) });

export const configurationSchema = z.looseObject({
  name: z.string(),
  account_id: z.string().optional(),
  workers_dev: z.boolean().optional(),
  routes: z.array(routeSchema).optional(),
  vars: z.record(z.string(), z.unknown()).default({}),
  d1_databases: z.array(databaseSchema).default([]),
  kv_namespaces: z.array(namespaceSchema).default([]),
  r2_buckets: z.array(bucketSchema).optional(),
  queues: queuesSchema.optional(),
  triggers: z.object({ crons: z.array(z.string()).default([]) }).optional(),
  migrations: z.array(z.looseObject({ tag: z.string() })).default([]),
  secrets: z.object({ required: z.array(z.string()).default([]) }).optional(),
});
export type Configuration = z.output<typeof configurationSchema>;

/** What one deployment has of its own. */
export interface Deployment {
  readonly name: string;
  readonly accountId: string;
  /** The address at which clients reach the service. */
  readonly publicUrl: string;
  /** A host of a zone of the account. Undefined: an address of workers.dev, unless the configuration has routes. */
  readonly domain: string | undefined;
  readonly isFree: boolean;
  readonly hasQueues: boolean;
  readonly hasArchive: boolean;
  readonly jurisdiction: string | undefined;
  /** By binding. */
  readonly databaseIds: ReadonlyMap<string, string>;
  readonly namespaceIds: ReadonlyMap<string, string>;
}

const archiveBinding = "AUDIT_ARCHIVE";

export const queueNamesOf = (name: string) => ({
  deliveries: `${name}-deliveries`,
  dead: `${name}-deliveries-dead`,
});

/** The name of the R2 bucket. */
export const archiveNameOf = (name: string) => `${name}-audit`;

/** The name that wrangler gives a namespace that it provisions itself. */
export function namespaceNameOf(name: string, binding: string): string {
  return `${name}-${binding.toLowerCase().replaceAll("_", "-")}`;
}

/** As in the commented sections of wrangler.toml, which explain the numbers. */
export function createQueues(name: string) {
  const { deliveries, dead } = queueNamesOf(name);
  const batch = { max_batch_size: 100, max_batch_timeout: 1 };
  return {
    producers: [{ binding: "DELIVERIES", queue: deliveries }],
    consumers: [
      {
        queue: deliveries,
        ...batch,
        max_retries: 10,
        max_concurrency: 10,
        dead_letter_queue: dead,
      },
      { queue: dead, ...batch, max_retries: 100, max_concurrency: 1 },
    ],
  };
}

/** The databases of the configuration, and those that the deployment has added: DB_1, DB_2 and so on. */
export function listDatabases(base: Configuration, previous: Configuration | undefined) {
  const isInBase = new Set(base.d1_databases.map(({ binding }) => binding));
  const added = (previous?.d1_databases ?? []).filter(({ binding }) => !isInBase.has(binding));
  const kept = new Map(previous?.d1_databases.map((database) => [database.binding, database]));
  return [
    ...base.d1_databases.map((database) => ({ ...database, ...kept.get(database.binding) })),
    ...added,
  ];
}

/** The variables of wrangler.toml, those that the deployment has set, and the address. */
function deriveVariables(
  base: Configuration,
  previous: Configuration | undefined,
  { isFree, publicUrl, domain }: Deployment,
): Record<string, unknown> {
  const kept = previous?.vars ?? {};
  return {
    ...base.vars,
    ...(isFree ? { MAX_DATABASE_MB: "500" } : {}),
    PUBLIC_URL: publicUrl,
    ...kept,
    ...(domain === undefined ? {} : { PUBLIC_URL: publicUrl }),
  };
}

/** In the order of wrangler.toml, so that the same configuration always has the same text. */
function sortKeys(base: Configuration, derived: Configuration): Configuration {
  const order = Object.keys(base);
  const rankOf = (key: string) => (order.includes(key) ? order.indexOf(key) : order.length);
  const entries = Object.entries(derived);
  entries.sort(([a], [b]) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1));
  return configurationSchema.parse(Object.fromEntries(entries));
}

export function deriveConfiguration(
  base: Configuration,
  previous: Configuration | undefined,
  deployment: Deployment,
): Configuration {
  const { name, domain, jurisdiction } = deployment;
  // What wrangler.toml does not have, such as `limits`, stays as it is.
  const routing =
    domain === undefined
      ? {}
      : { workers_dev: false, routes: [{ pattern: domain, custom_domain: true }] };
  const bucket = {
    binding: archiveBinding,
    bucket_name: archiveNameOf(name),
    ...(jurisdiction === undefined ? {} : { jurisdiction }),
  };
  const buckets = previous?.r2_buckets ?? base.r2_buckets;
  return sortKeys(base, {
    ...previous,
    ...base,
    name,
    account_id: deployment.accountId,
    ...routing,
    vars: deriveVariables(base, previous, deployment),
    d1_databases: listDatabases(base, previous).map((database) => ({
      ...database,
      database_name: database.database_id === undefined ? name : (database.database_name ?? name),
      database_id: database.database_id ?? deployment.databaseIds.get(database.binding),
    })),
    kv_namespaces: base.kv_namespaces.map((namespace) => ({
      ...namespace,
      id: deployment.namespaceIds.get(namespace.binding),
    })),
    ...(deployment.hasArchive ? { r2_buckets: buckets ?? [bucket] } : {}),
    ...(deployment.hasQueues
      ? { queues: base.queues ?? previous?.queues ?? queuesSchema.parse(createQueues(name)) }
      : {}),
  });
}
