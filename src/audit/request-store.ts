/** Finds the events of one request, over all tenants of a database. */
import { sql } from "drizzle-orm";
import { z } from "zod";
import { firstIdOf } from "../crypto/id.ts";
import { timeOfId } from "../crypto/id-time.ts";
import { awaitStore, type Database } from "../db/client.ts";
import { selectResidentTenants } from "../db/tenant-fence.ts";
import { auditActions, auditOutcomes } from "./event.ts";
import { auditEvents } from "./tables.ts";

/** An event has the time at which its request had arrived, and the request's id that of its beginning. */
const maxDurationMs = 60_000;
/** The clocks of two isolates may differ. */
const maxSkewMs = 1_000;
const maxEvents = 100;

const rows = z.array(
  z.object({
    tenantId: z.string(),
    id: z.string(),
    at: z.number(),
    action: z.enum(auditActions),
    outcome: z.enum(auditOutcomes),
    reason: z.string().nullable(),
  }),
);
export type RequestEvent = z.output<typeof rows>[number];

/** @throws StoreError */
export async function listRequestEvents(db: Database, requestId: string): Promise<RequestEvent[]> {
  const { tenantId, id, at, action, outcome, reason } = auditEvents;
  const begunAt = timeOfId(requestId);
  const found = await awaitStore(
    db.all(sql`SELECT ${tenantId} AS tenantId, ${id} AS id, ${at} AS at, ${action} AS action,
      ${outcome} AS outcome, ${reason} AS reason
      FROM ${selectResidentTenants(auditEvents)} AS resident
      JOIN ${auditEvents} ON ${tenantId} = resident.id
        AND ${id} >= ${firstIdOf(begunAt - maxSkewMs)} AND ${id} < ${firstIdOf(begunAt + maxDurationMs)}
      WHERE ${auditEvents.requestId} = ${requestId}
      LIMIT ${maxEvents}`),
  );
  return rows.parse(found);
}
