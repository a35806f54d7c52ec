/**
 * `npm run bench:network`: lists and tables at their real size through the import, into a KV of its
 * own, and lookups held against the files they came from. README.md says what each figure is.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure, runScript } from "../scripts/support/failure.ts";
import type { ImportFigures } from "../scripts/support/sentinel-figures.ts";
import {
  countryTables,
  fetchTable,
  geographyVersion,
} from "../scripts/support/sentinel-geography.ts";
import { openLocalStore } from "../scripts/support/sentinel-store.ts";
import { Random } from "./sentinel/random.ts";
import { drawAddresses, halvesOfAll } from "./support/network-addresses.ts";
import { compareLookups, cacheReads, timeLookups } from "./support/network-lookups.ts";
import { type NetworkFigures, renderNetworkReport } from "./support/network-report.ts";
import { scan } from "./support/network-scan.ts";
import {
  type FeedFile,
  findFeeds,
  readFeedFile,
  readTableFiles,
  type Source,
} from "./support/network-sources.ts";

const helpText = `Measure the network data at its real size on this machine.

  npm run bench:network -- --feeds DIR [options]

  --feeds DIR      a folder of published lists: x4b/, ipranges/, ipsum.txt, shadowwhisperer_*.txt;
                   what is not there is left out
  --addresses N    addresses to check, at least 4 (default: 10,000)
  --seed N         for other addresses (default: 1)
  --json           the figures as JSON instead of a table
  --help

The tables of geography are fetched from npm.
`;

const usualAddresses = 10_000;
const fewestAddresses = 4;
const importScript = join(import.meta.dirname, "..", "scripts", "sentinel-import.ts");

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

function progress(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

function isFigures(value: unknown): value is ImportFigures {
  return typeof value === "object" && value !== null && "shardBytes" in value;
}

/** The import as people start it, so that its time and memory are its own. */
function runImport({ feeds, tables }: Plan, folder: string): ImportFigures {
  const args = [
    ...feeds.flatMap(({ name, kind, file }) => ["--feed", `${name}:${kind}=${file}`]),
    ...tables.asn.flatMap((file) => ["--asn", file]),
    ...tables.country.flatMap((file) => ["--country", file]),
    ...["--persist-to", folder, "--json"],
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, [importScript, ...args], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Failure(`The import failed:\n${stderr}`);
  const figures: unknown = JSON.parse(stdout);
  if (!isFigures(figures)) throw new Failure(`The import printed no figures: ${stdout}`);
  return figures;
}

/** Numbers of networks mean something once the table of networks was read. */
function readSources({ feeds, tables }: Plan): Source[] {
  return [
    readTableFiles("asn", tables.asn),
    readTableFiles("country", tables.country),
    ...feeds.map(readFeedFile),
  ];
}

async function checkLookups(plan: Plan, folder: string) {
  const sources = readSources(plan);
  const numbers = new Random(`network/${plan.seed}`);
  const random = () => numbers.next();
  const samples = ([4, 6] as const).map((family) => {
    const texts = drawAddresses(family, sources, plan.addresses / 2, random);
    progress(`${texts.length} IPv${family} addresses: every row for each of them`);
    return { texts, expected: scan(family, sources, halvesOfAll(texts)) };
  });
  const texts = samples.flatMap((one) => one.texts);
  const expected = samples.flatMap((one) => one.expected);
  const local = await openLocalStore(folder);
  try {
    const kv = cacheReads(local.namespace);
    const now = Date.now();
    progress("looking them up");
    const checked = await compareLookups(kv.store, texts, expected, now, progress);
    return { checked, lookup: await timeLookups(kv, texts, now) };
  } finally {
    await local.close();
  }
}

async function measure(plan: Plan): Promise<NetworkFigures> {
  const folder = mkdtempSync(join(tmpdir(), "bench-network-"));
  try {
    progress(`importing, with countries from ${plan.tables.name}`);
    const imported = runImport(plan, folder);
    progress("importing again");
    const again = runImport(plan, folder);
    return {
      countryTable: plan.tables.name,
      imported,
      again,
      ...(await checkLookups(plan, folder)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function wholeNumber(name: string, text: string | undefined, usual: number, least: number): number {
  const value = Number(text ?? usual);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Failure(`--${name} ${text}: expected a whole number from ${least}.`);
}

function feedsOf(folder: string | undefined): readonly FeedFile[] {
  if (folder === undefined) throw new Failure("No --feeds given; see --help.");
  if (!existsSync(folder)) {
    progress(`${folder} is not there: geography alone`);
    return [];
  }
  const { feeds, unknown } = findFeeds(folder);
  for (const path of unknown) progress(`${path}: no list of the catalogue, left out`);
  if (feeds.length === 0) progress(`no lists in ${folder}: geography alone`);
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
  const feeds = feedsOf(options.feeds);
  const addresses = wholeNumber("addresses", options.addresses, usualAddresses, fewestAddresses);
  const seed = wholeNumber("seed", options.seed, 1, 0);
  const folder = mkdtempSync(join(tmpdir(), "bench-network-tables-"));
  const figures: NetworkFigures[] = [];
  try {
    progress(`fetching tables ${geographyVersion}`);
    const asn = fetchTable("asn", geographyVersion, folder);
    for (const name of countryTables) {
      const tables = { name, asn, country: fetchTable(name, geographyVersion, folder) };
      figures.push(await measure({ feeds, tables, addresses, seed }));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(
    options.json ? `${JSON.stringify(figures, null, 2)}\n` : renderNetworkReport(figures),
  );
  return figures.every(({ checked }) => checked.differences === 0) ? 0 : 1;
}

await runScript(main);
