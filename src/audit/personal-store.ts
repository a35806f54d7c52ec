/** Reads what opens personal parts: the audit keys of identities, alone or with the events that need them. */
import { and, asc, eq, gte, inArray, lte, sql } from "drizzle-orm";
import { awaitStore, type Database } from "../db/client.ts";
import { identities } from "../identity/tables.ts";
import type { StoredEvent } from "./event.ts";
import type { AuditKey } from "./personal.ts";
import { auditEvents, eventColumns } from "./tables.ts";

/** Columns of a query that reads the records of identities. */
const currentKey = {
  id: sql<string | null>`${identities.state} ->> '$.auditKey.id'`,
  sealed: sql<string | null>`${identities.state} ->> '$.auditKey.sealed'`,
};

/** Events, and the current audit keys of their identities by identity id. An erased identity has none. */
export interface EventsWithKeys {
  readonly events: readonly StoredEvent[];
  readonly keys: ReadonlyMap<string, AuditKey>;
}

/** About the bytes of an exported event without the two columns that may be long. */
const otherColumnsBytes = 550;

/**
 * Reads the events with `from` ≤ leaf index < `below` and their audit keys in one query: at most `maxEvents`, and
 * no further event once they have `maxBytes`. Missing leaves count as events of no length.
 */
export async function readEventPage(
  db: Database,
  tenantId: string,
  { from, below }: { readonly from: number; readonly below: number },
  { maxEvents, maxBytes }: { readonly maxEvents: number; readonly maxBytes: number },
): Promise<EventsWithKeys> {
  const end = Math.min(below, from + maxEvents);
  // The sum before an event, so that a page has at least one.
  const last = sql`(SELECT max(leaf_index) FROM (
    SELECT leaf_index, sum(${otherColumnsBytes} + length(details) + coalesce(length(personal), 0))
      OVER (ORDER BY leaf_index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM audit_events WHERE tenant_id = ${tenantId} AND leaf_index >= ${from} AND leaf_index < ${end}
  ) WHERE coalesce(before, 0) < ${maxBytes})`;
  const rows = await awaitStore(
    db
      .select({ event: eventColumns, key: currentKey })
      .from(auditEvents)
      .leftJoin(
        identities,
        and(eq(identities.tenantId, tenantId), eq(identities.id, auditEvents.targetId)),
      )
      .where(
        and(
          eq(auditEvents.tenantId, tenantId),
          gte(auditEvents.leafIndex, from),
          lte(auditEvents.leafIndex, last),
        ),
      )
      .orderBy(asc(auditEvents.leafIndex)),
  );
  const keys = new Map<string, AuditKey>();
  for (const { event, key } of rows) {
    const { id, sealed } = key;
    if (id !== null && sealed !== null) keys.set(event.targetId, { id, sealed });
  }
  return { events: rows.map(({ event }) => event), keys };
}

/** Finds the current audit keys of these identities. An erased identity has none. */
export async function findAuditKeys(
  db: Database,
  tenantId: string,
  identityIds: readonly string[],
): Promise<Map<string, AuditKey>> {
  if (identityIds.length === 0) return new Map();
  const ids = sql`(SELECT value FROM json_each(${JSON.stringify(identityIds)}))`;
  const rows = await awaitStore(
    db
      .select({ identityId: identities.id, ...currentKey })
      .from(identities)
      .where(and(eq(identities.tenantId, tenantId), inArray(identities.id, ids))),
  );
  return new Map(
    rows.flatMap(({ identityId, id, sealed }) =>
      id === null || sealed === null ? [] : [[identityId, { id, sealed }] as const],
    ),
  );
}
