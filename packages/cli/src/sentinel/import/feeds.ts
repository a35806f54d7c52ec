/** The feeds of an import: their names, kinds and sources. */
import { createHash } from "node:crypto";
import { catalogue } from "../../../../../src/sentinel/feeds/catalogue.ts";
import type { FeedRecord } from "../../../../../src/sentinel/feeds/feed-record.ts";
import { encodeFeedValue, type FeedValue } from "../../../../../src/sentinel/feeds/feed-value.ts";
import {
  createAsnListParser,
  findRangesOfNetworks,
  isAsnList,
} from "../../../../../src/sentinel/network/asn-list.ts";
import type { Geography } from "../../../../../src/sentinel/network/build.ts";
import type { Feed } from "../../../../../src/sentinel/network/combine-feeds.ts";
import { measureCoverage } from "../../../../../src/sentinel/network/coverage.ts";
import { createFeedParser, type ParsedFeed } from "../../../../../src/sentinel/network/feed.ts";
import {
  isNetworkKind,
  type NetworkKind,
  networkKinds,
} from "../../../../../src/sentinel/network/network-facts.ts";
import { FeedRanges } from "../../../../../src/sentinel/network/ranges.ts";
import { Failure } from "../../failure.ts";
import { publicName, type Read, readText } from "./source.ts";

/** A feed of one or more files or URLs, usually one for each address family. */
export interface FeedPlan {
  readonly name: string;
  readonly kind: NetworkKind;
  readonly sources: readonly string[];
}

export interface ReadFeed {
  readonly feed: Feed;
  readonly record: FeedRecord;
  readonly value: FeedValue;
}

/** A feed name is part of a KV key and of configurations. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The kind that a feed's name suggests; the first match counts. */
const kindHints: readonly (readonly [RegExp, NetworkKind])[] = [
  [/\btor|onion/, "tor"],
  [/relay|icloud|apple/, "relay"],
  [/vpn|tunnel/, "vpn"],
  [/proxy|proxies|socks/, "proxy"],
  [/scan/, "scanner"],
  [/bot\b|crawl|spider/, "crawler"],
  [/hosting|data.?cent/, "hosting"],
  [/cloud|amazon|aws|azure|gcp|google|microsoft|oracle|linode|vultr|digital.?ocean/, "cloud"],
];

/** Takes the kind from the catalogue or from the name. @throws Failure if neither knows one */
function guessKind(name: string): NetworkKind {
  const listed = catalogue.find((feed) => feed.name === name);
  if (listed !== undefined) return listed.kind;
  const words = name.toLowerCase().replaceAll(/[_-]/g, " ");
  if (isNetworkKind(words)) return words;
  const hint = kindHints.find(([pattern]) => pattern.test(words));
  if (hint !== undefined) return hint[1];
  throw new Failure(
    `--feed ${name}=…: the name does not say what kind of addresses the list has; write --feed ${name}:KIND=…, where KIND is one of ${networkKinds.join(", ")}.`,
  );
}

function parseArgument(argument: string): { name: string; kind: NetworkKind; source: string } {
  const [, name, kind, source] = /^([^:=]+)(?::([^:=]*))?=(.+)$/.exec(argument) ?? [];
  if (name === undefined || source === undefined) {
    throw new Failure(`--feed ${argument}: expected NAME=FILE or NAME:KIND=FILE.`);
  }
  if (!namePattern.test(name)) {
    throw new Failure(`--feed ${argument}: NAME may have letters, digits, ".", "_" and "-".`);
  }
  if (kind === undefined) return { name, kind: guessKind(name), source };
  if (!isNetworkKind(kind)) {
    throw new Failure(`--feed ${argument}: KIND must be one of ${networkKinds.join(", ")}.`);
  }
  return { name, kind, source };
}

/**
 * Parses `--feed` arguments; files with one name form one feed.
 * @throws Failure for an invalid argument
 */
