/** Finds by how much the clocks of rejected codes were off, over all tenants of a database. */
import { sql } from "drizzle-orm";
import { z } from "zod";
import { firstIdOf } from "../crypto/id.ts";
import { awaitStore, type Database } from "../db/client.ts";
import { selectResidentTenants } from "../db/tenant-fence.ts";
import { auditEvents } from "./tables.ts";

const periodMs = 60 * 60 * 1000;
/** So that a busy database is not read for long. */
const maxEvents = 5_000;

const rows = z.array(z.object({ off: z.number().nullable() }));

/**
 * Of the codes that were rejected in the last hour: by how many seconds the clock of each was off, as its event says
 * (`clock_off_by_seconds`); null if the code belongs to no time near. It reads up to 5,000 events.
 * @param now real time, Unix ms @throws StoreError
 */
export async function listClockFaults(db: Database, now: number): Promise<(number | null)[]> {
  const { tenantId, id, action, outcome, details } = auditEvents;
  const found = await awaitStore(
    db.all(sql`SELECT details ->> '$.clock_off_by_seconds' AS off FROM (
      SELECT ${action} AS action, ${outcome} AS outcome, ${details} AS details
      FROM ${selectResidentTenants(auditEvents)} AS resident
      JOIN ${auditEvents} ON ${tenantId} = resident.id AND ${id} >= ${firstIdOf(now - periodMs)}
      LIMIT ${maxEvents})
      WHERE action = 'otp.verified' AND outcome = 'failure'`),
  );
  return rows.parse(found).map(({ off }) => off);
}
