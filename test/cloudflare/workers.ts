/** The routes of Workers: scripts, versions, deployments and secrets. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Account, Script, Version } from "./account.ts";
import { fail, succeed } from "./answer.ts";
import type { Call, Route } from "./route.ts";
import { withScript } from "./with-script.ts";

const bindingSchema = z.looseObject({ name: z.string(), type: z.string() });
const metadataSchema = z.looseObject({
  bindings: z.array(bindingSchema),
  annotations: z.record(z.string(), z.string()).default({}),
  keep_bindings: z.array(z.string()).default([]),
  migrations: z.object({ old_tag: z.string().optional(), new_tag: z.string() }).optional(),
  main_module: z.string().optional(),
});
const secretSchema = z.object({ name: z.string(), text: z.string() });
const deploymentSchema = z.object({
  versions: z.array(z.object({ version_id: z.string(), percentage: z.number() })).length(1),
  annotations: z.record(z.string(), z.string()).default({}),
});

const wrongTag = () => fail(412, 10079, "Actor migration tag precondition failed.");
const at = "2026-11-30T00:00:00.000000Z";

async function readForm({ body, contentType }: Call): Promise<FormData> {
  return await new Response(new Uint8Array(body), {
    headers: { "content-type": contentType },
  }).formData();
}

/** @throws Error if a binding names a resource that does not exist */
function requireResource(account: Account, binding: z.output<typeof bindingSchema>): void {
  const exists = {
    d1: () => account.databases.has(String(binding.database_id ?? binding.id)),
    kv_namespace: () => account.namespaces.has(String(binding.namespace_id)),
    r2_bucket: () => account.buckets.has(String(binding.bucket_name)),
    queue: () => [...account.queues.values()].some(({ name }) => name === binding.queue_name),
  }[binding.type];
  if (exists !== undefined && !exists()) throw new Error(`binding ${binding.name} has no resource`);
}

/**
 * Adds a version as an upload describes it. Secrets that the upload does not name stay.
 * @returns undefined if the upload's migrations of Durable Objects do not continue those of the script
 */
async function addVersion(
  account: Account,
  script: Script,
  call: Call,
): Promise<Version | undefined> {
  const form = await readForm(call);
  const metadata = metadataSchema.parse(JSON.parse(String(form.get("metadata"))));
  const { migrations, bindings, annotations } = metadata;
  const [newest] = script.versions;
  const tag = newest?.migrationTag ?? null;
  if (migrations !== undefined && (migrations.old_tag ?? null) !== tag) return undefined;
  const secrets = new Map(metadata.keep_bindings.includes("secret_text") ? newest?.secrets : []);
  const bound: Version["bindings"][number][] = [];
  for (const binding of bindings) {
    if (binding.type === "secret_text") {
      const { name, text } = secretSchema.parse(binding);
      secrets.set(name, text);
    } else if (binding.type === "inherit") {
      // As it is in the version before.
      const inherited = newest?.bindings.find(({ name }) => name === binding.name);
      if (inherited !== undefined) bound.push(inherited);
    } else {
      requireResource(account, binding);
      bound.push(binding);
    }
  }
  const version: Version = {
    id: randomUUID(),
    number: script.versions.length + 1,
    annotations,
    bindings: bound,
    secrets,
    migrationTag: migrations?.new_tag ?? tag,
    hasCode: metadata.main_module !== undefined && form.get(metadata.main_module) !== null,
  };
  script.versions.unshift(version);
  return version;
}

function deploy(script: Script, versionId: string, annotations: Readonly<Record<string, string>>) {
  const deployment = { id: randomUUID(), versionId, annotations };
  script.deployments.unshift(deployment);
  return deployment;
}

const showVersion = ({ id, number, annotations, bindings, secrets, migrationTag }: Version) => ({
  id,
  number,
  annotations,
  metadata: { created_on: at, modified_on: at, source: "wrangler", author_email: "a@example.com" },
  resources: {
    bindings: [...bindings, ...[...secrets.keys()].map((name) => ({ name, type: "secret_text" }))],
    script: { etag: id, handlers: ["fetch", "scheduled", "queue"], last_deployed_from: "wrangler" },
    script_runtime: { migration_tag: migrationTag, usage_model: "standard" },
  },
});

