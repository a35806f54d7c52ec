/**
 * Decides which late deliveries to one database may start (pure). After an outage a hundred thousand guards may
 * wait, and D1 runs one batch at a time. Each batch that waits there delays the requests behind it, so only a few
 * late deliveries run at once. The others get different times at which they ask again.
 *
 * While a tenant moves, its database refuses all its guards. One of them tries every ten seconds for all.
 */
import { BoundedMap } from "../../bounded-map.ts";

/** At 5 ms a batch, these delay a request by 40 ms. */
export const maxConcurrentDeliveries = 8;
/** Between two objects that ask again: about as long as it takes until one of the deliveries ends. */
const askAgainIntervalMs = 10;
/** How often one guard of a moving tenant tries. */
const movingRetryIntervalMs = 10_000;
/** An admission ends after this time if its object was lost. D1 has answered by then. */
const maxAdmissionMs = 60_000;
const maxMovingTenants = 1_000;

/** A guard or a refusal log that has something to deliver. */
export interface Deliverer {
  /** The id of the object. */
  readonly id: string;
  readonly tenantId: string;
  /** Since when its deliveries have failed, Unix ms; null or undefined if it does not know. */
  readonly failingSince?: number | null;
}

/** `moving`: the database refused the tenant's data. */
export type DeliveryOutcome = "delivered" | "failed" | "moving";

/** Gives each object that must wait a time of its own. */
class AskAgainTimes {
  #last = 0;

  /** @param from no time is earlier, Unix ms */
  next(from: number): number {
    this.#last = Math.max(this.#last, from) + askAgainIntervalMs;
    return this.#last;
  }
}

interface MovingTenant {
  /** When one of its guards may try again, Unix ms. */
  retryAt: number;
  readonly times: AskAgainTimes;
}

export class Admissions {
  /** When each admission ends at the latest, Unix ms, by object. */
  readonly #admitted = new Map<string, number>();
  readonly #times = new AskAgainTimes();
  readonly #moving = new BoundedMap<string, MovingTenant>({ maxEntries: maxMovingTenants });

  /**
   * Asks whether a delivery may start. An object that comes back without having left was interrupted.
   * @param now Unix ms
   * @returns 0 if it may; else in how many ms to ask again
   */
  enter({ id, tenantId }: Deliverer, now: number): number {
    this.#admitted.delete(id);
    const moving = this.#moving.get(tenantId);
    if (moving !== undefined && now < moving.retryAt) {
      return moving.times.next(moving.retryAt) - now;
    }
    for (const [other, endsAt] of this.#admitted) if (endsAt <= now) this.#admitted.delete(other);
    if (this.#admitted.size >= maxConcurrentDeliveries) return this.#times.next(now) - now;
    if (moving !== undefined) moving.retryAt = now + movingRetryIntervalMs;
    this.#admitted.set(id, now + maxAdmissionMs);
    return 0;
  }

  /** Ends an admission. @param now Unix ms */
  leave({ id, tenantId }: Deliverer, outcome: DeliveryOutcome, now: number): void {
    this.#admitted.delete(id);
    if (outcome === "delivered") this.#moving.delete(tenantId);
    if (outcome !== "moving") return;
    const retryAt = now + movingRetryIntervalMs;
    const known = this.#moving.get(tenantId);
    if (known === undefined) this.#moving.set(tenantId, { retryAt, times: new AskAgainTimes() });
    else known.retryAt = retryAt;
  }
}
