/**
 * Runs the Worker with wrangler's development server until a signal ends it. `wrangler dev` does the same, but always
 * with its inspector, which keeps every line that the Worker logs in memory until a debugger connects, and it ends when
 * one connection between its processes is lost.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, parseEnv } from "node:util";
import { unstable_startWorker } from "wrangler";

const root = join(import.meta.dirname, "..", "..");

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    ip: { type: "string" },
    "persist-to": { type: "string" },
    "public-url": { type: "string" },
    "secrets-file": { type: "string" },
  },
});
const { port, ip: hostname, "persist-to": persist, "public-url": publicUrl } = values;
const { "secrets-file": secretsFile } = values;

/** Wrangler reads only the secrets from .dev.vars that wrangler.toml requires, and this one is optional. */
function readDevSecrets(): Record<string, string | undefined> {
  const file = join(root, ".dev.vars");
  if (!existsSync(file)) return {};
  return { TOKEN_SIGNING_KEYS: parseEnv(readFileSync(file, "utf8")).TOKEN_SIGNING_KEYS };
}

/** All secrets of another file, except the witness of another service, which must not receive what this one signs. */
function readSecrets(file: string): Record<string, string | undefined> {
  const { AUDIT_WITNESS_URL: _, ...secrets } = parseEnv(readFileSync(file, "utf8"));
  return secrets;
}

const secrets = secretsFile === undefined ? readDevSecrets() : readSecrets(secretsFile);

const worker = await unstable_startWorker({
  config: join(root, "wrangler.toml"),
  bindings: {
    ...Object.fromEntries(
      Object.entries(secrets).flatMap(([name, value]) =>
        value ? [[name, { type: "secret_text" as const, value }]] : [],
      ),
    ),
    ...(publicUrl !== undefined && { PUBLIC_URL: { type: "plain_text", value: publicUrl } }),
  },
  dev: {
    remote: false,
    inspector: false,
    server: { port: Number(port), ...(hostname === undefined ? {} : { hostname }) },
    ...(persist === undefined ? {} : { persist }),
  },
});

process.once("SIGTERM", async () => {
  await worker.dispose();
  process.exit();
});
