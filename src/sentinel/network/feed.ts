/**
 * Parses the text of a feed line by line (pure). Every format that feeds use is accepted:
 *
 *   203.0.113.0/24              network or single address, IPv4 or IPv6
 *   203.0.113.7<TAB>4           the same and the number of blacklists that name it
 *   203.0.113.0,203.0.113.255,… first and last address, further fields ignored
 *   203.0.113.0/24,GB,…         network, further fields ignored (RFC 8805 geofeeds)
 *   {"cidr":"203.0.113.0/24",…} JSON, further fields ignored (Spamhaus DROP)
 *
 * `#` and `;` begin a comment, also after an entry. A line that cannot be read is counted and skipped; the
 * first ones are reported with number and reason.
 */
import { addressBits, type Family, type Network, parseAddress, parseNetwork } from "./address.ts";
import { decodeEmbeddedNetwork } from "./embedded-ipv4.ts";
import { isJsonLine, readJsonLine } from "./json-line.ts";
import { createLineReader, type LineCounts } from "./lines.ts";
import { FeedRanges } from "./ranges.ts";

export interface FeedEntry {
  readonly family: Family;
  readonly first: bigint;
  /** Inclusive. */
  readonly last: bigint;
  /** Number of blacklists that name it; 1 if the feed does not say. */
  readonly count: number;
}

export type FeedLine =
  | { readonly type: "entry"; readonly entry: FeedEntry }
  | { readonly type: "blank" }
  | { readonly type: "bad"; readonly reason: string };

export interface ParsedFeed extends LineCounts {
  readonly ranges: FeedRanges;
}

/**
 * The widest range that is accepted, as a power of two: an IPv4 /8, an IPv6 /16. No network owns more in one
 * piece, so a wider range is an error or a list of bogons (224.0.0.0/3). One `::/0` would write a million
 * shards.
 */
const maxRangeBits: Readonly<Record<Family, bigint>> = { 4: 24n, 6: 112n };
/** A longer line is not an entry and is not split. */
const maxLineLength = 4096;

/** Parses one line without its line end. */
export function parseFeedLine(line: string): FeedLine {
  if (line.length > maxLineLength) return rejectLine("line too long");
  if (isJsonLine(line)) return parseJsonLine(line);
  const text = line.replace(/[#;].*$/s, "").trim();
  if (text === "") return { type: "blank" };
  const fields = text.split(",").map((field) => field.trim().replace(/^"(.*)"$/, "$1"));
  const [first = "", second] = fields;
  if (second !== undefined && !first.includes("/")) return parseRange(first, second);
  const [networkText = "", countText, ...rest] = first.split(/\s+/);
  if (rest.length > 0) return rejectLine("more than an address and a count");
  const network = parseNetwork(networkText);
  if (network === undefined) return rejectLine("not an IP address or CIDR network");
  const count = countText === undefined ? 1 : parseCount(countText);
  if (count === undefined) return rejectLine("count is not a whole number above 0");
  return acceptNetwork(network, count);
}

/** Parses a feed that arrives in pieces. `push` accepts pieces cut anywhere; `finish` ends the text. */
export function createFeedParser(): {
  push(text: string): void;
  /** The number of lines with an entry so far. */
  rows(): number;
  finish(): ParsedFeed;
} {
  const ranges = new FeedRanges();
  const reader = createLineReader((line) => {
    const parsed = parseFeedLine(line);
    if (parsed.type === "entry") {
      const { family, first, last, count } = parsed.entry;
      ranges.add(family, first, last, count);
    }
    return parsed;
  });
  return {
    push: reader.push,
    rows: () => ranges.byFamily[4].length + ranges.byFamily[6].length,
    finish: () => ({ ranges, ...reader.finish() }),
  };
}

function parseJsonLine(line: string): FeedLine {
  const found = readJsonLine(line, "cidr");
  if (found.type !== "value") return found;
  const network = typeof found.value === "string" ? parseNetwork(found.value) : undefined;
  if (network === undefined) return rejectLine("not an IP address or CIDR network");
  return acceptNetwork(network, 1);
}

function parseRange(firstText: string, lastText: string): FeedLine {
  const first = parseAddress(firstText);
  const last = parseAddress(lastText);
  if (first === undefined || last === undefined)
    return rejectLine("not a range of two IP addresses");
  if (first.family !== last.family) return rejectLine("range mixes IPv4 and IPv6");
  if (first.value > last.value) return rejectLine("range ends before it starts");
  return acceptRange(first.family, first.value, last.value, 1);
}

/** A list that names a tunnel's spelling of an IPv4 address means that address. */
function acceptNetwork(network: Network, count: number): FeedLine {
  const { family, first, last } = decodeEmbeddedNetwork(network);
  return acceptRange(family, first, last, count);
}

function acceptRange(family: Family, first: bigint, last: bigint, count: number): FeedLine {
  if (last - first >= 1n << maxRangeBits[family]) {
    const prefix = addressBits(family) - Number(maxRangeBits[family]);
    return rejectLine(`wider than an IPv${family} /${prefix}`);
  }
  return { type: "entry", entry: { family, first, last, count } };
}

function parseCount(text: string): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}

function rejectLine(reason: string): FeedLine {
  return { type: "bad", reason };
}
