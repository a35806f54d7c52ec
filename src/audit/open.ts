/** Stored events opened for who may read them: personal parts in the clear, where they still are. */
import type { Database } from "../db/client.ts";
import type { Config } from "../env.ts";
import type { StoredEvent } from "./file.ts";
import type { NoncedParts } from "./leaf.ts";
import { type OpenAuditKey, openAuditKey, openParts } from "./personal.ts";
import { findAuditKeys } from "./store.ts";

export interface OpenedEvent extends StoredEvent {
  readonly parts: NoncedParts | null;
  /** The person was erased: nobody can open the parts any more. */
  readonly erased: boolean;
}

async function keysOf(
  db: Database,
  config: Config,
  tenantId: string,
  events: readonly StoredEvent[],
): Promise<Map<string, OpenAuditKey>> {
  const identityIds = events.flatMap(({ personal, targetId }) =>
    personal === null ? [] : [targetId],
  );
  if (identityIds.length === 0) return new Map();
  const stored = await findAuditKeys(db, tenantId, [...new Set(identityIds)]);
  const opened = [...stored].map(async ([identityId, key]) => {
    const owner = { tenantId, identityId };
    return [identityId, await openAuditKey(config.sealingKeys, owner, key)] as const;
  });
  return new Map(await Promise.all(opened));
}

/** @throws StoreError; MissingKeyError or BrokenSealError where an identity's key does not open */
export async function opened(
  db: Database,
  config: Config,
  tenantId: string,
  events: readonly StoredEvent[],
): Promise<OpenedEvent[]> {
  const keys = await keysOf(db, config, tenantId, events);
  return await Promise.all(
    events.map(async (event): Promise<OpenedEvent> => {
      const { personal, personalDigest, targetId } = event;
      if (personal === null || personalDigest === null) {
        return { ...event, parts: null, erased: event.targetType === "identity" };
      }
      const key = keys.get(targetId);
      if (key === undefined || key.id !== event.personalKey) {
        return { ...event, parts: null, erased: true };
      }
      const owner = { tenantId, identityId: targetId };
      const parts = await openParts(key, owner, { personal, personalDigest });
      return { ...event, parts: parts ?? null, erased: false };
    }),
  );
}
