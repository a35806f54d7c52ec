/** Runs bursts in rounds, and adds up their cost. */
import type { Random } from "../sentinel/random.ts";
import type { Loader } from "./loader.ts";
import type { Prepare, Subject } from "./subject.ts";

/** Guards deliver 200 ms after an event, so a burst that ends earlier contains no delivery. */
const maxBurstMs = 185;
/** The target duration of a burst, so that few reach the limit. */
const targetBurstMs = 120;
const initialSize = 40;
const minSize = 8;
const maxSize = 150;
/** Attempts at a burst that lasts too long, each with fewer requests. */
const maxTries = 6;

/** One measured line: a kind of requests to one process. */
export interface Series {
  readonly subject: Subject;
  readonly prepare: Prepare;
  readonly concurrency: number;
  /** Whether a delivery follows the answers; a burst must end before it. */
  readonly hasDelivery: boolean;
  /** Whether to wait for the delivery and measure it too. */
  readonly waitsForDelivery: boolean;
  /** Bounds the requests of a burst by the number of users. */
  readonly maxRequests?: number;
}

/** Processor time a request in microseconds, one figure for each round. */
export interface Costs {
  readonly request: number[];
  /** With delivery. */
  readonly whole: number[];
}

interface Sum {
  requestNs: number;
  wholeNs: number;
  requests: number;
}

function createSum(): Sum {
  return { requestNs: 0, wholeNs: 0, requests: 0 };
}

export class Meter {
  readonly #loader: Loader;
  readonly #random: Random;
  readonly #sizes = new Map<Series, number>();
  readonly #costs = new Map<Series, Costs>();
  /** Bursts that lasted too long in every attempt. Their figures include some deliveries. */
  lateBursts = 0;
  requests = 0;

  /** @param random draws the order of the lines */
  constructor(loader: Loader, random: Random) {
    this.#loader = loader;
    this.#random = random;
  }

  costsOf(series: Series): Costs {
    const costs = this.#costs.get(series) ?? { request: [], whole: [] };
    this.#costs.set(series, costs);
    return costs;
  }

  /** Runs requests without measuring, so that the process compiles their code. */
  async warmUp(series: Series, requests: number): Promise<void> {
    const size = Math.min(series.maxRequests ?? maxSize, maxSize);
    for (let sent = 0; sent < requests; sent += size) await this.#runBurst(series, size, false);
  }

  /** One round: bursts of all lines in turn, each time in another random order. */
  async measureRound(all: readonly Series[], bursts: number): Promise<void> {
    const sums = new Map(all.map((series): [Series, Sum] => [series, createSum()]));
    for (let n = 0; n < bursts; n += 1) {
      for (const [series, sum] of this.#random.shuffle([...sums])) {
        const { size, requestNs, restNs } = await this.#measureBurst(series);
        sum.requestNs += requestNs;
        sum.wholeNs += restNs;
        sum.requests += size;
      }
    }
    for (const [series, sum] of sums) {
      const costs = this.costsOf(series);
      costs.request.push(sum.requestNs / sum.requests / 1000);
      costs.whole.push(sum.wholeNs / sum.requests / 1000);
      this.requests += sum.requests;
    }
  }

  async #measureBurst(series: Series) {
    const most = Math.min(series.maxRequests ?? maxSize, maxSize);
    for (let tries = 1; ; tries += 1) {
      const size = Math.min(most, this.#sizes.get(series) ?? initialSize);
      const outcome = await this.#runBurst(series, size, series.waitsForDelivery);
      const fitting = Math.round((size * targetBurstMs) / outcome.wallMs);
      this.#sizes.set(series, Math.max(minSize, fitting));
      const isLate = series.hasDelivery && outcome.wallMs > maxBurstMs;
      if ((outcome.lostThread || isLate) && tries < maxTries) continue;
      if (outcome.lostThread) throw new Error("Threads of the process keep ending");
      if (isLate) this.lateBursts += 1;
      return { ...outcome, size };
    }
  }

  async #runBurst({ subject, prepare, concurrency }: Series, size: number, untilRest: boolean) {
    const { origin, pid, restMs } = subject;
    const { before, warmUp, shots } = await prepare(size);
    const waits = untilRest ? restMs : 0;
    const burst = { origin, pid, concurrency, restMs: waits, collect: false };
    if (before.length > 0) {
      await this.#loader.run({ ...burst, warmUp: [], shots: before });
    }
    return await this.#loader.run({ ...burst, warmUp, shots });
  }
}