export function planFeeds(args: readonly string[]): FeedPlan[] {
  const plans = new Map<string, FeedPlan>();
  for (const argument of args) {
    const { name, kind, source } = parseArgument(argument);
    const known = plans.get(name);
    if (known !== undefined && known.kind !== kind) {
      throw new Failure(`--feed ${argument}: ${name} is of kind ${known.kind} already.`);
    }
    plans.set(name, { name, kind, sources: [...(known?.sources ?? []), source] });
  }
  return [...plans.values()];
}

/** Every feed of the catalogue except those given by an argument. */
export function planCatalogue(given: readonly FeedPlan[]): FeedPlan[] {
  return catalogue
    .filter(({ name }) => given.every((feed) => feed.name !== name))
    .map(({ name, kind, address }) => ({ name, kind, sources: [address] }));
}

/** Parses a list of network numbers into the address ranges that the table gives them. */
function createNetworksParser(source: string, { asn }: Geography) {
  const reader = createAsnListParser();
  return {
    push: reader.push,
    finish(): ParsedFeed {
      const { asns, ...counts } = reader.finish();
      if (asn[4].length + asn[6].length === 0) {
        throw new Failure(
          `${publicName(source)}: lists networks by number; add --geography or --asn.`,
        );
      }
      return { ranges: findRangesOfNetworks(asns, asn), ...counts };
    },
  };
}

function appendRanges(into: FeedRanges, from: FeedRanges): void {
  for (const family of [4, 6] as const) {
    const { firstHigh, firstLow, lastHigh, lastLow, count, length } = from.byFamily[family];
    for (let row = 0; row < length; row += 1) {
      const first = (BigInt(firstHigh[row] ?? 0) << 32n) | BigInt(firstLow[row] ?? 0);
      const last = (BigInt(lastHigh[row] ?? 0) << 32n) | BigInt(lastLow[row] ?? 0);
      into.byFamily[family].push(first, last, count[row] ?? 1);
    }
  }
}

interface Texts {
  readonly ranges: FeedRanges;
  readonly rows: number;
  readonly skippedLines: number;
  readonly sha256: string;
  readonly etag: string | null;
  readonly isByNumber: boolean;
}

async function readTexts({ name, kind, sources }: FeedPlan, geography: Geography): Promise<Texts> {
  const ranges = new FeedRanges();
  const hash = createHash("sha256");
  let rows = 0;
  let skippedLines = 0;
  let isByNumber = false;
  let etag: string | null = null;
  const label = `${name} (${kind})`;
  for (const source of sources) {
    const read: Read<ParsedFeed> = await readText(label, source, hash, (beginning) => {
      isByNumber = isAsnList(beginning);
      return isByNumber ? createNetworksParser(source, geography) : createFeedParser();
    });
    appendRanges(ranges, read.parsed.ranges);
    rows += read.parsed.rows;
    skippedLines += read.parsed.skipped;
    etag = read.etag;
  }
  // One ETag cannot identify several texts.
  if (sources.length > 1) etag = null;
  return { ranges, rows, skippedLines, sha256: hash.digest("hex"), etag, isByNumber };
}

/** The parts of a feed's record that do not depend on its text. */
export function describeFeed({ name, kind, sources }: FeedPlan) {
  const listed = catalogue.find((feed) => feed.name === name);
  const source = sources.map(publicName).join(", ");
  return { name, kind, source, licence: listed?.licence ?? null, format: listed?.format ?? null };
}

/**
 * Reads all sources of a feed.
 * @param geography maps network numbers to addresses
 * @throws FeedRefusal if a text is not a list, or a URL does not give it; Failure if the command is at fault
 */
export async function readFeed(
  plan: FeedPlan,
  geography: Geography,
  now: number,
): Promise<ReadFeed> {
  const { ranges, isByNumber, ...counts } = await readTexts(plan, geography);
  const described = describeFeed(plan);
  const value = encodeFeedValue(ranges);
  const record: FeedRecord = {
    ...described,
    format: isByNumber ? "numbers of networks" : described.format,
    ...counts,
    coverage: measureCoverage(ranges),
    value: value.digest,
    fetchedAt: now,
    changedAt: now,
    lastError: null,
  };
  return { feed: { kind: plan.kind, ranges }, record, value };
}
