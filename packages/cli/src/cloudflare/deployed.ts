/** What is deployed now: the active version, and the triggers around it. */
import { z } from "zod";
import type { Configuration } from "./configuration.ts";
import type { Login } from "./login.ts";

const deploymentsSchema = z.object({
  deployments: z.array(
    z.object({
      versions: z.array(z.object({ version_id: z.string(), percentage: z.number() })),
    }),
  ),
});

const versionSchema = z.object({
  id: z.string(),
  annotations: z.record(z.string(), z.unknown()).nullish(),
  resources: z.object({
    bindings: z.array(z.object({ name: z.string(), type: z.string() })).default([]),
    script_runtime: z.object({ migration_tag: z.string().nullish() }).nullish(),
  }),
});

export interface DeployedVersion {
  readonly id: string;
  /** The fingerprint; undefined if another tool has deployed it. */
  readonly tag: string | undefined;
  /** The newest migration of Durable Objects that has been applied. */
  readonly migrationTag: string | undefined;
  readonly secretNames: readonly string[];
}

/** Undefined if nothing is deployed. Of a gradual deployment, the version that most requests reach. */
export async function findDeployedVersion(
  { api, accountId }: Login,
  name: string,
): Promise<DeployedVersion | undefined> {
  const path = `/accounts/${accountId}/workers/scripts/${name}`;
  const found = await api.find(`${path}/deployments`, deploymentsSchema);
  const versions = found?.deployments[0]?.versions ?? [];
  const [active] = [...versions].sort((a, b) => b.percentage - a.percentage);
  if (active === undefined) return undefined;
  const version = await api.get(`${path}/versions/${active.version_id}`, versionSchema);
  const tag = version.annotations?.["workers/tag"];
  return {
    id: version.id,
    tag: typeof tag === "string" ? tag : undefined,
    migrationTag: version.resources.script_runtime?.migration_tag ?? undefined,
    secretNames: version.resources.bindings
      .filter(({ type }) => type === "secret_text")
      .map(({ name: secret }) => secret),
  };
}

const schedulesSchema = z.object({ schedules: z.array(z.object({ cron: z.string() })) });
const subdomainSchema = z.object({ enabled: z.boolean() });
const domainsSchema = z.array(z.object({ hostname: z.string(), service: z.string() }));
const queueSchema = z.object({
  queue_name: z.string(),
  consumers: z
    .array(z.object({ script: z.string().nullish(), service: z.string().nullish() }))
    .nullish(),
});

/**
 * Names the triggers that the configuration has and the deployed Worker lacks: wrangler sets them after it has deployed a
 * version, so an interruption can come between.
 */
export async function findMissingTriggers(
  { api, accountId }: Login,
  { name, triggers, routes, workers_dev: onWorkersDev, queues }: Configuration,
): Promise<string[]> {
  const ofAccount = `/accounts/${accountId}`;
  const path = `${ofAccount}/workers/scripts/${name}`;
  const missing: string[] = [];

  const { schedules } = await api.get(`${path}/schedules`, schedulesSchema);
  const crons = new Set(schedules.map(({ cron }) => cron));
  const wantedCrons = triggers?.crons ?? [];
  if (wantedCrons.some((cron) => !crons.has(cron))) missing.push("cron triggers");

  if (onWorkersDev ?? routes === undefined) {
    const { enabled } = await api.get(`${path}/subdomain`, subdomainSchema);
    if (!enabled) missing.push("the address of workers.dev");
  }
  const hosts = (routes ?? []).filter((route) => route.custom_domain === true);
  if (hosts.length > 0) {
    const domains = await api.get(`${ofAccount}/workers/domains?service=${name}`, domainsSchema);
    const present = new Set(domains.map(({ hostname }) => hostname));
    if (hosts.some(({ pattern }) => !present.has(pattern))) missing.push("the domain");
  }
  for (const { queue: queueName } of queues?.consumers ?? []) {
    const listPath = `${ofAccount}/queues?name=${encodeURIComponent(queueName)}`;
    const found = await api.list(listPath, queueSchema);
    const consumers = found.find((queue) => queue.queue_name === queueName)?.consumers ?? [];
    if (!consumers.some(({ script, service }) => script === name || service === name)) {
      missing.push(`the consumer of ${queueName}`);
    }
  }
  return missing;
}
