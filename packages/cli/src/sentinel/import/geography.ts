/** Reads the tables of geography from files or from npm packages. */
import { spawnSync } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { FeedRecord } from "../../../../../src/sentinel/feeds/feed-record.ts";
import { FeedRefusal } from "../../../../../src/sentinel/feeds/validate-list.ts";
import { type Geography, noGeography } from "../../../../../src/sentinel/network/build.ts";
import {
  createTableParser,
  type ParsedTable,
  type TableKind,
} from "../../../../../src/sentinel/network/geography.ts";
import type { ValueRange } from "../../../../../src/sentinel/network/value-segments.ts";
import { messageOf } from "../../describe-error.ts";
import { Failure } from "../../failure.ts";
import { showProgress } from "../../progress.ts";
import type { CountryTable } from "./geography-packages.ts";
import { publicName, type Read, readText } from "./source.ts";

type PackageName = "asn" | CountryTable;

/** The licences that the packages name. The country tables are CC0, built from data of the registries. */
const licences: Readonly<Record<PackageName, string>> = {
  asn: "CC-BY-4.0 (Route Views, DB-IP.com, NRO)",
  "asn-country": "CC0-1.0, of data of the NRO (CC-BY-4.0)",
  "geo-whois-asn-country": "CC0-1.0, of data of the NRO (CC-BY-4.0)",
};

/** The tables to read. Files replace the table of a package. */
export interface GeographyPlan {
  readonly asn: readonly string[];
  readonly country: readonly string[];
  readonly packages: { readonly version: string; readonly countryTable: CountryTable } | undefined;
}

/** A table in one or more files, of one or both families. */
interface TableSource {
  readonly kind: TableKind;
  readonly source: string;
  readonly files: readonly string[];
  readonly licence: string | null;
}

export interface ReadTables {
  readonly geography: Geography;
  readonly records: readonly FeedRecord[];
}

const packedSchema = z.array(z.object({ filename: z.string() })).length(1);

/** Runs the npm that runs this script, or the npm on the path. */
function runNpm(args: readonly string[]): string {
  const { npm_execpath: script } = process.env;
  const [command, first] = script === undefined ? ["npm", []] : [process.execPath, [script]];
  const result = spawnSync(command, [...first, ...args], {
    encoding: "utf8",
    shell: script === undefined && process.platform === "win32",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.status === 0) return result.stdout;
  const output = `${result.stderr ?? ""}${result.error?.message ?? ""}`.trim();
  throw new Failure(`npm ${args[0]} ${args[1]} failed:\n${output}`);
}

/** Fetches a package into a new folder below `parent`. @returns the files of its tables, IPv4 and IPv6 */
export function fetchTable(name: PackageName, version: string, parent: string): string[] {
  const folder = mkdtempSync(join(parent, "package-"));
  const specifier = `@ip-location-db/${name}@${version}`;
  showProgress(`${specifier}: fetching`);
  const output = runNpm([
    "pack",
    specifier,
    "--json",
    "--ignore-scripts",
    "--pack-destination",
    folder,
  ]);
  const [packed] = packedSchema.parse(JSON.parse(output));
  const archive = packed?.filename ?? "";
  // tar on Windows takes "C:" for a host name, so it gets no absolute path.
  const unpacked = spawnSync("tar", ["-xzf", archive], { cwd: folder, encoding: "utf8" });
  if (unpacked.status !== 0) {
    throw new Failure(`tar could not unpack ${archive}: ${unpacked.stderr ?? unpacked.error}`);
  }
  showProgress("");
  return [4, 6].map((family) => join(folder, "package", `${name}-ipv${family}.csv`));
}

function sourceFromFiles(kind: TableKind, files: readonly string[]): TableSource {
  return { kind, source: files.map(publicName).join(", "), files, licence: null };
}

function fetchPackageSource(
  kind: TableKind,
  name: PackageName,
  version: string,
  folder: string,
): TableSource {
  const files = fetchTable(name, version, folder);
  const source = `npm:@ip-location-db/${name}@${version}`;
  return { kind, source, files, licence: licences[name] };
}

/** Finds the tables of a plan, and fetches packages where it names no files. */
function fetchSources({ asn, country, packages }: GeographyPlan, folder: string): TableSource[] {
  const sources: TableSource[] = [];
  if (asn.length > 0) sources.push(sourceFromFiles("asn", asn));
  else if (packages !== undefined) {
    sources.push(fetchPackageSource("asn", "asn", packages.version, folder));
  }
  if (country.length > 0) sources.push(sourceFromFiles("country", country));
  else if (packages !== undefined) {
    sources.push(fetchPackageSource("country", packages.countryTable, packages.version, folder));
  }
  return sources;
}

/** The store has no geography apart from the shards, so no older table can stay in use. @throws Failure */
async function readTableText(
  kind: TableKind,
  file: string,
  hash: Hash,
): Promise<Read<ParsedTable>> {
  try {
    const name = `${kind} (${publicName(file)})`;
    return await readText(name, file, hash, () => createTableParser(kind));
  } catch (error) {
    if (!(error instanceof FeedRefusal)) throw error;
    throw new Failure(`The table ${kind} was refused: ${messageOf(error)}. Nothing was written.`);
  }
}

async function readTable({ kind, source, files, licence }: TableSource, now: number) {
  const ranges: Record<4 | 6, readonly ValueRange[]> = { 4: [], 6: [] };
  const hash = createHash("sha256");
  let rows = 0;
  let skippedLines = 0;
  for (const file of files) {
    const { parsed } = await readTableText(kind, file, hash);
    for (const family of [4, 6] as const) {
      ranges[family] = ranges[family].concat(parsed.ranges[family]);
    }
    rows += parsed.rows;
    skippedLines += parsed.skipped;
  }
  const sha256 = hash.digest("hex");
  const times = { fetchedAt: now, changedAt: now, lastError: null };
  const storage = { value: null, etag: null, ...times };
  const record: FeedRecord = {
    name: kind,
    kind,
    source,
    licence,
    format: "CSV",
    rows,
    skippedLines,
    sha256,
    ...storage,
  };
  return { ranges, record };
}

/** Reads all tables of the plan. @throws Failure if a table cannot be read */
export async function readGeography(plan: GeographyPlan, now: number): Promise<ReadTables> {
  const folder = mkdtempSync(join(tmpdir(), "sentinel-geography-"));
  try {
    const tables = { ...noGeography };
    const records: FeedRecord[] = [];
    for (const source of fetchSources(plan, folder)) {
      const { ranges, record } = await readTable(source, now);
      tables[source.kind] = ranges;
      records.push(record);
    }
    return { geography: tables, records };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
