/**
 * `npm run bench:import`: imports users with `edge-idp users import`, kills it in the middle, and lets it go on. README.md
 * in this folder defines each figure.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { EdgeIdp } from "@edge-idp/sdk";
import { base32nopad } from "@scure/base";
import { Secret, TOTP } from "otpauth";
import { runScript } from "../scripts/support/run-script.ts";
import { formatSeconds, table, whole } from "./support/figures.ts";
import { createBenchFolder } from "./support/folder.ts";
import { machine, versions } from "./support/machine.ts";
import { readMemory } from "./support/process.ts";
import { startService } from "./support/service.ts";

const helpText = `Import users with edge-idp on this machine, kill it in the middle, and let it go on.

  npm run bench:import -- [options]

  --users N        default 100,000
  --concurrency N  calls at once, as of edge-idp (default 4)
  --help
`;

const command = join(import.meta.dirname, "..", "packages", "cli", "bin", "edge-idp.js");
const sampleMs = 500;
const intervals = 10;
const sampledUsers = 100;
const maxAttempts = 30;
const attemptMs = 2_000;
const megabyte = 1024 * 1024;

/** @returns secrets by user, of a sample */
function writeUsers(file: string, count: number): ReadonlyMap<string, string> {
  const sample = new Map<string, string>();
  const handle = openSync(file, "w");
  writeSync(handle, "external_id,secret\n");
  for (let n = 0; n < count; n += 1) {
    const secret = base32nopad.encode(crypto.getRandomValues(new Uint8Array(20)));
    writeSync(handle, `user-${n},${secret}\n`);
    if (n % Math.ceil(count / sampledUsers) === 0) sample.set(`user-${n}`, secret);
  }
  closeSync(handle);
  return sample;
}

/** Users of the batches that the journal has. */
function countDone(journal: string): number {
  if (!existsSync(journal)) return 0;
  return readFileSync(journal, "utf8").split('{"batch":').length * 100 - 100;
}

interface Sample {
  readonly users: number;
  readonly ms: number;
  readonly memory: number;
}

interface Run {
  readonly code: number | null;
  readonly ms: number;
  readonly output: string;
  readonly samples: readonly Sample[];
}

/** Runs the import, and kills it when as many users are done. */
async function runImport(
  file: string,
  concurrency: string,
  account: Readonly<Record<string, string>>,
  killAfter = Number.POSITIVE_INFINITY,
): Promise<Run> {
  const args = [command, "users", "import", "--from", "csv", file, "--concurrency", concurrency];
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...account },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const samples: Sample[] = [];
  const isOver = ended.then(() => true);
  while (!(await Promise.race([isOver, sleep(sampleMs, false)]))) {
    const users = countDone(`${file}.journal`);
    const ms = performance.now() - startedAt;
    samples.push({ users, ms, memory: readMemory(child.pid, "VmRSS") ?? 0 });
    if (users >= killAfter) child.kill("SIGKILL");
  }
  return { code: await ended, ms: performance.now() - startedAt, output, samples };
}

/** One row for each tenth of the users. */
function showCourse(run: Run, count: number): readonly string[][] {
  return Array.from({ length: intervals }, (_, n) => {
    const wanted = ((n + 1) * count) / intervals;
    return run.samples.find(({ users }) => users >= wanted) ?? run.samples.at(-1);
  })
    .filter((sample) => sample !== undefined)
    .filter((sample, n, all) => all.indexOf(sample) === n)
    .map(({ users, ms, memory }) => [
      whole(users),
      formatSeconds(ms),
      `${whole(memory / megabyte)} MB`,
    ]);
}

/** @throws Error if a user is missing or there twice, or a code is not accepted */
async function checkUsers(
  idp: EdgeIdp,
  count: number,
  sample: ReadonlyMap<string, string>,
): Promise<void> {
  // List and trail follow the guards within seconds.
  for (let attempts = 1; ; attempts += 1) {
    const ids = new Set<string>();
    let listed = 0;
    for await (const { external_id } of idp.users.list({ limit: 100 })) {
      ids.add(external_id);
      listed += 1;
    }
    let imports = 0;
    for await (const { action } of idp.audit.export()) if (action === "otp.imported") imports += 1;
    if (ids.size === count && listed === count && imports === count) break;
    if (attempts === maxAttempts || listed > count || imports > count) {
      throw new Error(`${listed} users are listed, and ${imports} events report an import`);
    }
    await sleep(attemptMs);
  }
  for (const [id, secret] of sample) {
    await idp.otp.verify(id, new TOTP({ secret: Secret.fromBase32(secret) }).generate());
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      users: { type: "string", default: "100000" },
      concurrency: { type: "string", default: "4" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const count = Number(values.users.replaceAll(",", ""));
  const folder = createBenchFolder();
  const service = await startService(folder);
  try {
    const operator = new EdgeIdp({ url: service.url, token: service.operatorToken });
    const { token } = await operator.tenants.create({ name: "Bench", mode: "live" });
    const idp = new EdgeIdp({ url: service.url, token: token.secret, timeoutMs: 60_000 });
    const account = { IDP_URL: service.url, IDP_TOKEN: token.secret };
    const file = join(folder, "users.csv");
    const sample = writeUsers(file, count);
    const killed = await runImport(file, values.concurrency, account, count / 2);
    const resumed = await runImport(file, values.concurrency, account);
    if (killed.code !== null || resumed.code !== 0) {
      throw new Error(`exit codes ${killed.code} and ${resumed.code}\n${resumed.output}`);
    }
    await checkUsers(idp, count, sample);
    const ms = killed.ms + resumed.ms;
    const columns = ["users done", "after", "resident memory of edge-idp"];
    process.stdout.write(`${machine()}; ${versions()}; ${new Date().toISOString().slice(0, 10)}

${whole(count)} users in ${formatSeconds(ms)}: ${whole((count / ms) * 1000)} users per second, ${values.concurrency} calls at once.

Until it was killed:

${table(columns, showCourse(killed, count))}

After it went on:

${table(columns, showCourse(resumed, count))}

Every user is listed once and has one event of an import; codes of ${sample.size} of them were accepted.
`);
    return 0;
  } finally {
    await service.close();
  }
}

await runScript(main);
