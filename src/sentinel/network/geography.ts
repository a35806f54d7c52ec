/**
 * Parses a table of geography line by line (pure). Such a table has the network (ASN) or the country of
 * ranges of addresses:
 *
 *   203.0.113.0,203.0.113.255,AU                   first and last address, country
 *   203.0.113.0,203.0.113.255,64500,"A name, Inc." the same, number of the network, further fields
 *   203.0.113.0/24,AU                              network instead of two addresses
 *
 * A line that cannot be read is counted and skipped; the first ones are reported with number and reason.
 */
import { type Address, addressBits, type Family, parseAddress, parseNetwork } from "./address.ts";
import { createLineReader, type LineCounts } from "./lines.ts";
import { encodeCountry } from "./network-facts.ts";
import type { ValueRange } from "./value-segments.ts";

export type TableKind = "asn" | "country";

export type TableLine =
  | { readonly type: "entry"; readonly family: Family; readonly range: ValueRange }
  | { readonly type: "blank" }
  | { readonly type: "bad"; readonly reason: string };

export interface ParsedTable extends LineCounts {
  readonly ranges: Readonly<Record<Family, readonly ValueRange[]>>;
}

/**
 * The widest range that is accepted, as a power of two: an IPv4 /4, an IPv6 /12, the most that a registry has
 * in one piece. A wider range is an error, and one `::/0` would write a million shards.
 */
const maxRangeBits: Readonly<Record<Family, bigint>> = { 4: 28n, 6: 116n };
/** A longer line is not an entry and is not split. */
const maxLineLength = 4096;
const maxAsn = 0xffff_ffff;

function rejectLine(reason: string): TableLine {
  return { type: "bad", reason };
}

/** Undefined if the text is not an ASN. 0 means that the range belongs to no network. */
function parseAsn(text: string): number | undefined {
  const digits = /^(?:AS)?(\d{1,10})$/i.exec(text)?.[1];
  const asn = digits === undefined ? undefined : Number(digits);
  return asn === undefined || asn > maxAsn ? undefined : asn;
}

function parseCountry(text: string): number | undefined {
  const country = encodeCountry(text.toUpperCase());
  return country === 0 ? undefined : country;
}

/** An entry with positions as in a shard: an IPv6 range is widened to whole /64 networks. */
function acceptRange(family: Family, first: bigint, last: bigint, value: number): TableLine {
  if (last - first >= 1n << maxRangeBits[family]) {
    const prefix = addressBits(family) - Number(maxRangeBits[family]);
    return rejectLine(`wider than an IPv${family} /${prefix}`);
  }
  const range =
    family === 4 ? { first, last, value } : { first: first >> 64n, last: last >> 64n, value };
  return { type: "entry", family, range };
}

function parseRange(
  first: Address | undefined,
  last: Address | undefined,
  value: number,
): TableLine {
  if (first === undefined || last === undefined)
    return rejectLine("not a range of two IP addresses");
  if (first.family !== last.family) return rejectLine("range mixes IPv4 and IPv6");
  if (first.value > last.value) return rejectLine("range ends before it starts");
  return acceptRange(first.family, first.value, last.value, value);
}

function parseNetworkLine(text: string, value: number): TableLine {
  const network = parseNetwork(text);
  if (network === undefined) return rejectLine("not a CIDR network");
  return acceptRange(network.family, network.first, network.last, value);
}

/** The first three fields. Only later fields, which are not used, have commas inside quotes. */
function fieldsOf(text: string): string[] {
  return text.split(",", 3).map((field) => field.trim().replace(/^"(.*)"$/, "$1"));
}

/** Parses one line without its line break. */
export function parseTableLine(kind: TableKind, line: string): TableLine {
  if (line.length > maxLineLength) return rejectLine("line too long");
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return { type: "blank" };
  const [first = "", second = "", third = ""] = fieldsOf(text);
  const isNetwork = first.includes("/");
  const valueText = isNetwork ? second : third;
  const value = kind === "asn" ? parseAsn(valueText) : parseCountry(valueText);
  if (value === undefined) {
    return rejectLine(kind === "asn" ? "no number of a network" : "no country of two letters");
  }
  if (isNetwork) return parseNetworkLine(first, value);
  return parseRange(parseAddress(first), parseAddress(second), value);
}

/** Parses a table that arrives in pieces. `push` accepts pieces cut anywhere; `finish` ends the text. */
export function createTableParser(kind: TableKind): {
  push(text: string): void;
  finish(): ParsedTable;
} {
  const ranges: Record<Family, ValueRange[]> = { 4: [], 6: [] };
  const reader = createLineReader((line) => {
    const parsed = parseTableLine(kind, line);
    if (parsed.type === "entry") ranges[parsed.family].push(parsed.range);
    return parsed;
  });
  return { push: reader.push, finish: () => ({ ranges, ...reader.finish() }) };
}
