/**
 * `npm run bench:sentinel`: compares Sentinel with published models on synthetic logins and writes the report
 * to docs/. ../README.md describes the method.
 *
 * worker.ts runs one year per thread: year.ts generates it (generator/), chooses the trials (protocol.ts) and
 * has every model (models/) score them. report/ turns the scores into tables and plots.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../../packages/cli/src/failure.ts";
import { runScript } from "../../scripts/support/run-script.ts";
import { model } from "../../src/sentinel/weights.ts";
import { whole } from "../support/figures.ts";
import { machine } from "../support/machine.ts";
import { asDefined, nearLocality, publishedLocality, withHistoryOnly } from "./generator/rates.ts";
import { loadRealAgents } from "./generator/real-agents.ts";
import { loadRealNetworks } from "./generator/real-networks.ts";
import { createSyntheticNetworks } from "./generator/synthetic-networks.ts";
import { sentinelName } from "./models/sentinel.ts";
import { renderChallengePlot, renderRocPlot } from "./report/curves.ts";
import { renderDocument } from "./report/document.ts";
import { createRecord, saveRecord } from "./report/records.ts";
import { poolColumns } from "./results.ts";
import { writeTrainingData } from "./training-data.ts";
import type { Order } from "./worker.ts";
import type { Year } from "./year.ts";
import { runYears } from "./years.ts";

const helpText = `Compare Sentinel with published models on synthetic logins.

  npm run bench:sentinel -- [options]

  --seeds A,B,…   seeds of the years to generate (default: 1,2,3,4,5; 101 and 102 are for tuning)
  --users N       users per year (default: 10,000)
  --out FOLDER    the folder for the report and the plots (default: docs)
  --quick         two small years on synthetic networks, without a download; prints the report and
                  writes nothing unless --out is given
  --record FILE   also writes the figures of Sentinel to the file, to compare later models with them
  --features FOLDER
                  also writes the features of all logins and attacks, to train models on them
  --help
`;

const defaultSeeds = "1,2,3,4,5";
const defaultUsers = 10_000;
const minUsers = 500;
const quickDefaults = { seeds: "1,2", users: 1_500, rounds: 50 } as const;
const defaultRounds = 200;
/** A few years are enough for what is only a comparison. */
const maxSeedsOfLocality = 2;
const maxSeedsOfOtherReading = 1;
const root = join(import.meta.dirname, "..", "..");

function printProgress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

function parseSeeds(text: string): number[] {
  const seeds = text.split(",").map(Number);
  const areGood = seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0 && seed < 1_000);
  if (!areGood || new Set(seeds).size < seeds.length) {
    throw new Failure("--seeds must be different whole numbers below 1000, separated by commas");
  }
  return seeds;
}

function parseUsers(text: string): number {
  const users = Number(text);
  if (!Number.isSafeInteger(users) || users < minUsers || users > 200_000) {
    throw new Failure(`--users must be a whole number from ${minUsers} to 200000`);
  }
  return users;
}

function parseOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string" },
      users: { type: "string" },
      out: { type: "string" },
      record: { type: "string" },
      features: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const isQuick = values.quick;
  return {
    isQuick,
    help: values.help,
    seeds: parseSeeds(values.seeds ?? (isQuick ? quickDefaults.seeds : defaultSeeds)),
    users:
      values.users === undefined
        ? isQuick
          ? quickDefaults.users
          : defaultUsers
        : parseUsers(values.users),
    out: values.out ?? (isQuick ? undefined : join(root, "docs")),
    record: values.record,
    features: values.features,
  };
}

function recordFigures(
  file: string,
  years: readonly Year[],
  about: { readonly model: string; readonly command: string; readonly users: number },
): void {
  const columns = poolColumns(years.map((year) => year.columns));
  const digests = years.map(({ digest }) => digest);
  saveRecord(file, createRecord(about, digests, columns, sentinelName));
}

async function evaluate(): Promise<number> {
  const args = process.argv.slice(2);
  const { help, isQuick, seeds, users, out, record, features } = parseOptions(args);
  if (help) {
    process.stdout.write(helpText);
    return 0;
  }
  // Download the packages once, before the threads need them.
  const table = isQuick ? createSyntheticNetworks() : loadRealNetworks();
  const networks = isQuick ? "synthetic" : "real";
  const withFeatures = features !== undefined;
  const order =
    (reading: string, locality: string) =>
    (seed: number): Order => ({ seed, users, reading, locality, networks, withFeatures });
  const orders = [
    seeds.map(order(asDefined.name, nearLocality.name)),
    seeds
      .slice(0, isQuick ? 1 : maxSeedsOfLocality)
      .map(order(asDefined.name, publishedLocality.name)),
    isQuick
      ? []
      : seeds.slice(0, maxSeedsOfOtherReading).map(order(withHistoryOnly.name, nearLocality.name)),
  ];
  const all = orders.flat();
  printProgress(`${all.length} years of ${whole(users)} users`);
  const made = await runYears(all, ({ seed, reading, locality }) =>
    printProgress(`seed ${seed}, ${reading}, ${locality} locality`),
  );
  const [years = [], localityYears = [], otherYears = []] = orders.map((group) =>
    group.flatMap((one) => made[all.indexOf(one)] ?? []),
  );
  const command = ["npm run bench:sentinel", ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
  for (const group of [years, localityYears]) {
    if (record !== undefined) recordFigures(record, group, { model, command, users });
    if (features !== undefined) writeTrainingData(features, group, users);
  }
  const evaluation = {
    command,
    at: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: `Node ${process.versions.node}`,
    sources: [table.source, loadRealAgents().source],
    model,
    users,
    years,
    localityYears,
    otherYears,
    providers: table.providers,
    rounds: isQuick ? quickDefaults.rounds : defaultRounds,
  };
  const text = renderDocument(evaluation);
  if (out === undefined) {
    process.stdout.write(text);
    return 0;
  }
  const columns = poolColumns(evaluation.years.map((year) => year.columns));
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "sentinel-evaluation.md"), text);
  writeFileSync(join(out, "sentinel-roc.svg"), renderRocPlot(columns));
  writeFileSync(join(out, "sentinel-challenge.svg"), renderChallengePlot(columns));
  printProgress(`written to ${out}`);
  return 0;
}

await runScript(evaluate);
