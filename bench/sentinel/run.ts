/**
 * `npm run bench:sentinel`: how good Sentinel is beside the published models, on synthetic logins.
 * ../README.md says what is measured; the report goes to docs/.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure, runScript } from "../../scripts/support/failure.ts";
import { model } from "../../src/sentinel/weights.ts";
import { whole } from "../support/figures.ts";
import { machine } from "../support/machine.ts";
import { realAgents } from "./generator/real-agents.ts";
import { madeUpNetworks } from "./generator/synthetic-networks.ts";
import { realNetworks } from "./generator/real-networks.ts";
import { asDefined, withHistoryOnly } from "./generator/rates.ts";
import { sentinelThresholds } from "./models/sentinel.ts";
import { challengePlot, rocPlot } from "./report/curves.ts";
import { documentOf } from "./report/document.ts";
import { pooled } from "./results.ts";
import type { Order } from "./worker.ts";
import { runYears } from "./years.ts";

const helpText = `Evaluate Sentinel beside the published models, on synthetic logins.

  npm run bench:sentinel -- [options]

  --seeds A,B,…   years to generate, each with a seed (default: 1,2,3,4,5)
  --users N       users of a year (default: 20,000)
  --out FOLDER    where report and plots go (default: docs)
  --quick         a small year on made-up networks, without any download; prints the report and writes
                  nothing unless --out is given
  --help
`;

const usualSeeds = "1,2,3,4,5";
const usualUsers = 20_000;
const fewestUsers = 500;
const quick = { seeds: "1,2", users: 2_500, rounds: 50 } as const;
const usualRounds = 200;
/** The other reading is a side light: two years are enough. */
const seedsOfOtherReading = 2;
const root = join(import.meta.dirname, "..", "..");

function progress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

function seedsFrom(text: string): number[] {
  const seeds = text.split(",").map(Number);
  const areGood = seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0 && seed < 1_000);
  if (!areGood || new Set(seeds).size < seeds.length) {
    throw new Failure("--seeds wants different whole numbers below 1000, with commas");
  }
  return seeds;
}

function usersFrom(text: string): number {
  const users = Number(text);
  if (!Number.isSafeInteger(users) || users < fewestUsers || users > 200_000) {
    throw new Failure(`--users wants a whole number from ${fewestUsers} to 200000`);
  }
  return users;
}

function optionsFrom(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string" },
      users: { type: "string" },
      out: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const isQuick = values.quick;
  return {
    isQuick,
    help: values.help,
    seeds: seedsFrom(values.seeds ?? (isQuick ? quick.seeds : usualSeeds)),
    users:
      values.users === undefined ? (isQuick ? quick.users : usualUsers) : usersFrom(values.users),
    out: values.out ?? (isQuick ? undefined : join(root, "docs")),
  };
}

async function evaluate(): Promise<number> {
  const args = process.argv.slice(2);
  const { help, isQuick, seeds, users, out } = optionsFrom(args);
  if (help) {
    process.stdout.write(helpText);
    return 0;
  }
  // Fetched once before the threads ask for it.
  const table = isQuick ? madeUpNetworks() : realNetworks();
  const networks = isQuick ? "made up" : "real";
  const order =
    (reading: string) =>
    (seed: number): Order => ({ seed, users, reading, networks });
  const usual = seeds.map(order(asDefined.name));
  const others = isQuick ? [] : seeds.slice(0, seedsOfOtherReading);
  const all = [...usual, ...others.map(order(withHistoryOnly.name))];
  progress(`${all.length} years of ${whole(users)} users`);
  const years = await runYears(all, ({ seed, reading }) => progress(`seed ${seed}, ${reading}`));
  const evaluation = {
    command: ["npm run bench:sentinel", ...(args.length > 0 ? ["--", ...args] : [])].join(" "),
    at: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: `Node ${process.versions.node}`,
    sources: [table.source, realAgents().source],
    model,
    users,
    years: years.slice(0, usual.length),
    otherYears: years.slice(usual.length),
    thresholds: sentinelThresholds,
    rounds: isQuick ? quick.rounds : usualRounds,
  };
  const text = documentOf(evaluation);
  if (out === undefined) {
    process.stdout.write(text);
    return 0;
  }
  const columns = pooled(evaluation.years.map((year) => year.columns));
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "sentinel-evaluation.md"), text);
  writeFileSync(join(out, "sentinel-roc.svg"), rocPlot(columns));
  writeFileSync(join(out, "sentinel-challenge.svg"), challengePlot(columns));
  progress(`written to ${out}`);
  return 0;
}

await runScript(evaluate);
