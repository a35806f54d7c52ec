/**
 * `npm run bench:shards`: ten thousand tenants over four local databases, beside one. README.md beside this
 * file says what each figure is.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { runScript } from "../scripts/support/failure.ts";
import { whenNpmEnds } from "../scripts/support/parent.ts";
import { seconds, table, whole } from "./support/figures.ts";
import { machine, versions } from "./support/machine.ts";
import { type Service, startService } from "./support/service.ts";
import { type BoundDatabases, databasesOf } from "./support/shard-bindings.ts";
import { countsOf, leavesIn, moveTenant, newTenants, type Wave, wave } from "./support/shards.ts";

const helpText = `Spread tenants over four databases on this machine, and deliver their events.

  npm run bench:shards -- [options]

  --quick   a tenth of the tenants
  --help
`;

const shards = 4;
const allTenants = 10_000;
const waves = 2;
/** The slow databases: so slow that they are the limit, and not this machine. */
const pace = 100;
const pacedTenants = 1_000;
/** Logins of the tenant that is moved, before the move. */
const longTrail = 2_000;
const headStartMs = 500;

function progress(text: string): void {
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

async function wavesOver(service: Service, tenants: readonly string[], count: number) {
  const all: Wave[] = [];
  for (let n = 0; n < waves; n += 1) all.push(await wave(service, tenants, count));
  return rateOf(all);
}

/** Moves one tenant while all, and it most of all, go on; its log must be whole afterwards. */
async function moveUnderLoad(service: Service, tenants: readonly string[], to: D1Database) {
  const [moving = ""] = tenants;
  await wave(service, Array(longTrail).fill(moving), shards);
  let isOver = false;
  const load = async () => {
    let logins = 0;
    let failures = 0;
    while (!isOver) {
      const some = tenants.slice(1, 201).flatMap((id) => [id, moving]);
      const done = await wave(service, some, shards);
      logins += some.filter((id) => id === moving).length;
      failures += done.failures;
    }
    return { logins, failures };
  };
  const loading = load();
  await setTimeout(headStartMs);
  const { copied, ms } = await moveTenant(service, moving, 1).finally(() => {
    isOver = true;
  });
  const { logins, failures } = await loading;
  const leaves = await leavesIn(to, moving);
  // Its waves and the two at a pace, its long trail, what came during the move, and that it was moved.
  const expected = waves + 2 + longTrail + logins + 1;
  if (leaves.length !== expected || leaves.some((leaf, place) => leaf !== place)) {
    throw new Error(`The log of the moved tenant has ${leaves.length} leaves of ${expected}`);
  }
  progress(`${whole(logins)} logins of the tenant meanwhile`);
  return { copied, ms, failures };
}

async function measure(service: Service, count: number): Promise<Figures> {
  const { env } = service;
  const four: BoundDatabases = databasesOf(env, shards);
  progress(`${whole(count)} tenants in one database`);
  const together = await newTenants(service, count, 1);
  const one = await wavesOver(service, together, 1);
  progress(`${whole(count)} tenants in ${shards}`);
  const before = await countsOf(four);
  const spread = await newTenants(service, count, shards);
  const rate = await wavesOver(service, spread, shards);
  const after = await countsOf(four);
  const counts = after.map(({ name, events, tenants }, n) => ({
    name,
    events: events - (before[n]?.events ?? 0),
    tenants: tenants - (before[n]?.tenants ?? 0),
  }));
  const events = counts.reduce((sum, one) => sum + one.events, 0);
  if (events !== count * waves) throw new Error(`${events} events of ${count * waves} arrived`);
  progress(`databases of ${pace} batches a second`);
  const pacedOne = rateOf([await wave(service, together.slice(0, pacedTenants), 1, pace)]);
  const some = spread.slice(0, pacedTenants);
  // Once before, so that the isolate knows where they live.
  await wave(service, some, shards);
  const pacedFour = rateOf([await wave(service, some, shards, pace)]);
  progress("one tenant is moved");
  const { DB_1: to } = four;
  if (to === undefined) throw new Error("There is no DB_1");
  const move = await moveUnderLoad(service, spread, to);
  return { tenants: count, one, four: rate, pacedOne, pacedFour, counts, move };
}

function report({ tenants, one, four, pacedOne, pacedFour, counts, move }: Figures): string {
  const events = counts.map((count) => count.events);
  const mean = events.reduce((sum, n) => sum + n, 0) / events.length;
  const rows = [
    ["tenants", whole(tenants), whole(tenants)],
    ["events a second, all databases together", whole(one), whole(four)],
    [`the same, databases of ${pace} batches a second`, whole(pacedOne), whole(pacedFour)],
    [
      "most events in a database, beside the mean",
      "1.00 ×",
      `${(Math.max(...events) / mean).toFixed(2)} ×`,
    ],
  ];
  const each = counts.map(({ name, tenants: there, events: filed }) => [
    name,
    whole(there),
    whole(filed),
  ]);
  return `${machine()}; ${versions()}; ${new Date().toISOString().slice(0, 10)}

${table(["", "one database", `${shards} databases`], rows)}

${table(["database", "tenants", "events"], each)}

One tenant of these, with ${whole(move.copied)} rows at its switch, was moved during the load in ${seconds(move.ms)}; ${whole(move.failures)} deliveries had to come back meanwhile, and its log was whole afterwards.
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
  const folder = mkdtempSync(join(tmpdir(), "edge-idp-bench-"));
  // At the very end and at once: on Ctrl-C Miniflare ends the process without waiting for anything.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const end = () => process.exit(1);
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  whenNpmEnds(end);
  progress("bundle and start the service");
  const service = await startService(folder, {
    shards: shards - 1,
    main: "bench/support/shards-worker.ts",
  });
  try {
    const count = values.quick ? allTenants / 10 : allTenants;
    process.stdout.write(report(await measure(service, count)));
    return 0;
  } finally {
    await service.close();
  }
}

await runScript(main);
