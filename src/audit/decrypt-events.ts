/** Opens the personal parts of stored events for a reader with permission, as far as they still exist. */

import type { Owner } from "../crypto/seal-context.ts";
import { BrokenSealError } from "../crypto/sealed-box.ts";
import type { Config } from "../env.ts";
import { mapInSlices } from "../slices.ts";
import { deriveKey, parsePersonalKey } from "./derived-key.ts";
import type { StoredEvent } from "./event.ts";
import type { NoncedParts } from "./leaf.ts";
import {
  type AuditKey,
  keyOwnerOf,
  type OpenAuditKey,
  openAuditKey,
  openParts,
} from "./personal.ts";
import type { DayKeys } from "./personal-keys/day.ts";

/** About 3 ms of computing. */
const maxEventsPerSlice = 50;

/** What is known about events outside of their own database. */
export interface TrailFacts {
  /** Names of API tokens by id; null for a token whose record is gone. */
  readonly names: ReadonlyMap<string, string | null>;
  /** The tenant's own audit key, if it has one. */
  readonly auditKey: AuditKey | null;
  /** The tenant's day keys, of all days that `listNeededDays` names. */
  readonly dayKeys: DayKeys;
}

export type FindTrailFacts = (
  events: readonly StoredEvent[],
) => Promise<TrailFacts & { readonly queries: number }>;

export interface DecryptedEvent extends StoredEvent {
  /** The name of the API token that acted; null if there is none. */
  readonly actorName: string | null;
  /** Null if there are none, the person was erased, the parts have expired, or they were altered. */
  readonly parts: NoncedParts | null;
  /** The person was erased, or the tenant deleted, and with them the key that opens the parts. */
  readonly erased: boolean;
  /** The key of the day on which the parts were sealed is gone. False if the person was erased too. */
  readonly expired: boolean;
}

/** Null for a key that was altered: nothing sealed under it can be opened. */
async function tryOpenAuditKey(
  config: Config,
  owner: Owner,
  stored: AuditKey,
): Promise<OpenAuditKey | null> {
  try {
    return await openAuditKey(config.sealingKeys, owner, stored);
  } catch (error) {
    if (error instanceof BrokenSealError) return null;
    throw error;
  }
}

/** Whether the event has had personal parts. Those of an event of an erased identity were removed before it was filed. */
function hasHadParts({ personalKey, personalDigest }: StoredEvent): boolean {
  return personalKey !== null && personalDigest !== null;
}

/** Lists the identities whose audit keys open the events' personal parts, or say that these were erased. */
export function listKeyOwners(events: readonly StoredEvent[]): string[] {
  const owners = events.flatMap((event) =>
    hasHadParts(event) && event.targetType === "identity" ? [event.targetId] : [],
  );
  return [...new Set(owners)];
}

/** What has to be known of the day keys for these events: of which days, and whether some box is gone. */
export function listNeededDays(events: readonly StoredEvent[]): {
  readonly days: readonly number[];
  readonly isBoxGone: boolean;
} {
  const named = events.filter(hasHadParts);
  const days = named.flatMap(({ personalKey }) => parsePersonalKey(personalKey ?? "").day ?? []);
  return { days: [...new Set(days)], isBoxGone: named.some(({ personal }) => personal === null) };
}

type Opened = Pick<DecryptedEvent, "parts" | "erased" | "expired">;

const erased: Opened = { parts: null, erased: true, expired: false };
const expired: Opened = { parts: null, erased: false, expired: true };
/** There were none, or somebody has altered the event in the store. */
const noParts: Opened = { parts: null, erased: false, expired: false };

/** Opens the parts of events of one tenant, and derives each key once. */
class PartsOpener {
  readonly #config: Config;
  readonly #stored: ReadonlyMap<string, AuditKey>;
  readonly #facts: TrailFacts;
  /** By identity id, and by the name of the derived key. */
  readonly #auditKeys = new Map<string, Promise<OpenAuditKey | null>>();
  readonly #derivedKeys = new Map<string, Promise<OpenAuditKey | null>>();

  constructor(config: Config, stored: ReadonlyMap<string, AuditKey>, facts: TrailFacts) {
    this.#config = config;
    this.#stored = stored;
    this.#facts = facts;
  }

  async open(event: StoredEvent): Promise<Opened> {
    const { personal, personalDigest, personalKey, targetType, targetId, tenantId } = event;
    if (personalKey === null || personalDigest === null) {
      return targetType === "identity" ? erased : noParts;
    }
    const { auditKeyId, day } = parsePersonalKey(personalKey);
    const { identityId } = keyOwnerOf(event);
    const { auditKey } = this.#facts;
    const known = targetType === "identity" ? this.#stored.get(identityId) : auditKey;
    if (known == null || known.id !== auditKeyId) return erased;
    if (this.#isExpired(day, personal)) return expired;
    if (personal === null) return noParts;
    const key = await this.#findKey(event, known, personalKey, day);
    if (key === null) return noParts;
    const parts = await openParts(
      key,
      { tenantId, identityId: targetId },
      { personal, personalDigest },
    );
    return parts === undefined ? noParts : { parts, erased: false, expired: false };
  }

  /**
   * A day that has no key although an earlier one has, and a box that is gone although no key was ever deleted, are the
   * work of somebody who has altered the database.
   */
  #isExpired(day: number | null, personal: string | null): boolean {
    const { keys, firstDay, hasDeleted } = this.#facts.dayKeys;
    if (firstDay === null) return day !== null || personal === null;
    return day === null ? personal === null && hasDeleted : day < firstDay && !keys.has(day);
  }

  async #findKey(
    event: StoredEvent,
    known: AuditKey,
    personalKey: string,
    day: number | null,
  ): Promise<OpenAuditKey | null> {
    const owner = keyOwnerOf(event);
    const opening =
      this.#auditKeys.get(owner.identityId) ?? tryOpenAuditKey(this.#config, owner, known);
    this.#auditKeys.set(owner.identityId, opening);
    if (day === null) return await opening;
    const derive = async () => {
      const [auditKey, key] = [await opening, this.#facts.dayKeys.keys.get(day)];
      if (auditKey === null || key === undefined) return null;
      return await deriveKey(auditKey, { day, key });
    };
    const name = `${owner.identityId} ${personalKey}`;
    const deriving = this.#derivedKeys.get(name) ?? derive();
    this.#derivedKeys.set(name, deriving);
    return await deriving;
  }
}

/**
 * @param stored the current audit keys of the events' identities, by identity id; an erased identity has none
 * @param facts about these events
 * @throws MissingKeyError if the key that sealed an audit key is no longer in the ring
 */
export async function decryptEvents(
  config: Config,
  events: readonly StoredEvent[],
  stored: ReadonlyMap<string, AuditKey>,
  facts: TrailFacts,
): Promise<DecryptedEvent[]> {
  const opener = new PartsOpener(config, stored, facts);
  const decrypt = async (event: StoredEvent): Promise<DecryptedEvent> => {
    const actorName = event.actorId === null ? null : (facts.names.get(event.actorId) ?? null);
    return { ...event, actorName, ...(await opener.open(event)) };
  };
  return await mapInSlices(events, maxEventsPerSlice, decrypt);
}
