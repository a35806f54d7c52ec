/**
 * `npm run bench`: measures the processor time of requests, and compares it with a floor and with alternatives.
 * README.md in the folder above defines each figure.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { unstable_readConfig } from "wrangler";
import { Failure } from "../../packages/cli/src/failure.ts";
import { runScript } from "../../scripts/support/run-script.ts";
import { Random } from "../sentinel/random.ts";
import { createBenchFolder } from "../support/folder.ts";
import { machine, versions } from "../support/machine.ts";
import { bundleService } from "../support/service.ts";
import { readCpu } from "./cpu.ts";
import { computeFigures, type HotFigures } from "./figures.ts";
import { waitUntilCold } from "./idle.ts";
import { Loader } from "./loader.ts";
import { Meter, type Series } from "./measure.ts";
import { installPeers } from "./peer.ts";
import { formatHotReport } from "./report.ts";
import { createColdRows, createWarmRows, linesOf } from "./rows.ts";
import { createSizeRows, type SizeRow } from "./size-rows.ts";
import { type Cast, type Size, type Stage, setStage } from "./stage.ts";
import { measureStartup } from "./startup.ts";

const helpText = `Measure the processor time of requests on this machine, and compare it with a floor and alternatives.

  npm run bench -- [options]

  --rounds N   rounds over everything that is measured (default: 5)
  --quick      one round with small tenants and a short warm-up: checks that all runs; figures are rough
  --seed TEXT  draws the order of the measurements (default: a new one, which the report names)
  --json       the figures as JSON instead of the tables of docs/performance.md
  --repeat-values
               the floor writes the same values again, to show that its check then fails
  --help

Needs Linux, which reports the processor time of other processes. The first run installs the alternatives
from npm in bench/peers/.
`;

const wranglerToml = join(import.meta.dirname, "..", "..", "wrangler.toml");

interface Plan {
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly sizes: readonly Size[];
  readonly cast: Cast;
  /** Requests of each line before the measurement, so that its JavaScript is compiled. */
  readonly warmUpRequests: number;
  /** Bursts of each line in a round. */
  readonly bursts: number;
}

/** Size rows take so many times as many bursts of requests, because they look for differences of 10 %. */
const burstsForSizes = 4;

const fullSizes: readonly Size[] = [
  { people: 1, events: 0 },
  { people: 1_000, events: 0 },
  { people: 100_000, events: 1_000_000 },
];
const quickSizes: readonly Size[] = [
  { people: 1, events: 0 },
  { people: 1_000, events: 0 },
  { people: 5_000, events: 10_000 },
];

const fullUsers: Cast = { warm: 160, cold: 240, betterAuth: 400 };
const quickUsers: Cast = { warm: 40, cold: 48, betterAuth: 100 };

function printProgress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

async function checkTrails({ tenants }: Stage): Promise<void> {
  for (const [tenant, ours] of tenants) await tenant.checkTrails(ours);
}

async function runSizeRound(meter: Meter, { request, whole }: SizeRow, bursts: number) {
  await meter.measureRound(request, burstsForSizes * bursts);
  if (whole !== undefined) await meter.measureRound(whole, bursts);
}

async function measure(stage: Stage, meter: Meter, plan: Plan): Promise<HotFigures["costs"]> {
  const { rounds, bursts, warmUpRequests } = plan;
  const warm = createWarmRows(stage);
  const cold = createColdRows(stage);
  const sizes = createSizeRows(stage);
  const steady = sizes.filter(({ grows }) => !grows);
  const growing = sizes.filter(({ grows }) => grows);
  const warmUp = async (name: string, lines: readonly Series[]) => {
    printProgress(`warming up: ${name}`);
    for (const line of lines) await meter.warmUp(line, warmUpRequests);
  };
  await warmUp("all requests and floors", linesOf(warm));
  for (const row of steady) await warmUp(`${row.name}, at each size`, row.request);
  printProgress("waiting until all guards are evicted");
  await waitUntilCold(restingPids(stage));
  for (const [tenant, ours] of stage.tenants) await tenant.countFrom(ours);
  for (let round = 1; round <= rounds; round += 1) {
    printProgress(`round ${round} of ${rounds}: warm`);
    await meter.measureRound(linesOf(warm), bursts);
    printProgress(`round ${round} of ${rounds}: sizes`);
    for (const row of steady) await runSizeRound(meter, row, bursts);
    printProgress(`round ${round} of ${rounds}: cold`);
    await waitUntilCold(restingPids(stage));
    await meter.measureRound(linesOf(cold), 1);
    await checkTrails(stage);
  }
  for (const row of growing) {
    await warmUp(`${row.name}, at each size`, row.request);
    printProgress(`all rounds: ${row.name}, at each size`);
    for (let round = 1; round <= rounds; round += 1) await runSizeRound(meter, row, bursts);
  }
  return computeFigures(meter, warm, cold, sizes);
}

/** The processes whose objects must be at rest, so that they are cold or nothing is left to deliver. */
function restingPids({ floor, sizes }: Stage): number[] {
  return [floor.pid, ...sizes.map(({ ours }) => ours.pid)];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      seed: { type: "string", default: randomBytes(4).toString("hex") },
      json: { type: "boolean", default: false },
      "repeat-values": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    throw new Failure("--rounds must be a whole number of at least 1.");
  }
  try {
    readCpu(process.pid);
  } catch {
    throw new Failure("This needs Linux: /proc/PID/task/TID/schedstat does not exist.");
  }
  const plan: Plan = values.quick
    ? { rounds, isQuick: true, sizes: quickSizes, cast: quickUsers, warmUpRequests: 40, bursts: 1 }
    : {
        rounds,
        isQuick: false,
        sizes: fullSizes,
        cast: fullUsers,
        warmUpRequests: 1_000,
        bursts: 2,
      };

  const folder = createBenchFolder();

  printProgress("installing the alternatives");
  installPeers();
  printProgress("bundling the service");
  const bundle = await bundleService(folder);
  printProgress("measuring starts");
  const { compatibility_date: date } = unstable_readConfig({ config: wranglerToml });
  const startup = await measureStartup(folder, bundle, date ?? "", plan.isQuick);
  const loader = new Loader();
  const { seed, "repeat-values": repeatsValues } = values;
  const stage = await setStage(
    ...([folder, bundle, loader, plan.sizes, plan.cast, repeatsValues, printProgress] as const),
  );
  try {
    const meter = new Meter(loader, new Random(seed));
    const costs = await measure(stage, meter, plan);
    const figures: HotFigures = {
      machine: machine(),
      versions: versions(),
      at: new Date().toISOString(),
      rounds,
      isQuick: plan.isQuick,
      sizes: plan.sizes,
      startup,
      seed,
      costs,
      measured: { requests: meter.requests, lateBursts: meter.lateBursts },
    };
    process.stdout.write(
      values.json ? `${JSON.stringify(figures, null, 2)}\n` : formatHotReport(figures),
    );
    return 0;
  } finally {
    loader.close();
    await stage.close();
  }
}

await runScript(main);
