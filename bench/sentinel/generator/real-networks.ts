/**
 * Loads the real networks from the npm packages `@ip-location-db/asn` (CC BY 4.0) and `asn-country` (CC0).
 * They are downloaded on first use into a cache folder and are not part of the project.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { collectProviders, isHoster, type NetworkTable } from "./networks.ts";

const version = "2.3.2026061719";
const root = join(import.meta.dirname, "..", "..", "..");
const cache = join(root, "node_modules", ".cache", "edge-idp");
const maxBytes = 64 * 1024 * 1024;

const providersSchema = z.array(
  z.object({
    asn: z.int(),
    country: z.string(),
    addresses: z.number(),
    ranges: z.array(z.tuple([z.number(), z.number()])),
  }),
);
const tableSchema = z.object({
  source: z.string(),
  providers: providersSchema,
  hosters: providersSchema,
});

/** Reads the lines of a file in a package: `start,end,third,rest`. */
function readLines(name: "asn" | "asn-country"): string[][] {
  const archive = join(cache, `ip-location-db-${name}-${version}.tgz`);
  if (!existsSync(archive)) {
    const wanted = `@ip-location-db/${name}@${version}`;
    const shell = process.platform === "win32";
    execFileSync("npm", ["pack", wanted, "--pack-destination", cache], { stdio: "ignore", shell });
  }
  const file = `package/${name}-ipv4-num.csv`;
  const text = execFileSync("tar", ["-xzOf", archive, file], { maxBuffer: maxBytes });
  return text
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [start = "", end = "", third = "", ...rest] = line.split(",");
      return [start, end, third, rest.join(",")];
    });
}

function buildTable(): NetworkTable {
  const asns = readLines("asn").map(([start, end, asn, name = ""]) => {
    return { start: Number(start), end: Number(end), asn: Number(asn), name };
  });
  const countries = readLines("asn-country").map(([start, end, country = ""]) => {
    return { start: Number(start), end: Number(end), country };
  });
  const source = `@ip-location-db/asn and asn-country ${version}, IPv4`;
  return {
    source,
    providers: collectProviders(asns, countries),
    hosters: collectProviders(asns, countries, isHoster),
  };
}

/** @throws Error if a package cannot be downloaded */
export function loadRealNetworks(): NetworkTable {
  mkdirSync(cache, { recursive: true });
  const file = join(cache, `networks-${version}.json`);
  if (existsSync(file)) return tableSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  const table = buildTable();
  writeFileSync(`${file}.new`, JSON.stringify(table));
  renameSync(`${file}.new`, file);
  return table;
}
