/**
 * Runs the production bundle of the service in workerd on this machine, with the bindings of wrangler.toml, random
 * secrets, and all data in one folder.
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseEnv } from "node:util";
import { convertV4MiniflareOptions, Miniflare, type V4MiniflareOptions } from "miniflare";
import {
  unstable_getMiniflareWorkerOptions,
  unstable_readConfig,
  unstable_splitSqlQuery,
} from "wrangler";
import { finishWrangler, startWrangler } from "../../packages/cli/src/local/wrangler-process.ts";
import { ensureServiceSecrets } from "../../packages/cli/src/service-secrets.ts";
import { type Config, requireConfig } from "../../src/env.ts";
import { findChildPids } from "./process.ts";

const name = "bench";
/** https://developers.cloudflare.com/workers/platform/limits/#memory */
const maxIsolateMegabytes = 128;
const root = join(import.meta.dirname, "..", "..");

export interface Service {
  readonly url: string;
  readonly operatorToken: string;
  readonly config: Config;
  /** The Worker's bindings, for use outside the Worker. */
  readonly env: Env;
  /** The process with the Worker and its stores; undefined if unknown. */
  readonly pid: number | undefined;
  close(): Promise<void>;
}

/** The Worker's databases: `DB`, and `DB_1` … if there are shards. */
export function databasesOf(env: Env): D1Database[] {
  const names = Object.keys(env).filter((name) => /^DB(_\d+)?$/.test(name));
  return names.map((name): D1Database => Reflect.get(env, name));
}

async function migrate(db: D1Database): Promise<void> {
  const folder = join(root, "migrations");
  for (const file of readdirSync(folder).toSorted()) {
    if (!file.endsWith(".sql")) continue;
    const statements = unstable_splitSqlQuery(readFileSync(join(folder, file), "utf8"));
    await db.batch(statements.map((statement) => db.prepare(statement)));
  }
}

/** Builds the bundle that `wrangler deploy` would upload. @returns the folder with its `index.js` */
export async function bundleService(folder: string, main = "src/index.ts"): Promise<string> {
  const bundle = join(folder, "bundle");
  const build = startWrangler(root, ["deploy", main, "--dry-run", "--outdir", bundle]);
  await finishWrangler(build, "bundle the Worker");
  return bundle;
}

/** The options of every Worker of a bench, with stores in the folder. */
export function benchOptions(folder: string) {
  const state = join(folder, "state");
  mkdirSync(state);
  return {
    resourcePersistencePath: state,
    // Requests skip the development server in front of the Worker.
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    logRequests: false,
    cf: false,
    telemetry: { enabled: false },
  } satisfies Partial<V4MiniflareOptions>;
}

/** Starts a Worker in a process of its own. @returns its process id too, or undefined if unknown */
export async function startWorker(
  options: V4MiniflareOptions,
): Promise<{ readonly miniflare: Miniflare; readonly pid: number | undefined }> {
  // The platform ends an isolate at 128 MB; workerd alone has no bound.
  process.env.MINIFLARE_WORKERD_V8_FLAGS = `--max-heap-size=${maxIsolateMegabytes}`;
  const others = new Set(findChildPids());
  const miniflare = new Miniflare(convertV4MiniflareOptions(options));
  await miniflare.ready;
  const [pid] = findChildPids().filter((candidate) => !others.has(candidate));
  return { miniflare, pid };
}

interface Options {
  /** The folder that `bundleService` returned; built if absent. */
  readonly bundle?: string;
  /** The number of databases besides that of wrangler.toml: DB_1, DB_2 and so on. */
  readonly shards?: number;
  /** The Worker's source, from the root, if it is not the service itself. */
  readonly main?: string;
  /** Whether there is a bucket for archived events and tree heads. */
  readonly hasArchive?: boolean;
}

/** Starts the service on empty stores in the folder. */
export async function startService(
  folder: string,
  { bundle, shards = 0, main = "src/index.ts", hasArchive = false }: Options = {},
): Promise<Service> {
  const secretsFile = join(folder, "secrets");
  const { operatorToken } = ensureServiceSecrets(secretsFile);
  const secrets = parseEnv(readFileSync(secretsFile, "utf8"));
  Object.assign(process.env, {
    // Wrangler reads secrets from the environment, and would otherwise warn of missing ones.
    ...secrets,
    WRANGLER_LOG: "error",
  });

  const modules = bundle ?? (await bundleService(folder, main));
  const configPath = join(root, "wrangler.toml");
  const { vars } = unstable_readConfig({ config: configPath });
  const { workerOptions } = unstable_getMiniflareWorkerOptions(configPath);
  // Locally, two further Workers would pass on each request to a Worker with static pages. The platform routes by itself.
  const { assets: _pages, ...ownOptions } = workerOptions;
  const shardDatabases = Object.fromEntries(
    Array.from({ length: shards }, (_, n) => [`DB_${n + 1}`, `bench-${n + 1}`]),
  );
  const { miniflare, pid } = await startWorker({
    ...ownOptions,
    ...benchOptions(folder),
    ...(hasArchive ? { r2Buckets: { AUDIT_ARCHIVE: "bench" } } : {}),
    ...(shards === 0 ? {} : { d1Databases: { DB: "bench", ...shardDatabases } }),
    name,
    rootPath: modules,
    modulesRoot: modules,
    modules: [{ type: "ESModule", path: join(modules, `${basename(main, ".ts")}.js`) }],
    // These bindings take precedence over a `.dev.vars` that wrangler found.
    bindings: { ...vars, ...secrets },
  });
  const env = await miniflare.getBindings<Env>();
  for (const db of databasesOf(env)) await migrate(db);
  return {
    url: (await miniflare.unsafeGetDirectURL()).origin,
    operatorToken,
    config: requireConfig(env),
    env,
    pid,
    close: () => miniflare.dispose(),
  };
}
