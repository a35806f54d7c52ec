/** Makes the resources of a service, and writes the configuration that binds them. */
import { z } from "zod";
import { Failure } from "../failure.ts";
import {
  archiveNameOf,
  type Configuration,
  configurationFile,
  deriveConfiguration,
  listDatabases,
  namespaceNameOf,
  queueNamesOf,
} from "./configuration.ts";
import {
  formatConfiguration,
  isConfigurationWritten,
  writeConfiguration,
} from "./configuration-file.ts";
import { requireFreeHost } from "./host.ts";
import { ensureBucket, ensureDatabase, ensureNamespaces, ensureQueue } from "./resources.ts";
import type { Steps } from "./steps.ts";
import type { Target } from "./target.ts";

const daySeconds = 86_400;
/** docs/scale.md: the dead-letter queue keeps messages for as long as Cloudflare allows. */
const retentionSeconds = { deliveries: 4 * daySeconds, dead: 14 * daySeconds };

const subdomainSchema = z.object({ subdomain: z.string() });

export interface Wishes {
  /** A host of a zone of the account. */
  readonly domain?: string | undefined;
  readonly isFree?: boolean;
  readonly wantsQueues?: boolean;
  readonly wantsArchive?: boolean;
  readonly jurisdiction?: "eu" | undefined;
}

export interface Provisioned {
  readonly configuration: Configuration;
  readonly text: string;
  readonly publicUrl: string;
}

/** @throws Failure if the account has no address on workers.dev and none is configured */
async function findPublicUrl(
  { login: { api, accountId }, previous, name }: Target,
  domain: string | undefined,
): Promise<string> {
  if (domain !== undefined) return `https://${domain}`;
  const configured = previous?.vars.PUBLIC_URL;
  if (typeof configured === "string" && configured !== "") return configured;
  const found = await api.find(`/accounts/${accountId}/workers/subdomain`, subdomainSchema);
  if (found !== undefined) return `https://${name}.${found.subdomain}.workers.dev`;
  throw new Failure(
    "The account has no subdomain of workers.dev yet: choose one at " +
      `https://dash.cloudflare.com/${accountId}/workers/onboarding, or name a host of your own with --domain.`,
  );
}

async function ensureDatabases(target: Target, steps: Steps, jurisdiction: string | undefined) {
  const ids = new Map<string, string>();
  for (const { binding, database_name, database_id: id } of listDatabases(
    target.base,
    target.previous,
  )) {
    const name = id === undefined ? target.name : (database_name ?? binding);
    ids.set(binding, await ensureDatabase(target.login, steps, { name, id, jurisdiction }));
  }
  return ids;
}

async function ensureAllNamespaces({ login, base, previous, name }: Target, steps: Steps) {
  const kept = new Map(previous?.kv_namespaces.map(({ binding, id }) => [binding, id]));
  const wanted = base.kv_namespaces.map(({ binding, id }) => ({
    name: namespaceNameOf(name, binding),
    id: kept.get(binding) ?? id,
  }));
  const ids = await ensureNamespaces(login, steps, wanted);
  return new Map(base.kv_namespaces.map(({ binding }, index) => [binding, ids[index] ?? ""]));
}

/** The custom domains that the Worker is to have. */
function listHosts(previous: Configuration | undefined, domain: string | undefined): string[] {
  if (domain !== undefined) return [domain];
  const routes = (previous?.routes ?? []).filter((route) => route.custom_domain === true);
  return routes.map(({ pattern }) => pattern);
}

/** Creates what is missing, and writes the configuration if it changes. */
export async function provision(
  target: Target,
  steps: Steps,
  wishes: Wishes,
): Promise<Provisioned> {
  const { login, base, previous, name, project } = target;
  const { domain, isFree = false, jurisdiction } = wishes;
  const hasQueues = wishes.wantsQueues === true || previous?.queues !== undefined;
  const hasArchive = wishes.wantsArchive === true || previous?.r2_buckets !== undefined;
  if (isFree && hasQueues) {
    throw new Failure(
      "Workers Free keeps messages of queues for a day only, so --queues needs Workers Paid.",
    );
  }
  for (const host of listHosts(previous, domain)) await requireFreeHost(login, name, host);
  const publicUrl = await findPublicUrl(target, domain);
  const databaseIds = await ensureDatabases(target, steps, jurisdiction);
  const namespaceIds = await ensureAllNamespaces(target, steps);
  if (hasQueues) {
    const names = queueNamesOf(name);
    await ensureQueue(login, steps, names.deliveries, retentionSeconds.deliveries);
    await ensureQueue(login, steps, names.dead, retentionSeconds.dead);
  }
  if (hasArchive) {
    const [bucket] = previous?.r2_buckets ?? [];
    const bucketName = bucket?.bucket_name ?? archiveNameOf(name);
    await ensureBucket(login, steps, bucketName, bucket?.jurisdiction ?? jurisdiction);
  }
  const configuration = deriveConfiguration(base, previous, {
    name,
    accountId: login.accountId,
    publicUrl,
    domain,
    isFree,
    hasQueues,
    hasArchive,
    jurisdiction,
    databaseIds,
    namespaceIds,
  });
  const text = formatConfiguration(configuration);
  if (isConfigurationWritten(project, text)) steps.note(configurationFile, "up to date");
  else
    await steps.change(configurationFile, "written", async () => writeConfiguration(project, text));
  return { configuration, text, publicUrl };
}
