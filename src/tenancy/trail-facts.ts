/** Finds what the control plane knows about events: names of the tokens that acted, and the tenant's audit key. */
import type { TrailFacts } from "../audit/decrypt-events.ts";
import type { StoredEvent } from "../audit/event.ts";
import type { AuditKey } from "../audit/personal.ts";
import { controlDbOf } from "../db/shards.ts";
import { findNamesAndAuditKey } from "./token-store.ts";

/** Caches what it has found, for the pages of one list or export. A token's name never changes. */
export class TrailFactsFinder {
  readonly #env: Env;
  readonly #tenantId: string;
  readonly #names = new Map<string, string | null>();
  #auditKey: AuditKey | null = null;

  constructor(env: Env, tenantId: string) {
    this.#env = env;
    this.#tenantId = tenantId;
  }

  /** @returns the facts, and how many queries they took. @throws StoreError */
  async find(events: readonly StoredEvent[]): Promise<TrailFacts & { readonly queries: number }> {
    const ids = events.flatMap(({ actorType, actorId }) =>
      actorType === "api_token" && actorId !== null && !this.#names.has(actorId) ? [actorId] : [],
    );
    const isKeyNeeded = events.some(
      ({ targetType, personalKey }) =>
        targetType !== "identity" && personalKey !== null && personalKey !== this.#auditKey?.id,
    );
    const isKnown = ids.length === 0 && !isKeyNeeded;
    if (!isKnown) {
      const wanted = [...new Set(ids)];
      const found = await findNamesAndAuditKey(controlDbOf(this.#env), this.#tenantId, wanted);
      for (const id of wanted) this.#names.set(id, found.names.get(id) ?? null);
      this.#auditKey = found.auditKey;
    }
    return { names: this.#names, auditKey: this.#auditKey, queries: isKnown ? 0 : 1 };
  }
}
