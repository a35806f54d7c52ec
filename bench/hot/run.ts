/**
 * `npm run bench`: what a request costs in processor time, beside what the platform costs at least
 * and beside the alternatives. README.md in the folder above says what each figure is.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { unstable_readConfig } from "wrangler";
import { Failure, runScript } from "../../scripts/support/failure.ts";
import { whenNpmEnds } from "../../scripts/support/parent.ts";
import { machine, versions } from "../support/machine.ts";
import { bundleService } from "../support/service.ts";
import { readCpu } from "./cpu.ts";
import { figuresOf, type HotFigures } from "./figures.ts";
import { untilCold } from "./idle.ts";
import { Loader } from "./loader.ts";
import { Meter, type Series } from "./measure.ts";
import { installPeers } from "./peer.ts";
import { hotReport } from "./report.ts";
import { bareFloors, coldRows, type Row, type SizeRow, sizeRows, warmRows } from "./rows.ts";
import { type Cast, setStage, type Size, type Stage } from "./stage.ts";
import { measureStartup } from "./startup.ts";

const helpText = `Measure what requests cost on this machine, beside a floor and beside alternatives.

  npm run bench -- [options]

  --rounds N   rounds, of all that is measured in turn (default: 5)
  --quick      one round, small tenants, little warming: to see that all of it runs; figures are rough
  --json       the figures as JSON instead of a table
  --help

Needs Linux, which tells the processor time of other processes. The first run fetches the alternatives
from npm into bench/peers/.
`;

const wranglerToml = join(import.meta.dirname, "..", "..", "wrangler.toml");

interface Plan {
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly sizes: readonly Size[];
  readonly cast: Cast;
  /** Requests of each line before anything is measured: JavaScript is compiled meanwhile. */
  readonly accustomed: number;
  /** Bursts of a line in a round. */
  readonly bursts: number;
}

/** So many times more of them. */
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

const allUsers: Cast = { warm: 160, cold: 240, betterAuth: 400 };
const fewUsers: Cast = { warm: 40, cold: 48, betterAuth: 100 };

function progress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

function linesOf({ floor, floorWhole, ours, peers }: Row): Series[] {
  return [...new Set([floor, floorWhole, ours, ...peers])];
}

async function checkTrails({ tenants }: Stage): Promise<void> {
  for (const [tenant, ours] of tenants) await tenant.checkTrail(ours);
}

/** A tenth is looked for, so there are many bursts of the requests. */
async function sizeRound(meter: Meter, { request, whole }: SizeRow, bursts: number) {
  await meter.round(request, burstsForSizes * bursts);
  if (whole !== undefined) await meter.round(whole, bursts);
}

async function measure(stage: Stage, loader: Loader, plan: Plan): Promise<HotFigures["costs"]> {
  const { rounds, bursts, accustomed } = plan;
  const warm = warmRows(stage);
  const cold = coldRows(stage);
  const sizes = sizeRows(stage);
  const bare = bareFloors(stage);
  const bareLines = bare.map(({ floor }) => floor);
  const meter = new Meter(loader);
  const steady = sizes.filter(({ grows }) => !grows);
  const growing = sizes.filter(({ grows }) => grows);
  const accustom = async (name: string, lines: readonly Series[]) => {
    progress(`accustom: ${name}`);
    for (const line of lines) await meter.accustom(line, accustomed);
  };
  for (const row of warm) await accustom(row.name, linesOf(row));
  for (const row of steady) await accustom(`${row.name}, at each size`, row.request);
  await accustom("the bare floors", bareLines);
  progress("waiting for all processes to rest");
  await untilCold(coldPids(stage));
  for (const [tenant, ours] of stage.tenants) await tenant.countFrom(ours);
  for (let round = 1; round <= rounds; round += 1) {
    progress(`round ${round} of ${rounds}: warm`);
    await meter.round(bareLines, bursts);
    for (const row of warm) await meter.round(linesOf(row), bursts);
    progress(`round ${round} of ${rounds}: sizes`);
    for (const row of steady) await sizeRound(meter, row, bursts);
    progress(`round ${round} of ${rounds}: cold`);
    await untilCold(coldPids(stage));
    for (const row of cold) await meter.round(linesOf(row), 1);
    await checkTrails(stage);
  }
  for (const row of growing) {
    await accustom(`${row.name}, at each size`, row.request);
    progress(`all rounds: ${row.name}, at each size`);
    for (let round = 1; round <= rounds; round += 1) await sizeRound(meter, row, bursts);
  }
  return figuresOf(meter, { warm, cold, sizes, bare });
}

/** Of those that are asked cold. */
function coldPids({ floor, middle }: Stage): number[] {
  return [floor.pid, middle.ours.pid];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
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
    throw new Failure("This needs Linux: /proc/PID/task/TID/schedstat is not there.");
  }
  const plan: Plan = values.quick
    ? { rounds, isQuick: true, sizes: quickSizes, cast: fewUsers, accustomed: 40, bursts: 1 }
    : { rounds, isQuick: false, sizes: fullSizes, cast: allUsers, accustomed: 1_000, bursts: 2 };

  const folder = mkdtempSync(join(tmpdir(), "edge-idp-bench-"));
  // At the very end and at once: on Ctrl-C Miniflare ends the process without waiting for anything.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const end = () => process.exit(1);
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  whenNpmEnds(end);

  progress("install the alternatives");
  installPeers();
  progress("bundle the service");
  const bundle = await bundleService(folder);
  progress("starts");
  const { compatibility_date: date } = unstable_readConfig({ config: wranglerToml });
  const startup = await measureStartup(folder, bundle, date ?? "", plan.isQuick);
  const loader = new Loader();
  const stage = await setStage(folder, bundle, loader, plan.sizes, plan.cast, progress);
  try {
    const figures: HotFigures = {
      machine: machine(),
      versions: versions(),
      at: new Date().toISOString(),
      rounds,
      isQuick: plan.isQuick,
      sizes: plan.sizes,
      startup,
      costs: await measure(stage, loader, plan),
    };
    process.stdout.write(
      values.json ? `${JSON.stringify(figures, null, 2)}\n` : hotReport(figures),
    );
    return 0;
  } finally {
    loader.close();
    await stage.close();
  }
}

await runScript(main);
