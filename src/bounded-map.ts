/** A map for caches: it evicts its oldest entries when it would exceed a limit. */

export interface MapLimits<Value> {
  readonly maxEntries: number;
  /** Limit for the sum of all weights. Default: no limit. */
  readonly maxWeight?: number;
  /** The weight of a value, which must not change while the map holds it. Default: 0. */
  readonly weightOf?: (value: Value) => number;
}

export class BoundedMap<Key, Value extends object> {
  readonly #entries = new Map<Key, Value>();
  readonly #maxEntries: number;
  readonly #maxWeight: number;
  readonly #weightOf: (value: Value) => number;
  #weight = 0;

  constructor({ maxEntries, maxWeight = Number.POSITIVE_INFINITY, weightOf }: MapLimits<Value>) {
    this.#maxEntries = maxEntries;
    this.#maxWeight = maxWeight;
    this.#weightOf = weightOf ?? (() => 0);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  /** Sets a value. The entry becomes the newest one, and the oldest are evicted if a limit is exceeded. */
  set(key: Key, value: Value): void {
    this.delete(key);
    this.#entries.set(key, value);
    this.#weight += this.#weightOf(value);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#weight <= this.#maxWeight) return;
      this.delete(oldest);
    }
  }

  delete(key: Key): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#weight -= this.#weightOf(value);
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }

  /** The entries, the oldest first. */
  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.#entries.entries();
  }
}
