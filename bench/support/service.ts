/**
 * The service as it is deployed, on this machine: the production bundle in workerd, asked over real
 * HTTP. The bindings are those of wrangler.toml, the secrets random, and all data lies in a folder
 * of its own.
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import {
  unstable_getMiniflareWorkerOptions,
  unstable_readConfig,
  unstable_splitSqlQuery,
} from "wrangler";
import { ensureDevVars } from "../../scripts/support/dev-vars.ts";
import { finishWrangler, startWrangler } from "../../scripts/support/wrangler.ts";
import { type Config, configNow } from "../../src/env.ts";
import { childPids } from "./process.ts";

const name = "bench";
/** https://developers.cloudflare.com/workers/platform/limits/#memory */
const isolateMegabytes = 128;
const root = join(import.meta.dirname, "..", "..");

export interface Service {
  readonly url: string;
  readonly operatorToken: string;
  readonly config: Config;
  /** The same bindings that the Worker has, from outside of it. */
  readonly env: Env;
  /** The process that holds the Worker and its stores; undefined where it cannot be told. */
  readonly pid: number | undefined;
  close(): Promise<void>;
}

async function migrate(db: D1Database): Promise<void> {
  const folder = join(root, "migrations");
  for (const file of readdirSync(folder).toSorted()) {
    if (!file.endsWith(".sql")) continue;
    const statements = unstable_splitSqlQuery(readFileSync(join(folder, file), "utf8"));
    await db.batch(statements.map((statement) => db.prepare(statement)));
  }
}

/** Starts the service on empty stores in the folder. */
export async function startService(folder: string): Promise<Service> {
  const secretsFile = join(folder, "secrets");
  const { operatorToken } = ensureDevVars(secretsFile);
  const secrets = parseEnv(readFileSync(secretsFile, "utf8"));
  Object.assign(process.env, {
    // Where wrangler looks for them, so that it does not warn of missing ones, nor say that it did.
    ...secrets,
    WRANGLER_LOG: "error",
    // The platform ends an isolate at 128 MB; workerd would let it grow as the machine allows.
    MINIFLARE_WORKERD_V8_FLAGS: `--max-heap-size=${isolateMegabytes}`,
  });

  const bundle = join(folder, "bundle");
  const build = startWrangler(root, ["deploy", "--dry-run", "--outdir", bundle]);
  await finishWrangler(build, "bundle the Worker");

  const configPath = join(root, "wrangler.toml");
  const { vars } = unstable_readConfig({ config: configPath });
  const { workerOptions } = unstable_getMiniflareWorkerOptions(configPath);
  const state = join(folder, "state");
  mkdirSync(state);
  const others = new Set(childPids());
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...workerOptions,
      name,
      rootPath: bundle,
      modulesRoot: bundle,
      modules: [{ type: "ESModule", path: join(bundle, "index.js") }],
      // Not those that wrangler found: a `.dev.vars` of the project would win over ours.
      bindings: { ...vars, ...secrets },
      resourcePersistencePath: state,
      // Past the server in front of the Worker that development needs.
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      logRequests: false,
      cf: false,
      telemetry: { enabled: false },
    }),
  );
  await miniflare.ready;
  const [pid] = childPids().filter((candidate) => !others.has(candidate));
  const env = await miniflare.getBindings<Env>();
  await migrate(env.DB);
  return {
    url: (await miniflare.unsafeGetDirectURL()).origin,
    operatorToken,
    config: configNow(env),
    env,
    pid,
    close: () => miniflare.dispose(),
  };
}
