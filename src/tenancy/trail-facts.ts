/**
 * Finds what is known about events outside of their own database: names of the tokens that acted, the tenant's audit
 * key, and the day keys.
 */
import { listNeededDays, type TrailFacts } from "../audit/decrypt-events.ts";
import type { StoredEvent } from "../audit/event.ts";
import type { AuditKey } from "../audit/personal.ts";
import { findDayKeys } from "../audit/personal-keys/client.ts";
import { type DayKeys, noDayKeys } from "../audit/personal-keys/day.ts";
import { controlDbOf } from "../db/shards.ts";
import type { Location } from "../location.ts";
import { getLocation } from "./find-locations.ts";
import { findNamesAndAuditKey } from "./token-store.ts";

/** Caches what it has found, for the pages of one list or export. A token's name never changes. */
export class TrailFactsFinder {
  readonly #env: Env;
  readonly #tenantId: string;
  readonly #names = new Map<string, string | null>();
  #auditKey: AuditKey | null = null;
  #location: Location | undefined;
  #dayKeys: DayKeys = noDayKeys;
  readonly #askedDays = new Set<number>();

  /** @param location of the tenant's objects; it is looked up if it is not known */
  constructor(env: Env, tenantId: string, location?: Location) {
    this.#env = env;
    this.#tenantId = tenantId;
    this.#location = location;
  }

  /** @returns the facts, and how many queries and calls of objects they took. @throws StoreError */
  async find(events: readonly StoredEvent[]): Promise<TrailFacts & { readonly queries: number }> {
    const [queries, calls] = await Promise.all([
      this.#findNames(events),
      this.#findDayKeys(events),
    ]);
    return {
      names: this.#names,
      auditKey: this.#auditKey,
      dayKeys: this.#dayKeys,
      queries: queries + calls,
    };
  }

  async #findNames(events: readonly StoredEvent[]): Promise<number> {
    const ids = events.flatMap(({ actorType, actorId }) =>
      actorType === "api_token" && actorId !== null && !this.#names.has(actorId) ? [actorId] : [],
    );
    const isKeyNeeded =
      this.#auditKey === null &&
      events.some(
        ({ targetType, personalKey }) => targetType !== "identity" && personalKey !== null,
      );
    if (ids.length === 0 && !isKeyNeeded) return 0;
    const wanted = [...new Set(ids)];
    const found = await findNamesAndAuditKey(controlDbOf(this.#env), this.#tenantId, wanted);
    for (const id of wanted) this.#names.set(id, found.names.get(id) ?? null);
    this.#auditKey = found.auditKey;
    return 1;
  }

  /**
   * Days may expire while an export runs. If an event has lost its box, the keys were deleted before, so what was found
   * earlier does not count.
   */
  async #findDayKeys(events: readonly StoredEvent[]): Promise<number> {
    const { days, isBoxGone } = listNeededDays(events);
    if (!isBoxGone && days.every((day) => this.#askedDays.has(day))) return 0;
    const isLocated = this.#location !== undefined;
    this.#location ??= await getLocation(controlDbOf(this.#env), this.#tenantId);
    const owner = { tenantId: this.#tenantId, location: this.#location };
    const found = await findDayKeys(this.#env, owner, days);
    const known = [...this.#dayKeys.keys].filter(([day]) => !days.includes(day));
    this.#dayKeys = { ...found, keys: new Map([...known, ...found.keys]) };
    for (const day of days) this.#askedDays.add(day);
    return isLocated ? 1 : 2;
  }
}
