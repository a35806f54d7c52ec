/**
 * `npm run bench:shards`: compares ten thousand tenants in four local databases with the same number in one.
 * README.md in this folder defines each figure.
 */
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { runScript } from "../scripts/support/run-script.ts";
import { formatSeconds, table, whole } from "./support/figures.ts";
import { createBenchFolder } from "./support/folder.ts";
import { machine, versions } from "./support/machine.ts";
import { type Service, startService } from "./support/service.ts";
import { type BoundDatabases, databasesOf } from "./support/shard-bindings.ts";
import {
  countEvents,
  createTenants,
  moveTenant,
  readLeaves,
  runWave,
  type Wave,
} from "./support/shards.ts";

const helpText = `Spread tenants over four databases on this machine, and deliver events to them.

  npm run bench:shards -- [options]

  --quick   a tenth of the tenants
  --help
`;

const databaseCount = 4;
const allTenants = 10_000;
const waveCount = 2;
/** The pace of the slow databases: low enough that they are the limit, and not this machine. */
const batchesPerSecond = 100;
const pacedTenants = 1_000;
/** Logins of the moved tenant before the move. */
const longTrail = 2_000;
const headStartMs = 500;

function printProgress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** Events a second. */
function rateOf(all: readonly Wave[]): number {
  const sum = (of: (one: Wave) => number) => all.reduce((total, one) => total + of(one), 0);
  return (1000 * sum(({ deliveries }) => deliveries)) / sum(({ ms }) => ms);
}

interface Figures {
  readonly tenants: number;
  readonly one: number;
  readonly four: number;
  readonly pacedOne: number;
  readonly pacedFour: number;
  readonly counts: readonly { name: string; events: number; tenants: number }[];
  readonly move: { readonly copied: number; readonly ms: number; readonly failures: number };
}

async function runWaves(service: Service, tenants: readonly string[], count: number) {
  const all: Wave[] = [];
  for (let n = 0; n < waveCount; n += 1) all.push(await runWave(service, tenants, count));
  return rateOf(all);
}

/** Moves one tenant while events are delivered, half of them to it. Its log must be complete afterwards. */
async function moveUnderLoad(service: Service, tenants: readonly string[], to: D1Database) {
  const [moving = ""] = tenants;
  await runWave(service, Array(longTrail).fill(moving), databaseCount);
  let isOver = false;
  const load = async () => {
    let logins = 0;
    let failures = 0;
    while (!isOver) {
      const some = tenants.slice(1, 201).flatMap((id) => [id, moving]);
      const done = await runWave(service, some, databaseCount);
      logins += some.filter((id) => id === moving).length;
      failures += done.failures;
    }
    return { logins, failures };
  };
  const loading = load();
  // If the move fails, its error counts, and the load fails after it.
  loading.catch(() => {});
  await setTimeout(headStartMs);
  const { copied, ms } = await moveTenant(service, moving, 1).finally(() => {
    isOver = true;
  });
  const { logins, failures } = await loading;
  const leaves = await readLeaves(to, moving);
  // Its waves, the two slow ones, its long trail, the logins during the move, and the event of the move.
  const expected = waveCount + 2 + longTrail + logins + 1;
  if (leaves.length !== expected || leaves.some((leaf, index) => leaf !== index)) {
    throw new Error(`The log of the moved tenant has ${leaves.length} leaves of ${expected}`);
  }
  printProgress(`${whole(logins)} logins of the moved tenant during the move`);
  return { copied, ms, failures };
}

async function measure(service: Service, count: number): Promise<Figures> {
  const { env } = service;
  const four: BoundDatabases = databasesOf(env, databaseCount);
  printProgress(`${whole(count)} tenants in one database`);
  const together = await createTenants(service, count, 1);
  const one = await runWaves(service, together, 1);
  printProgress(`${whole(count)} tenants in ${databaseCount}`);
  const before = await countEvents(four);
  const spread = await createTenants(service, count, databaseCount);
  const rate = await runWaves(service, spread, databaseCount);
  const after = await countEvents(four);
  const counts = after.map(({ name, events, tenants }, n) => ({
    name,
    events: events - (before[n]?.events ?? 0),
    tenants: tenants - (before[n]?.tenants ?? 0),
  }));
  const events = counts.reduce((sum, one) => sum + one.events, 0);
  if (events !== count * waveCount)
    throw new Error(`${events} events of ${count * waveCount} arrived`);
  printProgress(`databases of ${batchesPerSecond} batches a second`);
  const pacedOne = rateOf([
    await runWave(service, together.slice(0, pacedTenants), 1, batchesPerSecond),
  ]);
  const some = spread.slice(0, pacedTenants);
  // Once before, so that the isolate has cached their databases.
  await runWave(service, some, databaseCount);
  const pacedFour = rateOf([await runWave(service, some, databaseCount, batchesPerSecond)]);
  printProgress("moving one tenant");
  const { DB_1: to } = four;
  if (to === undefined) throw new Error("There is no DB_1");
  const move = await moveUnderLoad(service, spread, to);
  return { tenants: count, one, four: rate, pacedOne, pacedFour, counts, move };
}

function formatReport({ tenants, one, four, pacedOne, pacedFour, counts, move }: Figures): string {
  const events = counts.map((count) => count.events);
  const mean = events.reduce((sum, n) => sum + n, 0) / events.length;
  const rows = [
    ["tenants", whole(tenants), whole(tenants)],
    ["events a second, all databases together", whole(one), whole(four)],
    [
      `the same, databases of ${batchesPerSecond} batches a second`,
      whole(pacedOne),
      whole(pacedFour),
    ],
    ["most events in a database / mean", "1.00 ×", `${(Math.max(...events) / mean).toFixed(2)} ×`],
  ];
  const each = counts.map(({ name, tenants: there, events: filed }) => [
    name,
    whole(there),
    whole(filed),
  ]);
  return `${machine()}; ${versions()}; ${new Date().toISOString().slice(0, 10)}

${table(["", "one database", `${databaseCount} databases`], rows)}

${table(["database", "tenants", "events"], each)}

One of these tenants, with ${whole(move.copied)} rows at its switch, was moved under load in ${formatSeconds(move.ms)}. ${whole(move.failures)} deliveries were retried during the move, and the log was complete afterwards.
`;
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
  const service = await startService(folder, {
    shards: databaseCount - 1,
    main: "bench/support/shards-worker.ts",
  });
  try {
    const count = values.quick ? allTenants / 10 : allTenants;
    process.stdout.write(formatReport(await measure(service, count)));
    return 0;
  } finally {
    await service.close();
  }
}

await runScript(main);