const showDeployment = ({ id, versionId, annotations }: Script["deployments"][number]) => ({
  id,
  source: "wrangler",
  strategy: "percentage",
  author_email: "a@example.com",
  created_on: at,
  annotations,
  versions: [{ version_id: versionId, percentage: 100 }],
});

const workers = "/accounts/:account/workers";
const ofScript = `${workers}/scripts/:script`;

export const workerRoutes: readonly Route[] = [
  {
    method: "GET",
    path: `${workers}/services/:script`,
    answer: withScript((account, script) =>
      succeed({
        id: script.name,
        default_environment: {
          environment: "production",
          created_on: at,
          modified_on: at,
          script: {
            id: script.name,
            tag: script.name,
            tags: [],
            migration_tag: account.findActiveVersion(script)?.migrationTag ?? undefined,
            last_deployed_from: "wrangler",
            modified_on: at,
          },
        },
      }),
    ),
  },
  {
    method: "PUT",
    path: ofScript,
    writes: true,
    answer: async (account, call) => {
      const name = call.parameters.script ?? "";
      const script = account.scripts.get(name) ?? account.createScript(name);
      const version = await addVersion(account, script, call);
      if (version === undefined) return wrongTag();
      const { id: deployment_id } = deploy(script, version.id, version.annotations);
      return succeed({
        id: name,
        etag: version.id,
        pipeline_hash: version.id,
        mutable_pipeline_id: null,
        deployment_id,
        startup_time_ms: 1,
        available_on_subdomain: script.isOnWorkersDev,
      });
    },
  },
  {
    method: "POST",
    path: `${ofScript}/versions`,
    writes: true,
    answer: withScript(async (account, script, call) => {
      const version = await addVersion(account, script, call);
      if (version === undefined) return wrongTag();
      return succeed({ ...showVersion(version), startup_time_ms: 1 });
    }),
  },
  {
    method: "GET",
    path: `${ofScript}/versions`,
    answer: withScript((_account, { versions }) => succeed({ items: versions.map(showVersion) })),
  },
  {
    method: "GET",
    path: `${ofScript}/versions/:version`,
    answer: withScript((_account, { versions }, { parameters }) => {
      const version = versions.find(({ id }) => id === parameters.version);
      return version === undefined
        ? fail(404, 10222, "Version not found")
        : succeed(showVersion(version));
    }),
  },
  {
    method: "GET",
    path: `${ofScript}/deployments`,
    answer: withScript((_account, { deployments }) =>
      succeed({ deployments: deployments.map(showDeployment) }),
    ),
  },
  {
    method: "POST",
    path: `${ofScript}/deployments`,
    writes: true,
    answer: withScript((account, script, call) => {
      const body = deploymentSchema.parse(JSON.parse(call.body.toString("utf8")));
      const wanted = script.versions.find(({ id }) => id === body.versions[0]?.version_id);
      if (wanted === undefined) return fail(404, 10222, "Version not found");
      if (wanted.migrationTag !== account.findActiveVersion(script)?.migrationTag) {
        return fail(400, 10210, "Cannot deploy a version across a Durable Object migration.");
      }
      return succeed(showDeployment(deploy(script, wanted.id, body.annotations)));
    }),
  },
  {
    method: "GET",
    path: `${ofScript}/secrets`,
    answer: withScript((_account, { versions }) =>
      succeed(
        [...(versions[0]?.secrets.keys() ?? [])].map((name) => ({ name, type: "secret_text" })),
      ),
    ),
  },
  {
    method: "GET",
    path: `${ofScript}/settings`,
    answer: withScript((account, script) => {
      const active = account.findActiveVersion(script);
      return succeed({
        bindings: active === undefined ? [] : showVersion(active).resources.bindings,
      });
    }),
  },
  {
    method: "PATCH",
    path: `${ofScript}/script-settings`,
    writes: true,
    answer: withScript((_account, script, { body }) => {
      script.observability = JSON.parse(body.toString("utf8"));
      return succeed(script.observability);
    }),
  },
];
