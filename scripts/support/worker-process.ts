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
  },
});
const { port, ip: hostname, "persist-to": persist, "public-url": publicUrl } = values;

/** Wrangler reads only the secrets from .dev.vars that wrangler.toml requires, and this one is optional. */
function readTokenSigningKeys(): string | undefined {
  const file = join(root, ".dev.vars");
  return existsSync(file) ? parseEnv(readFileSync(file, "utf8")).TOKEN_SIGNING_KEYS : undefined;
}

const tokenSigningKeys = readTokenSigningKeys();

const worker = await unstable_startWorker({
  config: join(root, "wrangler.toml"),
  bindings: {
    ...(tokenSigningKeys && {
      TOKEN_SIGNING_KEYS: { type: "secret_text", value: tokenSigningKeys },
    }),
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
