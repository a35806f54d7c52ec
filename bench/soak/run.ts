/**
 * `npm run soak`: sends a mixed load for a given time, and then looks for every acknowledged act in the audit trail.
 * README.md in the folder above describes it.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Failure } from "../../packages/cli/src/failure.ts";
import { findFreePort } from "../../packages/cli/src/local/port.ts";
import { readSecret } from "../../packages/cli/src/secret-file.ts";
import { ensureServiceSecrets } from "../../packages/cli/src/service-secrets.ts";
import { runClock } from "../../scripts/support/clock.ts";
import { startLocalService } from "../../scripts/support/local-service.ts";
import { runScript } from "../../scripts/support/run-script.ts";
import { createBenchFolder } from "../support/folder.ts";
import { closeConnections } from "./client.ts";
import { isFaultless, Ledger } from "./ledger.ts";
import { Tally } from "./load.ts";
import { readFamilyMemory } from "./processes.ts";
import { formatReading, formatVerdict, type Reading } from "./report.ts";
import { createTenants } from "./tenant.ts";
import { readTrails } from "./trail.ts";
import { Visitor } from "./visitor.ts";

const helpText = `Send a mixed load for some time, and look for every acknowledged act in the audit trail.

  npm run soak -- [options]

  --seconds N      how long to send (default 60)
  --concurrency N  requests at once (default 32)
  --url URL        a service that runs already (default: starts one as "npm run dev" does, with data
                   of its own in a temporary folder)
  --file FILE      the file with the OPERATOR_TOKEN of that service (default .dev.vars)
  --pid N          a process of that service; memory is printed for it and all that it started
  --trace          the started service stores wrangler's traces
  --same-users     provisions no user after the first ten of each visitor
  --lose N         skip N exported events, to show that the soak then fails
  --help

Exits with 0 if each acknowledged act has exactly one event and no answer was wrong, otherwise with 1.
`;

const devVarsFile = join(import.meta.dirname, "..", "..", ".dev.vars");
const maxReadings = 30;
const minReadingMs = 5_000;

interface Options {
  readonly seconds: number;
  readonly concurrency: number;
  readonly lost: number;
  readonly url: string | undefined;
  readonly pid: number | undefined;
  readonly keepsUsers: boolean;
  readonly file: string;
  readonly storesTraces: boolean;
}

function parseCount(name: string, text: string, min: number): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= min) return count;
  throw new Failure(`--${name} must be a whole number of at least ${min}.`);
}

interface Target {
  readonly url: string;
  readonly operatorToken: string;
  /** Of the process whose children are the service; undefined if unknown. */
  readonly pid: number | undefined;
  /** Resolves if the service ends. */
  readonly died: Promise<unknown>;
}

async function findTarget(
  { url, pid, file, storesTraces }: Options,
  folder: string,
  signal: AbortSignal,
): Promise<Target> {
  const forever = new Promise(() => {});
  if (url !== undefined) {
    const operatorToken = readSecret(file, "OPERATOR_TOKEN");
    return { url, operatorToken, pid, died: forever };
  }
  const { operatorToken } = ensureServiceSecrets(devVarsFile);
  const service = await startLocalService(
    {
      port: await findFreePort(),
      ip: "127.0.0.1",
      dataFolder: join(folder, "state"),
      storesTraces,
    },
    signal,
    printProgress,
  );
  if (service === undefined) throw new Failure("The service was stopped.");
  await service.waitUntilReady();
  void runClock(service.url, signal);
  return { ...service, operatorToken, pid: service.process.pid };
}

function printProgress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** Sends requests for the given time, and prints rate and memory. */
async function sendLoad(
  { url, pid, died, operatorToken }: Target,
  { seconds, concurrency, keepsUsers }: Options,
  ledger: Ledger,
) {
  const tenants = await createTenants(url, operatorToken);
  const load = { url, ledger, tally: new Tally(), keepsUsers };
  const { tally } = load;
  const ending = new AbortController();
  const visitors = Array.from({ length: concurrency }, (_, n) => {
    const tenant = tenants[n % tenants.length];
    if (tenant === undefined) throw new RangeError("No tenants");
    return new Visitor(load, tenant).run(ending.signal);
  });
  const sending = Promise.all(visitors);
  const readings: Reading[] = [];
  const endsAt = performance.now() + seconds * 1000;
  const everyMs = Math.max(minReadingMs, (seconds * 1000) / maxReadings);
  let last = { at: performance.now(), answers: 0 };
  try {
    while (performance.now() < endsAt) {
      const pause = sleep(Math.min(everyMs, endsAt - performance.now()), undefined, { ref: false });
      const hasDied = await Promise.race([pause.then(() => false), died.then(() => true), sending]);
      if (hasDied !== false) throw new Failure("The service ended during the load.");
      const now = { at: performance.now(), answers: tally.answers };
      const reading: Reading = {
        answers: now.answers,
        perSecond: (1000 * (now.answers - last.answers)) / (now.at - last.at),
        users: tally.users,
        memory: readFamilyMemory(pid),
      };
      last = now;
      readings.push(reading);
      process.stdout.write(`${formatReading(reading)}\n`);
    }
  } finally {
    ending.abort();
  }
  await sending;
  return { tenants, tally, readings };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      concurrency: { type: "string", default: "32" },
      lose: { type: "string", default: "0" },
      url: { type: "string" },
      pid: { type: "string" },
      "same-users": { type: "boolean", default: false },
      file: { type: "string", default: devVarsFile },
      trace: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const options: Options = {
    seconds: parseCount("seconds", values.seconds, 1),
    concurrency: parseCount("concurrency", values.concurrency, 1),
    lost: parseCount("lose", values.lose, 0),
    url: values.url,
    pid: values.pid === undefined ? undefined : parseCount("pid", values.pid, 1),
    keepsUsers: values["same-users"],
    file: values.file,
    storesTraces: values.trace,
  };
  const folder = createBenchFolder();
  const stopping = new AbortController();
  try {
    const target = await findTarget(options, folder, stopping.signal);
    const ledger = new Ledger();
    const { tenants, tally, readings } = await sendLoad(target, options, ledger);
    printProgress("Reading the trail …");
    await readTrails(target.url, tenants, folder, ledger, options.lost);
    const verdict = ledger.judge();
    process.stdout.write(formatVerdict(verdict, tally, readings));
    return isFaultless(verdict) && tally.wrongAnswers.length === 0 ? 0 : 1;
  } finally {
    closeConnections();
    stopping.abort();
  }
}

await runScript(main);
