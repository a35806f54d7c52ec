/** Wakes a tenant's followers when an object that files events has filed some. */
import type { Jurisdiction, Location } from "../location.ts";
import { wakeDestinations } from "./wake.ts";

/** What a call says of its tenant's destinations. */
export interface WokenTenant {
  readonly tenantId: string;
  readonly jurisdiction: Jurisdiction | null;
  /** The ids of the enabled ones; absent if there are none. */
  readonly destinations?: readonly string[];
}

/**
 * Remembers the destinations that the newest call named. Nothing is stored: if the object is evicted before it files
 * what it recorded, the followers find it by themselves.
 */
export class Waker {
  readonly #env: Env;
  #tenant: WokenTenant | undefined;

  constructor(env: Env) {
    this.#env = env;
  }

  note(tenant: WokenTenant): void {
    this.#tenant = tenant;
  }

  get destinations(): readonly string[] {
    return this.#tenant?.destinations ?? [];
  }

  /** The location of the tenant's objects, without its hint; undefined before the first call. */
  get location(): Location | undefined {
    return this.#tenant && { jurisdiction: this.#tenant.jurisdiction, hint: null };
  }

  /** Wakes them, and does not wait for it. Costs nothing if there are none. */
  wake(): void {
    const { location, destinations } = this;
    if (this.#tenant === undefined || location === undefined || destinations.length === 0) return;
    const { tenantId } = this.#tenant;
    void wakeDestinations(this.#env, { tenantId, destinations }, location, Date.now());
  }
}
