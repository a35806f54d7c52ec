/**
 * `npm run deploy`: builds the pages, applies the migrations to every database, and deploys. It uses the configuration of
 * the deployment if `edge-idp setup` has written one, and wrangler.toml otherwise. Its arguments are those of
 * `wrangler deploy`, such as `--secrets-file .prod.vars`.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { writeConsole } from "../console/write-console.ts";
import { configurationFile } from "../packages/cli/src/cloudflare/configuration.ts";
import {
  readBaseConfiguration,
  readConfiguration,
} from "../packages/cli/src/cloudflare/configuration-file.ts";
import { Failure } from "../packages/cli/src/failure.ts";
import { writeReference } from "../packages/reference/write-reference.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");

/** Runs wrangler on this terminal. @throws Failure if it fails */
async function runWrangler(args: readonly string[]): Promise<void> {
  const program = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
  const child = spawn(process.execPath, [program, ...args], { cwd: root, stdio: "inherit" });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Failure(`wrangler ${args[0]} failed (exit code ${code}).`);
}

async function main(): Promise<number> {
  const written = readConfiguration(root);
  const { d1_databases: databases } = written ?? readBaseConfiguration(root);
  const options = written === undefined ? [] : ["--config", configurationFile];
  writeReference();
  await writeConsole();
  // The migrations come first: the new version reads their tables with its first request.
  for (const { binding } of databases) {
    await runWrangler(["d1", "migrations", "apply", binding, "--remote", ...options]);
  }
  await runWrangler(["deploy", ...options, ...process.argv.slice(2)]);
  return 0;
}

await runScript(main);
