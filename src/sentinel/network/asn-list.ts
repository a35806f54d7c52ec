/**
 * Lists of networks by number, one `AS64500 # name` a line, and the addresses of these networks according to
 * a table of geography (pure).
 */
import { createLineReader, type LineCounts } from "./lines.ts";
import { FeedRanges } from "./ranges.ts";
import { positionBits } from "./shard.ts";
import { resolveOverlaps, type ValueRange } from "./value-segments.ts";

export interface ParsedAsnList extends LineCounts {
  readonly asns: ReadonlySet<number>;
}

/** The line without its comment; undefined if nothing remains. */
function entryTextOf(line: string): string | undefined {
  const text = line.replace(/[#;].*$/s, "").trim();
  return text === "" ? undefined : text;
}

/** Whether a text with this beginning is a list of networks by number. */
export function isAsnList(beginning: string): boolean {
  const first = beginning
    .replace(/^\uFEFF/, "")
    .split("\n")
    .map(entryTextOf)
    .find((text) => text !== undefined);
  return first !== undefined && /^AS\d+$/i.test(first);
}

/** Parses a list that arrives in pieces. `push` accepts pieces cut anywhere; `finish` ends the text. */
export function createAsnListParser(): { push(text: string): void; finish(): ParsedAsnList } {
  const asns = new Set<number>();
  const reader = createLineReader((line) => {
    const text = entryTextOf(line);
    if (text === undefined) return { type: "blank" };
    const digits = /^AS([1-9]\d{0,9})$/i.exec(text)?.[1];
    if (digits === undefined)
      return { type: "bad", reason: "not the number of a network (AS64500)" };
    asns.add(Number(digits));
    return { type: "entry" };
  });
  return { push: reader.push, finish: () => ({ asns, ...reader.finish() }) };
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
