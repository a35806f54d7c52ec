/**
 * Bounds how many requests with long computations an isolate works on at once. An isolate has one processor and 128 MB
 * for all its tenants, so the bound belongs to the isolate and needs no store.
 */
import { AppError } from "../errors.ts";

export interface WorkLimits {
  readonly maxPerTenant: number;
  readonly maxInAll: number;
  /** Longer than the work takes. A client that disconnects ends its request, which then runs no further code. */
  readonly maxWorkMs: number;
}

interface Work {
  readonly tenantId: string;
  /** Unix ms. */
  readonly startedAt: number;
}

/** When a refused client may try again: the work takes less than a second. */
const retryAfterSeconds = 1;

export class WorkLimit {
  readonly #limits: WorkLimits;
  readonly #working = new Set<Work>();

  constructor(limits: WorkLimits) {
    this.#limits = limits;
  }

  /** @throws AppError `rate_limited` if the isolate works on too many; what the work throws */
  async run<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    const { maxPerTenant, maxInAll, maxWorkMs } = this.#limits;
    const startedAt = Date.now();
    for (const one of this.#working) {
      if (Math.abs(startedAt - one.startedAt) >= maxWorkMs) this.#working.delete(one);
    }
    const own = [...this.#working].filter((one) => one.tenantId === tenantId).length;
    if (own >= maxPerTenant || this.#working.size >= maxInAll) {
      throw new AppError("rate_limited", {
        message:
          "Too many requests of this kind are in progress; wait as long as Retry-After states.",
        headers: { "Retry-After": String(retryAfterSeconds) },
      });
    }
    const started = { tenantId, startedAt };
    this.#working.add(started);
    try {
      return await work();
    } finally {
      this.#working.delete(started);
    }
  }
}
