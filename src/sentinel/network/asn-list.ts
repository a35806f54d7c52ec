/**
 * Lists of networks by number, one `AS64500 # name` or `{"asn":64500,…}` (Spamhaus ASN-DROP) a line, and the
 * addresses of these networks according to a table of geography (pure).
 */
import { isJsonLine, readJsonLine } from "./json-line.ts";
import { createLineReader, type LineCounts, splitLines } from "./lines.ts";
import { FeedRanges } from "./ranges.ts";
import { positionBits } from "./shard.ts";
import { resolveOverlaps, type ValueRange } from "./value-segments.ts";

export interface ParsedAsnList extends LineCounts {
  readonly asns: ReadonlySet<number>;
}

type AsnLine =
  | { readonly type: "entry"; readonly asn: number }
  | { readonly type: "blank" }
  | { readonly type: "bad"; readonly reason: string };

const maxAsn = 0xffff_ffff;

/** Whether a text with this beginning is a list of networks by number. */
export function isAsnList(beginning: string): boolean {
  const first = splitLines(beginning)
    .map(parseAsnLine)
    .find(({ type }) => type !== "blank");
  return first?.type === "entry";
}

/** Parses a list that arrives in pieces. `push` accepts pieces cut anywhere; `finish` ends the text. */
export function createAsnListParser(): { push(text: string): void; finish(): ParsedAsnList } {
  const asns = new Set<number>();
  const reader = createLineReader((line) => {
    const parsed = parseAsnLine(line);
    if (parsed.type === "entry") asns.add(parsed.asn);
    return parsed;
  });
  return { push: reader.push, finish: () => ({ asns, ...reader.finish() }) };
}

function parseAsnLine(line: string): AsnLine {
  if (isJsonLine(line)) {
    const found = readJsonLine(line, "asn");
    return found.type === "value" ? acceptAsn(found.value) : found;
  }
  const text = line.replace(/[#;].*$/s, "").trim();
  return text === "" ? { type: "blank" } : acceptAsn(/^AS/i.test(text) ? text : undefined);
}

/** @param value `AS64500`, `64500` or the integer */
function acceptAsn(value: unknown): AsnLine {
  const text = typeof value === "number" ? value.toString() : value;
  const digits = typeof text === "string" ? /^(?:AS)?([1-9]\d{0,9})$/i.exec(text)?.[1] : undefined;
  const asn = Number(digits);
  if (asn <= maxAsn) return { type: "entry", asn };
  return { type: "bad", reason: "not the number of a network (AS64500)" };
}

/** The addresses of the networks: the ones that lookups will find in these networks. */
export function findRangesOfNetworks(
  asns: ReadonlySet<number>,
  table: Readonly<Record<4 | 6, readonly ValueRange[]>>,
): FeedRanges {
  const ranges = new FeedRanges();
  for (const family of [4, 6] as const) {
    const end = 1n << BigInt(positionBits[family]);
    const segments = resolveOverlaps(table[family], end);
    for (const [index, { start, value }] of segments.entries()) {
      if (!asns.has(value)) continue;
      const last = (segments[index + 1]?.start ?? end) - 1n;
      ranges.byFamily[family].push(start, last, 1);
    }
  }
  return ranges;
}
