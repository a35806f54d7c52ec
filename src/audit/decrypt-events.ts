/** Opens the personal parts of stored events for a reader with permission, as far as they still exist. */

import type { Owner } from "../crypto/seal-context.ts";
import { BrokenSealError } from "../crypto/sealed-box.ts";
import type { Config } from "../env.ts";
import { mapInSlices } from "../slices.ts";
import type { StoredEvent } from "./event.ts";
import type { NoncedParts } from "./leaf.ts";
import { type AuditKey, type OpenAuditKey, openAuditKey, openParts } from "./personal.ts";

/** About 3 ms of computing. */
const maxEventsPerSlice = 50;

export interface DecryptedEvent extends StoredEvent {
  /** Null if there are none, the person was erased, or the parts were altered. */
  readonly parts: NoncedParts | null;
  /** The person was erased, and with them the key that opens the parts. */
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
  const owners = events.flatMap(({ personal, targetId }) => (personal === null ? [] : [targetId]));
  return [...new Set(owners)];
}

/**
 * @param stored the current audit keys of the events' identities, by identity id; an erased identity has none
 * @throws MissingKeyError if the key that sealed an audit key is no longer in the ring
 */
export async function decryptEvents(
  config: Config,
  tenantId: string,
  events: readonly StoredEvent[],
  stored: ReadonlyMap<string, AuditKey>,
): Promise<DecryptedEvent[]> {
  const opened = new Map<string, Promise<OpenAuditKey | null>>();
  const decrypt = async (event: StoredEvent): Promise<DecryptedEvent> => {
    const { personal, personalDigest, targetId } = event;
    if (personal === null || personalDigest === null) {
      return { ...event, parts: null, erased: event.targetType === "identity" };
    }
    const known = stored.get(targetId);
    if (known === undefined || known.id !== event.personalKey) {
      return { ...event, parts: null, erased: true };
    }
    const owner = { tenantId, identityId: targetId };
    const opening = opened.get(targetId) ?? tryOpenAuditKey(config, owner, known);
    opened.set(targetId, opening);
    const key = await opening;
    if (key === null) return { ...event, parts: null, erased: false };
    const parts = await openParts(key, owner, { personal, personalDigest });
    return { ...event, parts: parts ?? null, erased: false };
  };
  return await mapInSlices(events, maxEventsPerSlice, decrypt);
}
