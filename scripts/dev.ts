/**
 * `npm run dev`: runs the whole service on this machine. Creates what a fresh clone lacks (secrets, tables, a demo
 * tenant) and keeps what exists.
 *
 * This script reads `--port`, `--ip` and `--persist-to`, and passes every other argument to `wrangler dev`.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { writeReference } from "../packages/reference/write-reference.ts";
import { runClock } from "./support/clock.ts";
import { ensureDevVars } from "./support/dev-vars.ts";
import { Failure, runScript } from "./support/failure.ts";
import { whenNpmEnds } from "./support/parent.ts";
import { findFreePort, isPortFree } from "./support/port.ts";
import { createDemoTenant, isTokenAccepted, waitUntilReady } from "./support/service.ts";
import { finishWrangler, type Running, startWrangler } from "./support/wrangler.ts";

const root = join(import.meta.dirname, "..");
const devVarsFile = join(root, ".dev.vars");
const demoFile = join(root, ".dev", "demo.env");
const defaultPort = 8787;

interface Options {
  /** 0 means any free port. */
  readonly port: number;
  readonly ip: string;
  /** Wrangler's option for the folder of the data; empty for its default. */
  readonly persistence: readonly string[];
  /** Arguments for `wrangler dev`. */
  readonly rest: readonly string[];
}

function parseOptions(args: readonly string[]): Options {
  const own = new Map<string, string>();
  const rest: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    const [, name, inline] = /^--(port|ip|persist-to)(?:=(.*))?$/.exec(argument) ?? [];
    if (name === undefined) {
      rest.push(argument);
      continue;
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
  const directory = own.get("persist-to");
  return {
    port: Number(port),
    ip: own.get("ip") ?? "127.0.0.1",
    persistence: directory === undefined ? [] : ["--persist-to", directory],
    rest,
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

/** The URL at which this machine reaches a server that listens on `ip`. */
function addressOf(ip: string, port: number): string {
  const reachable = ["*", "0.0.0.0", "::"].includes(ip) ? "127.0.0.1" : ip;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** Returns the demo tenant's token from the last start if the service accepts it, or creates a tenant. */
async function ensureDemoToken(url: string, operatorToken: string): Promise<string> {
  const text = existsSync(demoFile) ? readFileSync(demoFile, "utf8") : "";
  const { IDP_TOKEN: token } = parseEnv(text);
  if (token && (await isTokenAccepted(url, token))) return token;
  return await createDemoTenant(url, operatorToken);
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
  Token    ${token}
           of the tenant "Demo"; .dev/demo.env holds it and the address

Try it in another terminal:

  curl -s "${url}/v1/idp/users?limit=1" -H "Authorization: Bearer ${token}"

Ctrl-C stops it and keeps all data.

`;
}

async function main(): Promise<number> {
  const { port: requestedPort, ip, persistence, rest } = parseOptions(process.argv.slice(2));
  const port = await claimPort(requestedPort, ip);
  const url = addressOf(ip, port);

  const stopping = new AbortController();
  let running: Running | undefined;
  const stop = () => {
    stopping.abort();
    void running?.stop();
  };
  // Ctrl-C, a request from another process, a closed terminal.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  whenNpmEnds(stop);

  try {
    const { added, operatorToken } = ensureDevVars(devVarsFile);
    if (added.length > 0) process.stdout.write(`Created in .dev.vars: ${added.join(", ")}\n`);

    writeReference();
    process.stdout.write("Applying migrations …\n");
    running = startWrangler(root, [
      ...["d1", "migrations", "apply", "DB", "--local"],
      ...persistence,
    ]);
    await finishWrangler(running, "apply the migrations").catch((error) => {
      if (!stopping.signal.aborted) throw error;
    });
    if (stopping.signal.aborted) return 0;

    process.stdout.write("Starting the service …\n");
    running = startWrangler(root, [
      ...["dev", "--local", "--ip", ip, "--port", String(port)],
      ...["--inspector-port", "0", "--show-interactive-dev-session=false"],
      ...persistence,
      ...rest,
    ]);
    const service = running;
    const died = service.ended.then((code) => {
      if (stopping.signal.aborted) return 0;
      process.stderr.write(`${service.heldOutput()}\nThe service stopped unexpectedly.\n`);
      // Wrangler exits with 0 even if its child was killed; without a request to stop that is a failure.
      return code || 1;
    });
    const ready = waitUntilReady(url, stopping.signal).then(async () => {
      if (stopping.signal.aborted) return;
      const token = await ensureDemoToken(url, operatorToken);
      writeDemoFile(url, token);
      service.showOutput();
      process.stdout.write(formatGreeting(url, token));
      void runClock(url, stopping.signal);
    });
    try {
      const code = await Promise.race([died, ready]);
      if (code !== undefined) return code;
    } catch (error) {
      if (stopping.signal.aborted) return 0;
      process.stderr.write(`${service.heldOutput()}\n`);
      throw error;
    } finally {
      // A later rejection needs no handling.
      ready.catch(() => {});
    }
    return await died;
  } finally {
    stopping.abort();
    await running?.stop();
  }
}

await runScript(main);
process.exit();
