/**
 * The rows of lists and tables, parsed without any code of the service, so that they are an independent
 * check. An address is a pair of 32-bit halves: the IPv4 address, or the top 64 bits of an IPv6 address.
 */

export type Halves = readonly [high: number, low: number];

const groupsOfV6 = 8;

function numberOfV4(text: string): number {
  const parts = text.split(".").map(Number);
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** The eight groups of an address without dots. */
function expandGroups(text: string): number[] {
  const [before = "", after] = text.split("::");
  if (after === undefined) return groupsOf(before);
  const head = groupsOf(before);
  const tail = groupsOf(after);
  return [...head, ...Array<number>(groupsOfV6 - head.length - tail.length).fill(0), ...tail];
}

function isV6(text: string): boolean {
  return text.includes(":");
}

export function halvesOf(text: string): Halves {
  if (!isV6(text)) return [0, numberOfV4(text)];
  const [a = 0, b = 0, c = 0, d = 0] = expandGroups(text);
  return [a * 65_536 + b, c * 65_536 + d];
}

/** The halves with all bits after the prefix set or cleared. */
function fillBits([high, low]: Halves, prefix: number, bit: 0 | 1): Halves {
  const fill = (value: number, bits: number) => {
    const size = 2 ** (32 - Math.min(32, Math.max(0, bits)));
    const first = Math.floor(value / size) * size;
    return bit === 0 ? first : first + size - 1;
  };
  return [fill(high, prefix), fill(low, prefix - 32)];
}

/** Rows of one family, in columns. */
export class Columns {
  readonly firstHigh: number[] = [];
  readonly firstLow: number[] = [];
  readonly lastHigh: number[] = [];
  readonly lastLow: number[] = [];
  /** Number of lists, ASN, or letters of a country. */
  readonly value: number[] = [];

  get length(): number {
    return this.value.length;
  }

  push(first: Halves, last: Halves, value: number): void {
    this.firstHigh.push(first[0]);
    this.firstLow.push(first[1]);
    this.lastHigh.push(last[0]);
    this.lastLow.push(last[1]);
    this.value.push(value);
  }
}

export class Rows {
  readonly v4 = new Columns();
  readonly v6 = new Columns();

  addRange(first: string, last: string, value: number): void {
    const columns = isV6(first) ? this.v6 : this.v4;
    columns.push(halvesOf(first), halvesOf(last), value);
  }

  /** `address` or `address/prefix`. */
  addNetwork(text: string, value: number): void {
    const [addressText = "", prefixText] = text.split("/");
    const isLong = isV6(addressText);
    const prefix = Number(prefixText ?? 128);
    // An IPv4 address is the low half; of an IPv6 address only 64 bits count.
    const bits = isLong ? Math.min(64, prefix) : 32 + Math.min(32, prefix);
    const words = halvesOf(addressText);
    const first = fillBits(words, bits, 0);
    const last = fillBits(words, bits, 1);
    (isLong ? this.v6 : this.v4).push(
      isLong ? first : [0, first[1]],
      isLong ? last : [0, last[1]],
      value,
    );
  }
}
