/** What a guard or a refusal log has to deliver: the entries that it stores, and whose events D1 does not have. */
import { runInDurableObject } from "cloudflare:test";
import { databases } from "./databases.ts";

/** An entry of a guard has the events of a change; one of a refusal log is an event. */
interface Entry {
  readonly events: readonly { readonly id: string; readonly tenantId: string }[];
}

/** Taken before a test replaces it: this reads D1 while D1 fails for the service. */
const readRows = Object.getPrototypeOf(databases()[0].prepare("SELECT 1")).all;

/** The entries of the object's storage. The guard's state may still contain delivered ones. */
async function readStored(stub: DurableObjectStub): Promise<Entry[]> {
  return await runInDurableObject(stub, (_object, { storage: { sql } }) => {
    // A damaged state has none.
    const hasColumn = (table: string, column: string) =>
      sql.exec("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", table, column).toArray()
        .length > 0;
    const read = (query: string) =>
      sql
        .exec<{ entry: string }>(query)
        .toArray()
        .map(({ entry }) => JSON.parse(entry));
    return [
      ...(hasColumn("live", "state")
        ? read(`SELECT item.value AS entry
            FROM live, json_each(iif(json_valid(state), state, '{}'), '$.waiting') AS item`)
        : []),
      ...(hasColumn("outbox", "dispatch") ? read("SELECT dispatch AS entry FROM outbox") : []),
      ...(hasColumn("outbox", "event")
        ? read("SELECT event AS entry FROM outbox").map((event) => ({ events: [event] }))
        : []),
    ];
  });
}

/** Whether one of the databases has the event. */
async function isFiled({ id, tenantId }: Entry["events"][number]): Promise<boolean> {
  const pages: D1Result[] = await Promise.all(
    databases().map((db) =>
      readRows.call(
        db.prepare("SELECT 1 FROM audit_events WHERE tenant_id = ? AND id = ?").bind(tenantId, id),
      ),
    ),
  );
  return pages.some(({ results }) => results.length > 0);
}

/** The number of entries of which D1 does not have all events. */
export async function countUndeliveredIn(stub: DurableObjectStub): Promise<number> {
  const entries = await readStored(stub);
  const filed = await Promise.all(
    entries.map(async ({ events }) => (await Promise.all(events.map(isFiled))).every(Boolean)),
  );
  return filed.filter((isDelivered) => !isDelivered).length;
}
