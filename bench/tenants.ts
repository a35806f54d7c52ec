/**
 * `npm run bench:tenants`: runs each scheduled job over ten thousand tenants in ten local databases. README.md in this
 * folder defines each figure.
 */
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { runScript } from "../scripts/support/run-script.ts";
import { formatSeconds, table, whole } from "./support/figures.ts";
import { createBenchFolder } from "./support/folder.ts";
import { machine, versions } from "./support/machine.ts";
import { type Service, startService } from "./support/service.ts";
import { createTenants } from "./support/shards.ts";
import {
  countHeads,
  fileEvents,
  insertEnds,
  insertPopulations,
  type JobName,
  type JobRun,
  runJob,
} from "./support/tenants.ts";

const helpText = `Run each scheduled job over ten thousand tenants in ten databases on this machine.

  npm run bench:tenants -- [options]

  --quick   a tenth of the tenants
  --help
`;

const databaseCount = 10;
const allTenants = 10_000;
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const maxPasses = 60;
/** All events of the bench are older than their retention then. */
const afterRetentionDays = 401;

function printProgress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** A witness that accepts every head. @returns its address, and the number of heads that it got */
async function startWitness() {
  let heads = 0;
  const server = createServer((request, response) => {
    heads += 1;
    request.resume();
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The witness has no port");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    countHeads: () => heads,
    close: () => server.close(),
  };
}

interface Row {
  readonly what: string;
  readonly runs: readonly JobRun[];
}

function formatRow({ what, runs }: Row): string[] {
  const most = (of: (run: JobRun) => number) => whole(Math.max(...runs.map(of)));
  return [
    what,
    String(runs.length),
    formatSeconds(Math.max(...runs.map(({ ms }) => ms))),
    most(({ d1Calls }) => d1Calls),
    most(({ d1Statements }) => d1Statements),
    most(({ d1RowsRead }) => d1RowsRead),
    most(({ d1RowsWritten }) => d1RowsWritten),
    most(({ kvCalls }) => kvCalls),
    most(({ r2Calls }) => r2Calls),
    most(({ requests }) => requests),
  ];
}

/** Repeats a job until `isDone`. */
async function repeat(run: (n: number) => Promise<JobRun>, isDone: () => Promise<boolean>) {
  const runs: JobRun[] = [];
  while (!(await isDone())) {
    if (runs.length === maxPasses) throw new Error(`Not done after ${maxPasses} runs`);
    runs.push(await run(runs.length));
  }
  return runs;
}

async function measure(service: Service, count: number, witnessUrl: string) {
  const rows: Row[] = [];
  const now = Date.now();
  const job = async (name: JobName, at = now) => await runJob(service, name, at, witnessUrl);
  printProgress(`${whole(count)} tenants in ${databaseCount} databases`);
  const tenants = await createTenants(service, count, databaseCount);
  const heads = async () => await countHeads(service);
  await fileEvents(service, tenants, databaseCount);
  const isIntegrated = (size: number) => async () => (await heads()).sizes === count * size;
  printProgress("integrating the first event of every log");
  const first = await repeat(() => job("integrate"), isIntegrated(1));
  rows.push({ what: "integration, every log is new", runs: first });
  await fileEvents(service, tenants, databaseCount);
  printProgress("integrating another event of every log");
  const second = await repeat(() => job("integrate"), isIntegrated(2));
  rows.push({ what: "integration, every log has an event", runs: second });
  rows.push({ what: "integration, nothing new", runs: [await job("integrate")] });
  printProgress("witnessing every head");
  const witnessed = await repeat(
    (n) => job("witness", now + n * minuteMs),
    async () => (await heads()).witnessed === count,
  );
  rows.push({ what: "witness, every head is due", runs: witnessed });
  rows.push({ what: "witness, nothing due", runs: [await job("witness", now + 60 * minuteMs)] });
  printProgress("the control outbox");
  const waiting = tenants.filter((_, n) => n % databaseCount !== 0);
  await fileEvents(service, waiting, databaseCount, true);
  const delivered = await repeat(
    () => job("control outbox"),
    async () => (await heads()).waiting === 0,
  );
  rows.push({ what: "control outbox, an event for each tenant", runs: delivered });
  await insertEnds(service, tenants, 1_000);
  rows.push({ what: "token ends, 1,000 tenants", runs: [await job("token ends")] });
  printProgress("the hourly jobs");
  rows.push({ what: "housekeeping", runs: [await job("housekeeping")] });
  rows.push({ what: "archive, nothing expired", runs: [await job("archive")] });
  const later = now + afterRetentionDays * dayMs;
  rows.push({ what: "archive, every log has expired events", runs: [await job("archive", later)] });
  await insertPopulations(service, tenants, databaseCount);
  rows.push({ what: "populations, every tenant is due", runs: [await job("populations")] });
  return { rows, passes: first.length, minutes: witnessed.length };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const folder = createBenchFolder();
  printProgress("bundling and starting the service");
  const witness = await startWitness();
  const service = await startService(folder, {
    shards: databaseCount - 1,
    main: "bench/support/tenants-worker.ts",
    hasArchive: true,
  });
  try {
    const count = values.quick ? allTenants / 10 : allTenants;
    const { rows, passes, minutes } = await measure(service, count, witness.url);
    const columns = [
      ...["", "runs", "time", "D1 calls", "statements", "rows read", "rows written"],
      ...["KV", "R2", "requests"],
    ];
    process.stdout.write(`${machine()}; ${versions()}; ${new Date().toISOString().slice(0, 10)}

${table(columns, rows.map(formatRow))}

Every log had a head after ${passes} ${passes === 1 ? "pass" : "passes"}. Every head was witnessed after ${minutes} runs, one a minute. The second witness got ${whole(witness.countHeads())} heads.
`);
    return 0;
  } finally {
    witness.close();
    await service.close();
  }
}

await runScript(main);
