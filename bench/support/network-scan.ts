/**
 * Finds the facts of addresses by a scan of every row for every address: slow and simple, and without the service's
 * code except the names of kinds.
 */
import { type NetworkKind, networkKinds } from "../../src/sentinel/network/network-facts.ts";
import type { Columns, Words } from "./network-rows.ts";
import type { Source } from "./network-sources.ts";

export interface Scanned {
  readonly kinds: readonly NetworkKind[];
  readonly threatGrade: number;
  readonly asn: number | undefined;
  readonly country: string | undefined;
}

const maxGrade = 15;

interface Columnar {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** Calls back for every pair of a row and an address within it. */
function forEachHit(
  rows: Columns,
  { high, low }: Columnar,
  hit: (row: number, address: number) => void,
): void {
  for (let row = 0; row < rows.length; row += 1) {
    const firstHigh = rows.firstHigh[row] ?? 0;
    const firstLow = rows.firstLow[row] ?? 0;
    const lastHigh = rows.lastHigh[row] ?? 0;
    const lastLow = rows.lastLow[row] ?? 0;
    for (let address = 0; address < high.length; address += 1) {
      const h = high[address] ?? 0;
      if (h < firstHigh || h > lastHigh) continue;
      const l = low[address] ?? 0;
      if ((h === firstHigh && l < firstLow) || (h === lastHigh && l > lastLow)) continue;
      hit(row, address);
    }
  }
}

/** Finds for each address the largest value of the rows that contain it; 0 without one. */
function findLargest(rows: Columns, addresses: Columnar): Uint32Array {
  const found = new Uint32Array(addresses.high.length);
  forEachHit(rows, addresses, (row, address) => {
    found[address] = Math.max(found[address] ?? 0, rows.value[row] ?? 0);
  });
  return found;
}

/** Returns less than 0 if the first pair of words is less than the second. */
function compare(high: number, low: number, otherHigh: number, otherLow: number): number {
  return high - otherHigh || low - otherLow;
}

/** Whether a row is more specific than another: it starts later, or ends earlier, or follows. */
function isNearer(rows: Columns, row: number, than: number): boolean {
  const word = (column: readonly number[], at: number) => column[at] ?? 0;
  const { firstHigh, firstLow, lastHigh, lastLow } = rows;
  const start = [word(firstHigh, row), word(firstLow, row)] as const;
  const later = compare(...start, word(firstHigh, than), word(firstLow, than));
  if (later !== 0) return later > 0;
  const end = [word(lastHigh, row), word(lastLow, row)] as const;
  return compare(...end, word(lastHigh, than), word(lastLow, than)) <= 0;
}

/** Finds for each address the value of the most specific row that contains it; 0 without one. */
function findNearest(rows: Columns, addresses: Columnar): Uint32Array {
  const best = new Int32Array(addresses.high.length).fill(-1);
  forEachHit(rows, addresses, (row, address) => {
    const before = best[address] ?? -1;
    if (before < 0 || isNearer(rows, row, before)) best[address] = row;
  });
  return Uint32Array.from(best, (row) => (row < 0 ? 0 : (rows.value[row] ?? 0)));
}

interface Findings {
  readonly kinds: Set<NetworkKind>[];
  readonly grades: Uint32Array;
  asns: Uint32Array;
  countries: Uint32Array;
}

function applySource(
  { meaning }: Source,
  rows: Columns,
  addresses: Columnar,
  findings: Findings,
): void {
  if (meaning.type === "asn") findings.asns = findNearest(rows, addresses);
  if (meaning.type === "country") findings.countries = findNearest(rows, addresses);
  if (meaning.type === "numbers") {
    for (const [address, asn] of findings.asns.entries()) {
      if (meaning.asns.has(asn)) findings.kinds[address]?.add(meaning.kind);
    }
  }
  if (meaning.type !== "feed") return;
  for (const [address, count] of findLargest(rows, addresses).entries()) {
    if (count === 0) continue;
    findings.kinds[address]?.add(meaning.kind);
    if (meaning.kind !== "threat") continue;
    findings.grades[address] = Math.min(maxGrade, (findings.grades[address] ?? 0) + count);
  }
}

/** Returns the facts of each address. Lists of network numbers must follow the table of networks. */
export function scan(
  family: 4 | 6,
  sources: readonly Source[],
  addresses: readonly Words[],
): Scanned[] {
  const columnar = {
    high: Uint32Array.from(addresses, ([high]) => high),
    low: Uint32Array.from(addresses, ([, low]) => low),
  };
  const findings: Findings = {
    kinds: addresses.map(() => new Set()),
    grades: new Uint32Array(addresses.length),
    asns: new Uint32Array(addresses.length),
    countries: new Uint32Array(addresses.length),
  };
  for (const source of sources) {
    applySource(source, family === 4 ? source.rows.v4 : source.rows.v6, columnar, findings);
  }
  return addresses.map((_, address) => {
    const asn = findings.asns[address] ?? 0;
    const letters = findings.countries[address] ?? 0;
    return {
      kinds: networkKinds.filter((kind) => findings.kinds[address]?.has(kind)),
      threatGrade: findings.grades[address] ?? 0,
      asn: asn === 0 ? undefined : asn,
      country: letters === 0 ? undefined : String.fromCharCode(letters >> 8, letters & 255),
    };
  });
}
