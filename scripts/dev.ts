/**
 * `npm run dev`: runs the whole service on this machine. Creates what a fresh clone lacks (secrets, tables, a demo
 * tenant) and keeps what exists.
 *
 * Its options are `--port`, `--ip`, `--persist-to` and `--trace`.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { writeConsole } from "../console/write-console.ts";
import { Failure } from "../packages/cli/src/failure.ts";
import { findFreePort, isPortFree } from "../packages/cli/src/local/port.ts";
import { ensureServiceSecrets } from "../packages/cli/src/service-secrets.ts";
import { writeReference } from "../packages/reference/write-reference.ts";
import { runClock } from "./support/clock.ts";
import {
  type LocalService,
  type LocalServiceOptions,
  startLocalService,
} from "./support/local-service.ts";
import { whenNpmEnds } from "./support/parent.ts";
import { runScript } from "./support/run-script.ts";
import { createDemoTenant, isTokenAccepted, limitDemoData } from "./support/service.ts";

const root = join(import.meta.dirname, "..");
const devVarsFile = join(root, ".dev.vars");
const demoFile = join(root, ".dev", "demo.env");
const defaultPort = 8787;

/** @throws Failure for an unknown option, one without a value, and a port that is none */
function parseOptions(args: readonly string[]): LocalServiceOptions {
  const own = new Map<string, string>();
  let storesTraces = false;
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    if (argument === "--trace") {
      storesTraces = true;
      continue;
    }
    const [, name, inline] = /^--(port|ip|persist-to)(?:=(.*))?$/.exec(argument) ?? [];
    if (name === undefined) {
      throw new Failure(
        `npm run dev has no option ${argument}. It has --port, --ip, --persist-to and --trace.`,
      );
    }
    if (inline === undefined) index += 1;
    const value = inline ?? args[index];
    if (!value) throw new Failure(`--${name} needs a value.`);
    own.set(name, value);
  }
  const port = own.get("port") ?? String(defaultPort);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new Failure(`--port ${port}: expected a number from 0 to 65535.`);
  }
  return {
    port: Number(port),
    ip: own.get("ip") ?? "127.0.0.1",
    dataFolder: own.get("persist-to"),
    storesTraces,
  };
}

/** Checks that the port is free, and returns it. @throws Failure if another process has it */
async function claimPort(port: number, ip: string): Promise<number> {
  if (port === 0) return await findFreePort();
  const host = ip === "*" ? "0.0.0.0" : ip;
  const isFree = await isPortFree(port, host).catch((error: Error) => {
    throw new Failure(`Cannot listen on ${ip}, port ${port}: ${error.message}.`);
  });
  if (isFree) return port;
  throw new Failure(
    `Port ${port} is in use; stop the process that has it, or choose another: npm run dev -- --port ${port + 1}`,
  );
}

/** Returns the demo tenant's token from the last start if the service accepts it, or creates a tenant. */
async function ensureDemoToken(url: string, operatorToken: string): Promise<string> {
  const text = existsSync(demoFile) ? readFileSync(demoFile, "utf8") : "";
  const { IDP_TOKEN: token } = parseEnv(text);
  if (token && (await isTokenAccepted(url, token))) return token;
  const created = await createDemoTenant(url, operatorToken);
  await limitDemoData(url, created);
  return created;
}

function writeDemoFile(url: string, token: string): void {
  mkdirSync(join(root, ".dev"), { recursive: true });
  writeFileSync(demoFile, `IDP_URL=${url}\nIDP_TOKEN=${token}\n`, { mode: 0o600 });
  // The mode above applies only to a new file.
  chmodSync(demoFile, 0o600);
}

function formatGreeting(url: string, token: string): string {
  return `
Edge IDP is running.

  Address  ${url}
  Docs     ${url}/docs
  Console  ${url}/console
  Token    ${token}
           of the tenant "Demo"; .dev/demo.env holds it and the address

Try it in another terminal:

  curl -s "${url}/v1/idp/users?limit=1" -H "Authorization: Bearer ${token}"

Ctrl-C stops it and keeps all data.

`;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const port = await claimPort(options.port, options.ip);

  const stopping = new AbortController();
  const stop = () => stopping.abort();
  // Ctrl-C, a request from another process, a closed terminal.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  whenNpmEnds(stop);

  let service: LocalService | undefined;
  try {
    const { added, operatorToken } = ensureServiceSecrets(devVarsFile);
    if (added.length > 0) process.stdout.write(`Created in .dev.vars: ${added.join(", ")}\n`);

    writeReference();
    await writeConsole();
    service = await startLocalService({ ...options, port }, stopping.signal, (text) =>
      process.stdout.write(`${text}\n`),
    );
    if (service === undefined) return 0;
    const { url, process: worker, died } = service;
    const ready = service.waitUntilReady().then(async () => {
      if (stopping.signal.aborted) return;
      const token = await ensureDemoToken(url, operatorToken);
      writeDemoFile(url, token);
      worker.showOutput();
      process.stdout.write(formatGreeting(url, token));
      void runClock(url, stopping.signal);
    });
    try {
      const code = await Promise.race([died, ready]);
      if (code !== undefined) return code;
    } catch (error) {
      if (stopping.signal.aborted) return 0;
      process.stderr.write(`${worker.heldOutput()}\n`);
      throw error;
    } finally {
      // A later rejection needs no handling.
      ready.catch(() => {});
    }
    return await died;
  } finally {
    stopping.abort();
    await service?.process.stop();
  }
}

await runScript(main);
process.exit();
