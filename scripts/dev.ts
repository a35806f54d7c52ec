/**
 * `npm run dev`: the whole service on this machine, ready to be called. Makes what a fresh clone
 * lacks (secrets, tables, a demo tenant) and leaves alone what is there.
 *
 * `--port`, `--ip` and `--persist-to` are understood here; every other argument goes to
 * `wrangler dev` as it is.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { runClock } from "./support/clock.ts";
import { ensureDevVars } from "./support/dev-vars.ts";
import { Failure, runScript } from "./support/failure.ts";
import { whenNpmEnds } from "./support/parent.ts";
import { freePort, isPortFree } from "./support/port.ts";
import { createDemoTenant, isTokenAccepted, waitUntilReady } from "./support/service.ts";
import { finishWrangler, type Running, startWrangler } from "./support/wrangler.ts";

const root = join(import.meta.dirname, "..");
const devVarsFile = join(root, ".dev.vars");
const demoFile = join(root, ".dev", "demo.env");
const defaultPort = 8787;

interface Options {
  /** 0 takes any free port. */
  readonly port: number;
  readonly ip: string;
  /** Where the data lies, as wrangler is told; empty for its default. */
  readonly persistence: readonly string[];
  readonly rest: readonly string[];
}

function parseOptions(args: readonly string[]): Options {
  const known = new Map<string, string>();
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
    known.set(name, value);
  }
  const port = known.get("port") ?? String(defaultPort);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new Failure(`--port ${port}: expected a number from 0 to 65535.`);
  }
  const directory = known.get("persist-to");
  return {
    port: Number(port),
    ip: known.get("ip") ?? "127.0.0.1",
    persistence: directory === undefined ? [] : ["--persist-to", directory],
    rest,
  };
}

/** The port to listen on. @throws Failure when another process has it */
async function claimPort(port: number, ip: string): Promise<number> {
  if (port === 0) return await freePort();
  const host = ip === "*" ? "0.0.0.0" : ip;
  const isFree = await isPortFree(port, host).catch((error: Error) => {
    throw new Failure(`Cannot listen on ${ip}, port ${port}: ${error.message}.`);
  });
  if (isFree) return port;
  throw new Failure(
    `Port ${port} is in use; stop what listens there, or choose another: npm run dev -- --port ${port + 1}`,
  );
}

/** The address under which this machine reaches what listens on `ip`. */
function addressOf(ip: string, port: number): string {
  const reachable = ["*", "0.0.0.0", "::"].includes(ip) ? "127.0.0.1" : ip;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** A token of the demo tenant: the one of the last start, or of a new tenant. */
async function demoToken(url: string, operatorToken: string): Promise<string> {
  const text = existsSync(demoFile) ? readFileSync(demoFile, "utf8") : "";
  const { IDP_TOKEN: token } = parseEnv(text);
  if (token && (await isTokenAccepted(url, token))) return token;
  return await createDemoTenant(url, operatorToken);
}

function writeDemoFile(url: string, token: string): void {
  mkdirSync(join(root, ".dev"), { recursive: true });
  writeFileSync(demoFile, `IDP_URL=${url}\nIDP_TOKEN=${token}\n`, { mode: 0o600 });
  // The mode above counts only for a new file.
  chmodSync(demoFile, 0o600);
}

function greeting(url: string, token: string): string {
  return `
Edge IDP is running.

  Address  ${url}
  Docs     ${url}/docs
  Token    ${token}
           of the tenant "Demo"; it and the address are in .dev/demo.env

Try it in another terminal:

  curl -s "${url}/v1/idp/users?limit=1" -H "Authorization: Bearer ${token}"

Ctrl-C stops it; all data stays.

`;
}

async function main(): Promise<number> {
  const { port: wantedPort, ip, persistence, rest } = parseOptions(process.argv.slice(2));
  const port = await claimPort(wantedPort, ip);
  const url = addressOf(ip, port);

  const stopping = new AbortController();
  let running: Running | undefined;
  const stop = () => {
    stopping.abort();
    void running?.stop();
  };
  // Ctrl-C, an end asked for by another process, a closed terminal.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  whenNpmEnds(stop);

  try {
    const { added, operatorToken } = ensureDevVars(devVarsFile);
    if (added.length > 0) process.stdout.write(`Made in .dev.vars: ${added.join(", ")}\n`);

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
      process.stderr.write(`${service.heldOutput()}\nThe service ended by itself.\n`);
      // Wrangler answers 0 also where its own child was killed; unasked it is a failure all the same.
      return code || 1;
    });
    const ready = waitUntilReady(url, stopping.signal).then(async () => {
      if (stopping.signal.aborted) return;
      const token = await demoToken(url, operatorToken);
      writeDemoFile(url, token);
      service.showOutput();
      process.stdout.write(greeting(url, token));
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
      // The loser of the race has nothing more to say.
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
