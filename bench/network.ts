/**
 * `npm run bench:network`: imports lists and tables of real size into an empty KV, and compares lookups with a scan
 * of the files. README.md in this folder defines each figure.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../packages/cli/src/failure.ts";
import type { ImportFigures } from "../packages/cli/src/sentinel/import/figures.ts";
import { fetchTable } from "../packages/cli/src/sentinel/import/geography.ts";
import {
  countryTables,
  geographyVersion,
} from "../packages/cli/src/sentinel/import/geography-packages.ts";
import { openLocalStore } from "../packages/cli/src/sentinel/import/store.ts";
import { runScript } from "../scripts/support/run-script.ts";
import { Random } from "./sentinel/random.ts";
import { sampleAddresses, wordsOfAll } from "./support/network-addresses.ts";
import { cacheStore, compareLookups, timeLookups } from "./support/network-lookups.ts";
import { formatNetworkReport, type NetworkFigures } from "./support/network-report.ts";
import { scan } from "./support/network-scan.ts";
import {
  type FeedFile,
  findFeedFiles,
  readFeedFile,
  readTableFiles,
  type Source,
} from "./support/network-sources.ts";

const helpText = `Measure the network data at its real size on this machine.

  npm run bench:network -- --feeds DIR [options]

  --feeds DIR      a folder of published lists: x4b/, ipranges/, ipsum.txt, shadowwhisperer_*.txt;
                   missing ones are left out
  --addresses N    addresses to check, at least 4 (default: 10,000)
  --seed N         seed of the sampled addresses (default: 1)
  --json           the figures as JSON instead of a table
  --help

The bench fetches the tables of geography from npm.
`;

const defaultAddresses = 10_000;
const minAddresses = 4;
const edgeIdp = join(import.meta.dirname, "..", "packages", "cli", "bin", "edge-idp.js");

interface Tables {
  readonly name: string;
  readonly asn: readonly string[];
  readonly country: readonly string[];
}

interface Plan {
  readonly feeds: readonly FeedFile[];
  readonly tables: Tables;
  readonly addresses: number;
  readonly seed: number;
}

function printProgress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

function isFigures(value: unknown): value is ImportFigures {
  return typeof value === "object" && value !== null && "shardBytes" in value;
}

/** Runs the import as a process of its own, so that its time and memory are measured alone. */
function runImport({ feeds, tables }: Plan, folder: string): ImportFigures {
  const args = [
    ...feeds.flatMap(({ name, kind, file }) => ["--feed", `${name}:${kind}=${file}`]),
    ...tables.asn.flatMap((file) => ["--asn", file]),
    ...tables.country.flatMap((file) => ["--country", file]),
    ...["--persist-to", folder, "--json"],
  ];
  const command = [edgeIdp, "sentinel", "import", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: "utf8",
  });
  if (status !== 0) throw new Failure(`The import failed:\n${stderr}`);
  const figures: unknown = JSON.parse(stdout);
  if (!isFigures(figures)) throw new Failure(`The import printed no figures: ${stdout}`);
  return figures;
}

/** Lists of network numbers come last, because they need the table of networks. */
function readSources({ feeds, tables }: Plan): Source[] {
  return [
    readTableFiles("asn", tables.asn),
    readTableFiles("country", tables.country),
    ...feeds.map(readFeedFile),
  ];
}

async function measureLookups(plan: Plan, folder: string) {
  const sources = readSources(plan);
  const numbers = new Random(`network/${plan.seed}`);
  const random = () => numbers.next();
  const samples = ([4, 6] as const).map((family) => {
    const texts = sampleAddresses(family, sources, plan.addresses / 2, random);
    printProgress(`${texts.length} IPv${family} addresses: scanning every row for each`);
    return { texts, expected: scan(family, sources, wordsOfAll(texts)) };
  });
  const texts = samples.flatMap((one) => one.texts);
  const expected = samples.flatMap((one) => one.expected);
  const local = await openLocalStore(folder);
  try {
    const kv = cacheStore(local.namespace);
    const now = Date.now();
    printProgress("looking up the addresses");
    const checked = await compareLookups(kv.store, texts, expected, now, printProgress);
    return { checked, lookup: await timeLookups(kv, texts, now) };
  } finally {
    await local.close();
  }
}

async function measure(plan: Plan): Promise<NetworkFigures> {
  const folder = mkdtempSync(join(tmpdir(), "bench-network-"));
  try {
    printProgress(`importing, with countries from ${plan.tables.name}`);
    const imported = runImport(plan, folder);
    printProgress("importing again");
    const again = runImport(plan, folder);
    return {
      countryTable: plan.tables.name,
      imported,
      again,
      ...(await measureLookups(plan, folder)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parseWholeNumber(
  name: string,
  text: string | undefined,
  defaultValue: number,
  min: number,
): number {
  const value = Number(text ?? defaultValue);
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new Failure(`--${name} ${text}: expected a whole number from ${min}.`);
}

function findFeeds(folder: string | undefined): readonly FeedFile[] {
  if (folder === undefined) throw new Failure("No --feeds given; see --help.");
  if (!existsSync(folder)) {
    printProgress(`${folder} does not exist: importing geography alone`);
    return [];
  }
  const { feeds, unknown } = findFeedFiles(folder);
  for (const path of unknown) printProgress(`${path}: not a list of the catalogue, left out`);
  if (feeds.length === 0) printProgress(`no lists in ${folder}: importing geography alone`);
  return feeds;
}

async function main(): Promise<number> {
  const { values: options } = parseArgs({
    options: {
      feeds: { type: "string" },
      addresses: { type: "string" },
      seed: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (options.help) {
    process.stdout.write(helpText);
    return 0;
  }
  const feeds = findFeeds(options.feeds);
  const addresses = parseWholeNumber(
    "addresses",
    options.addresses,
    defaultAddresses,
    minAddresses,
  );
  const seed = parseWholeNumber("seed", options.seed, 1, 0);
  const folder = mkdtempSync(join(tmpdir(), "bench-network-tables-"));
  const figures: NetworkFigures[] = [];
  try {
    printProgress(`fetching tables ${geographyVersion}`);
    const asn = fetchTable("asn", geographyVersion, folder);
    for (const name of countryTables) {
      const tables = { name, asn, country: fetchTable(name, geographyVersion, folder) };
      figures.push(await measure({ feeds, tables, addresses, seed }));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(
    options.json ? `${JSON.stringify(figures, null, 2)}\n` : formatNetworkReport(figures),
  );
  return figures.every(({ checked }) => checked.differences === 0) ? 0 : 1;
}

await runScript(main);
