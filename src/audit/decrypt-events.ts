/** Opens the personal parts of stored events for a reader with permission, as far as they still exist. */

import type { Owner } from "../crypto/seal-context.ts";
import { BrokenSealError } from "../crypto/sealed-box.ts";
import type { Database } from "../db/client.ts";
import type { Config } from "../env.ts";
import type { StoredEvent } from "./event.ts";
import type { NoncedParts } from "./leaf.ts";
import { type AuditKey, type OpenAuditKey, openAuditKey, openParts } from "./personal.ts";
import { findAuditKeys } from "./store.ts";

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

/** Opens the audit keys of the events' identities, by identity id. An erased identity has none. */
async function openAuditKeys(
  db: Database,
  config: Config,
  tenantId: string,
  events: readonly StoredEvent[],
): Promise<Map<string, { readonly id: string; readonly key: OpenAuditKey | null }>> {
  const identityIds = events.flatMap(({ personal, targetId }) =>
    personal === null ? [] : [targetId],
  );
  if (identityIds.length === 0) return new Map();
  const stored = await findAuditKeys(db, tenantId, [...new Set(identityIds)]);
  const opened = [...stored].map(async ([identityId, key]) => {
    const owner = { tenantId, identityId };
    return [identityId, { id: key.id, key: await tryOpenAuditKey(config, owner, key) }] as const;
  });
  return new Map(await Promise.all(opened));
}

/** @throws StoreError; MissingKeyError if the key that sealed an audit key is no longer in the ring */
export async function decryptEvents(
  db: Database,
  config: Config,
  tenantId: string,
  events: readonly StoredEvent[],
): Promise<DecryptedEvent[]> {
  const keys = await openAuditKeys(db, config, tenantId, events);
  return await Promise.all(
    events.map(async (event): Promise<DecryptedEvent> => {
      const { personal, personalDigest, targetId } = event;
      if (personal === null || personalDigest === null) {
        return { ...event, parts: null, erased: event.targetType === "identity" };
      }
      const known = keys.get(targetId);
      if (known?.id !== event.personalKey) return { ...event, parts: null, erased: true };
      if (known.key === null) return { ...event, parts: null, erased: false };
      const owner = { tenantId, identityId: targetId };
      const parts = await openParts(known.key, owner, { personal, personalDigest });
      return { ...event, parts: parts ?? null, erased: false };
    }),
  );
}
