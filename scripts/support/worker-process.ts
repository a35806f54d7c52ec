/**
 * Runs the Worker with wrangler's development server until a signal ends it. `wrangler dev` does the same, but always
 * with its inspector, which keeps every line that the Worker logs in memory until a debugger connects, and it ends when
 * one connection between its processes is lost.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { unstable_startWorker } from "wrangler";

const root = join(import.meta.dirname, "..", "..");

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    ip: { type: "string" },
    "persist-to": { type: "string" },
  },
});
const { port, ip: hostname, "persist-to": persist } = values;

const worker = await unstable_startWorker({
  config: join(root, "wrangler.toml"),
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
