/** Counts the identities of tenants, with a bound on the rows that it reads. */
import { sql } from "drizzle-orm";
import { z } from "zod";
import { awaitStore, type Database } from "../db/client.ts";

/** Rows that one call reads, over all tenants. */
const maxRowsRead = 100_000;
/** Ids are hashes, so their first 48 bits are spread evenly. */
const prefixDigits = 12;

export interface IdentityCount {
  readonly count: number;
  /** Whether the tenant has more identities than were read. The error is then about 1 / sqrt(rows read). */
  readonly isEstimate: boolean;
}

const countedRow = z.object({
  id: z.string(),
  living: z.int(),
  read: z.int(),
  last: z.string().nullable(),
});

function countOf(
  { living, read, last }: z.output<typeof countedRow>,
  limit: number,
): IdentityCount {
  if (read < limit || last === null) return { count: living, isEstimate: false };
  const share = (Number.parseInt(last.slice(0, prefixDigits), 16) + 1) / 16 ** prefixDigits;
  return { count: Math.round(living / share), isEstimate: true };
}

/**
 * Counts identities that are not erased, by tenant. Of a tenant with more rows than its share of the bound, those
 * with the lowest ids are counted, and the number is extrapolated.
 * @throws StoreError
 */
export async function countIdentitiesOf(
  db: Database,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, IdentityCount>> {
  const limit = Math.floor(maxRowsRead / Math.max(1, tenantIds.length));
  const rows = await awaitStore(
    db.all(sql`
      SELECT id, counts ->> 0 AS living, counts ->> 1 AS read, counts ->> 2 AS last FROM (
        SELECT wanted.value AS id, (
          SELECT json_array(count(*) FILTER (WHERE status <> 'erased'), count(*), max(first.id))
          FROM (SELECT identities.id, identities.status FROM identities
            WHERE identities.tenant_id = wanted.value ORDER BY identities.id LIMIT ${limit}) AS first
        ) AS counts
        FROM json_each(${JSON.stringify(tenantIds)}) AS wanted)`),
  );
  return new Map(
    z
      .array(countedRow)
      .parse(rows)
      .map((row) => [row.id, countOf(row, limit)]),
  );
}
