/** Reads a folder of published lists and tables: the feed of each file, and its rows. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { catalogue } from "../../src/sentinel/feeds/catalogue.ts";
import type { NetworkKind } from "../../src/sentinel/network/network-facts.ts";
import { Rows } from "./network-rows.ts";

export interface FeedFile {
  readonly name: string;
  readonly kind: NetworkKind;
  readonly file: string;
}

/** What a source states about an address in one of its ranges. */
type Meaning =
  | { readonly type: "feed"; readonly kind: NetworkKind }
  /** A list of network numbers, which has no rows. */
  | { readonly type: "numbers"; readonly kind: NetworkKind; readonly asns: ReadonlySet<number> }
  | { readonly type: "asn" }
  | { readonly type: "country" };

export interface Source {
  readonly meaning: Meaning;
  readonly rows: Rows;
}

/** Maps the publishers' file names to the names of the catalogue. */
const renamings: readonly (readonly [RegExp, string])[] = [
  [/^x4b\/(\w+)_(v4|v6|asn)\.txt$/, "x4b-$1-$2"],
  [/^ipranges\/([\w-]+)\.ipv([46])_merged\.txt$/, "$1-v$2"],
  [/^(ipsum)\.txt$/, "$1"],
  [/^(shadowwhisperer)_(\w+)\.txt$/, "$1-$2"],
];

function nameOf(path: string): string | undefined {
  const renaming = renamings.find(([pattern]) => pattern.test(path));
  return renaming && path.replace(renaming[0], renaming[1]).toLowerCase();
}

/** A list of network numbers has the kind of the publisher's list of addresses. */
function kindOf(name: string): NetworkKind | undefined {
  const byAddress = name.replace(/-asn$/, "-v4");
  return catalogue.find((feed) => feed.name === byAddress)?.kind;
}

/** Finds the feeds of a folder, and its files that are no feeds. */
export function findFeedFiles(folder: string): { feeds: FeedFile[]; unknown: string[] } {
  const feeds: FeedFile[] = [];
  const unknown: string[] = [];
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const path of paths.map((one) => one.replaceAll("\\", "/")).toSorted()) {
    if (!path.endsWith(".txt")) continue;
    const name = nameOf(path);
    const kind = name === undefined ? undefined : kindOf(name);
    if (name === undefined || kind === undefined) unknown.push(path);
    else feeds.push({ name, kind, file: join(folder, path) });
  }
  return { feeds, unknown };
}

function readLines(file: string): string[] {
  const lines = readFileSync(file, "utf8").split(/\r?\n/);
  return lines.map((line) => line.split("#", 1)[0]?.trim() ?? "").filter((line) => line !== "");
}

export function readFeedFile({ kind, file, name }: FeedFile): Source {
  const lines = readLines(file);
  const rows = new Rows();
  if (name.endsWith("-asn")) {
    const asns = new Set(lines.map((line) => Number(line.replace(/^AS/, ""))));
    return { meaning: { type: "numbers", kind, asns }, rows };
  }
  for (const line of lines) {
    const [address = "", count = "1"] = line.split(/\s+/);
    rows.addNetwork(address, Number(count));
  }
  return { meaning: { type: "feed", kind }, rows };
}

export function readTableFiles(type: "asn" | "country", files: readonly string[]): Source {
  const rows = new Rows();
  for (const file of files) {
    for (const line of readFileSync(file, "utf8").split("\n")) {
      const [first, last, value = ""] = line.split(",", 3);
      if (first === undefined || last === undefined) continue;
      const letters = value.charCodeAt(0) * 256 + value.charCodeAt(1);
      rows.addRange(first, last, type === "asn" ? Number(value) : letters);
    }
  }
  return { meaning: { type }, rows };
}
