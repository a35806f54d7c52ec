/**
 * Rows of lists and tables, read without the service's code, so that they can be compared with it. Addresses are
 * pairs of 32-bit words: the IPv4 address, or the top half of an IPv6 address.
 */

export type Words = readonly [high: number, low: number];

const groupsOfV6 = 8;

function numberOfV4(text: string): number {
  const parts = text.split(".").map(Number);
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** The eight groups of an address without dots. */
function expand(text: string): number[] {
  const [before = "", after] = text.split("::");
  if (after === undefined) return groupsOf(before);
  const head = groupsOf(before);
  const tail = groupsOf(after);
  return [...head, ...Array<number>(groupsOfV6 - head.length - tail.length).fill(0), ...tail];
}

function isV6(text: string): boolean {
  return text.includes(":");
}

export function wordsOf(text: string): Words {
  if (!isV6(text)) return [0, numberOfV4(text)];
  const [a = 0, b = 0, c = 0, d = 0] = expand(text);
  return [a * 65_536 + b, c * 65_536 + d];
}

/** Sets all bits after the prefix to `bit`. */
function fillAfterPrefix([high, low]: Words, prefix: number, bit: 0 | 1): Words {
  const word = (value: number, bits: number) => {
    const size = 2 ** (32 - Math.min(32, Math.max(0, bits)));
    const first = Math.floor(value / size) * size;
    return bit === 0 ? first : first + size - 1;
  };
  return [word(high, prefix), word(low, prefix - 32)];
}

/** The rows of one address family, in columns. */
export class Columns {
  readonly firstHigh: number[] = [];
  readonly firstLow: number[] = [];
  readonly lastHigh: number[] = [];
  readonly lastLow: number[] = [];
  /** The count of lists, the number of the network, or the letters of the country. */
  readonly value: number[] = [];

  get length(): number {
    return this.value.length;
  }

  push(first: Words, last: Words, value: number): void {
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
    columns.push(wordsOf(first), wordsOf(last), value);
  }

  /** `address` or `address/prefix`. */
  addNetwork(text: string, value: number): void {
    const [address = "", prefixText] = text.split("/");
    const isLong = isV6(address);
    const prefix = Number(prefixText ?? 128);
    // An IPv4 address is the low word; of IPv6 only the top 64 bits count.
    const bits = isLong ? Math.min(64, prefix) : 32 + Math.min(32, prefix);
    const words = wordsOf(address);
    const first = fillAfterPrefix(words, bits, 0);
    const last = fillAfterPrefix(words, bits, 1);
    (isLong ? this.v6 : this.v4).push(
      isLong ? first : [0, first[1]],
      isLong ? last : [0, last[1]],
      value,
    );
  }
}
