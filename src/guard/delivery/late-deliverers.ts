/** Counts the objects whose deliveries to one database are late (pure), for the delivery gate. */
import type { Deliverer } from "./admissions.ts";

/** About 2 MB. Further objects are not counted, so the number is then a lower bound. */
const maxKept = 10_000;
/** An object asks the gate more often than this, also while a hundred thousand wait. */
const maxSilenceMs = 30 * 60 * 1000;

export interface LateDeliveries {
  readonly count: number;
  /** Since when the first of them has failed, Unix ms; null if nothing is late, or if it is not known. */
  readonly since: number | null;
}

interface LateDeliverer {
  readonly since: number | null;
  readonly seenAt: number;
}

export class LateDeliverers {
  readonly #known = new Map<string, LateDeliverer>();

  /** @param now Unix ms */
  see({ id, failingSince = null }: Deliverer, now: number): void {
    if (this.#known.size >= maxKept && !this.#known.has(id)) this.#removeSilent(now);
    if (this.#known.size >= maxKept && !this.#known.has(id)) return;
    this.#known.set(id, { since: failingSince, seenAt: now });
  }

  remove({ id }: Deliverer): void {
    this.#known.delete(id);
  }

  /** @param now Unix ms */
  report(now: number): LateDeliveries {
    this.#removeSilent(now);
    let since: number | null = null;
    for (const one of this.#known.values()) {
      if (one.since !== null) since = Math.min(since ?? one.since, one.since);
    }
    return { count: this.#known.size, since };
  }

  /** An object that was erased or cleared does not come back. */
  #removeSilent(now: number): void {
    for (const [id, { seenAt }] of this.#known) {
      if (now - seenAt > maxSilenceMs) this.#known.delete(id);
    }
  }
}
