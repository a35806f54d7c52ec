/** Opens the personal parts of stored events for a reader with permission, as far as they still exist. */

import type { Owner } from "../crypto/seal-context.ts";
import { BrokenSealError } from "../crypto/sealed-box.ts";
import type { Config } from "../env.ts";
import { mapInSlices } from "../slices.ts";
import type { StoredEvent } from "./event.ts";
import type { NoncedParts } from "./leaf.ts";
import {
  type AuditKey,
  keyOwnerOf,
  type OpenAuditKey,
  openAuditKey,
  openParts,
} from "./personal.ts";

/** About 3 ms of computing. */
const maxEventsPerSlice = 50;

/** What the control plane knows about events. */
export interface TrailFacts {
  /** Names of API tokens by id; null for a token whose record is gone. */
  readonly names: ReadonlyMap<string, string | null>;
  /** The tenant's own audit key, if it has one. */
  readonly auditKey: AuditKey | null;
}

export type FindTrailFacts = (
  events: readonly StoredEvent[],
) => Promise<TrailFacts & { readonly queries: number }>;

export interface DecryptedEvent extends StoredEvent {
  /** The name of the API token that acted; null if there is none. */
  readonly actorName: string | null;
  /** Null if there are none, the person was erased, or the parts were altered. */
  readonly parts: NoncedParts | null;
  /** The person was erased, or the tenant deleted, and with them the key that opens the parts. */
  readonly erased: boolean;
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

/** Lists the identities whose audit keys open the events' personal parts. */
export function listKeyOwners(events: readonly StoredEvent[]): string[] {
  const owners = events.flatMap(({ personal, targetType, targetId }) =>
    personal === null || targetType !== "identity" ? [] : [targetId],
  );
  return [...new Set(owners)];
}

/**
 * @param stored the current audit keys of the events' identities, by identity id; an erased identity has none
 * @param facts about these events
 * @throws MissingKeyError if the key that sealed an audit key is no longer in the ring
 */
export async function decryptEvents(
  config: Config,
  tenantId: string,
  events: readonly StoredEvent[],
  stored: ReadonlyMap<string, AuditKey>,
  { names, auditKey }: TrailFacts,
): Promise<DecryptedEvent[]> {
  const opened = new Map<string, Promise<OpenAuditKey | null>>();
  const open = async (event: StoredEvent): Promise<Pick<DecryptedEvent, "parts" | "erased">> => {
    const { personal, personalDigest, targetType, targetId } = event;
    if (personal === null || personalDigest === null) {
      return { parts: null, erased: targetType === "identity" };
    }
    const keyOwner = keyOwnerOf(event);
    const { identityId } = keyOwner;
    const known = targetType === "identity" ? stored.get(identityId) : auditKey;
    if (known == null || known.id !== event.personalKey) return { parts: null, erased: true };
    const opening = opened.get(identityId) ?? tryOpenAuditKey(config, keyOwner, known);
    opened.set(identityId, opening);
    const key = await opening;
    if (key === null) return { parts: null, erased: false };
    const owner = { tenantId, identityId: targetId };
    const parts = await openParts(key, owner, { personal, personalDigest });
    return { parts: parts ?? null, erased: false };
  };
  const decrypt = async (event: StoredEvent): Promise<DecryptedEvent> => {
    const actorName = event.actorId === null ? null : (names.get(event.actorId) ?? null);
    return { ...event, actorName, ...(await open(event)) };
  };
  return await mapInSlices(events, maxEventsPerSlice, decrypt);
}
