/** Random numbers from a label, so that a run can be repeated: sfc32, seeded with FNV-1a. */

const twoTo32 = 2 ** 32;

/** A 32-bit integer from text. Similar texts give unrelated numbers. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mixBits(hash);
}

/** Spreads every bit of the number over all 32 bits. */
export function mixBits(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}

export class Random {
  readonly #state: Uint32Array;

  constructor(label: string) {
    const seeds = ["a", "b", "c", "d"].map((part) => hashOf(`${part}/${label}`));
    this.#state = Uint32Array.from(seeds);
    for (let round = 0; round < 12; round += 1) this.next();
  }

  /** A number from 0 to below 1. */
  next(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, counter = 0] = state;
    const sum = (a + b + counter) | 0;
    state[3] = counter + 1;
    state[0] = b ^ (b >>> 9);
    state[1] = c + (c << 3);
    state[2] = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / twoTo32;
  }

  /** An integer from 0 to below `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** The items in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const keyed = items.map((item) => ({ item, key: this.next() }));
    return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item);
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  normal(mean: number, deviation: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.next());
  }

  /** @throws RangeError for an empty list */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("Nothing to pick from");
    return item;
  }
}

/** Draws items in proportion to their weights. */
export class Weighted<T> {
  readonly items: readonly T[];
  readonly #upTo: Float64Array;

  constructor(items: readonly T[], weightOf: (item: T) => number) {
    this.items = items;
    this.#upTo = new Float64Array(items.length);
    let sum = 0;
    for (const [index, item] of items.entries()) {
      sum += weightOf(item);
      this.#upTo[index] = sum;
    }
  }

  /** @throws RangeError if there are no items */
  draw(random: Random): T {
    const point = random.next() * (this.#upTo.at(-1) ?? 0);
    let from = 0;
    let to = this.#upTo.length - 1;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#upTo[middle] ?? 0) <= point) from = middle + 1;
      else to = middle;
    }
    const item = this.items[from];
    if (item === undefined) throw new RangeError("Nothing to draw from");
    return item;
  }
}
