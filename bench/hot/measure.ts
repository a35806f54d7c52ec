/** Bursts, rounds of them, and what they cost. */
import type { Loader } from "./loader.ts";
import type { Prepare, Subject } from "./subject.ts";

/** Our guards deliver 200 ms after an event: a burst that ends before has no delivery in it. */
const longestBurstMs = 185;
/** What a burst is made to last, so that few reach the limit. */
const aimedBurstMs = 120;
const firstSize = 40;
const smallestSize = 8;
const largestSize = 150;
/** Tries at a burst that lasts too long, each with fewer requests. */
const maxTries = 6;

/** What is measured as one line: a kind of requests to one process. */
export interface Series {
  readonly subject: Subject;
  readonly prepare: Prepare;
  readonly concurrency: number;
  /** Something follows the answers: a burst has to end before. */
  readonly follows: boolean;
  /** It is waited for, so that it can be told what all of it costs. */
  readonly rests: boolean;
  /** The most requests of a burst, where there are only so many users. */
  readonly most?: number;
}

/** Microseconds of processor time a request, one figure a round. */
export interface Costs {
  readonly request: number[];
  /** With what follows the answers. */
  readonly whole: number[];
}

interface Sum {
  requestNs: number;
  wholeNs: number;
  requests: number;
}

export class Meter {
  readonly #loader: Loader;
  readonly #sizes = new Map<Series, number>();
  readonly #costs = new Map<Series, Costs>();
  /** Bursts that lasted too long whatever was tried: some deliveries count as requests there. */
  late = 0;
  requests = 0;

  constructor(loader: Loader) {
    this.#loader = loader;
  }

  costsOf(series: Series): Costs {
    const costs = this.#costs.get(series) ?? { request: [], whole: [] };
    this.#costs.set(series, costs);
    return costs;
  }

  /** Has the process compile what these requests run through. Nothing is measured. */
  async accustom(series: Series, requests: number): Promise<void> {
    const size = Math.min(series.most ?? largestSize, largestSize);
    for (let sent = 0; sent < requests; sent += size) await this.#burst(series, size, false);
  }

  /** One round: bursts of all of them in turn. */
  async round(all: readonly Series[], bursts: number): Promise<void> {
    const sums = all.map((): Sum => ({ requestNs: 0, wholeNs: 0, requests: 0 }));
    for (let n = 0; n < bursts; n += 1) {
      for (const [place, series] of all.entries()) {
        const sum = sums[place];
        if (sum === undefined) continue;
        const { size, requestNs, restNs } = await this.#inTime(series);
        sum.requestNs += requestNs;
        sum.wholeNs += restNs;
        sum.requests += size;
      }
    }
    for (const [place, series] of all.entries()) {
      const sum = sums[place];
      if (sum === undefined) continue;
      const costs = this.costsOf(series);
      costs.request.push(sum.requestNs / sum.requests / 1000);
      costs.whole.push(sum.wholeNs / sum.requests / 1000);
      this.requests += sum.requests;
    }
  }

  async #inTime(series: Series) {
    const most = Math.min(series.most ?? largestSize, largestSize);
    for (let tries = 1; ; tries += 1) {
      const size = Math.min(most, this.#sizes.get(series) ?? firstSize);
      const outcome = await this.#burst(series, size, series.rests);
      const fitting = Math.round((size * aimedBurstMs) / outcome.wallMs);
      this.#sizes.set(series, Math.max(smallestSize, fitting));
      const isLate = series.follows && outcome.wallMs > longestBurstMs;
      if ((outcome.lostThread || isLate) && tries < maxTries) continue;
      if (outcome.lostThread) throw new Error("Threads of the process come and go");
      if (isLate) this.late += 1;
      return { ...outcome, size };
    }
  }

  async #burst({ subject, prepare, concurrency }: Series, size: number, untilRest: boolean) {
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
