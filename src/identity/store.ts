/** Identities in D1: the directory, and the record from which an empty guard rehydrates. */
import { and, eq, gt, isNull, lt, lte, ne, or, type SQL } from "drizzle-orm";
import { type Database, type Statement, withinStoreTimeout } from "../db/client.ts";
import { isAtHome, isElsewhere, oneRow, requireAtHome } from "../db/at-home.ts";
import { identities, isErased } from "../db/schema.ts";

/** Times are Unix ms. */
export interface IdentityRecord {
  readonly tenantId: string;
  readonly id: string;
  readonly externalId: string | null;
  readonly status: "active" | "suspended" | "erased";
  readonly lockedUntil: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly version: number;
  readonly state: string | null;
}

/** How long the tombstone of an erased identity outlives deliveries that may still be under way. */
const tombstoneLifetimeMs = 24 * 60 * 60 * 1000;

function isIdentity(tenantId: string, id: string): SQL | undefined {
  return and(eq(identities.tenantId, tenantId), eq(identities.id, id));
}

/** @throws StoreError; FencedTenantError where the tenant has left the database */
export async function findRecord(
  db: Database,
  tenantId: string,
  id: string,
): Promise<IdentityRecord | undefined> {
  const rows = await withinStoreTimeout(
    db
      .select({ record: identities, isElsewhere: isElsewhere(tenantId) })
      .from(oneRow)
      .leftJoin(identities, isIdentity(tenantId, id))
      .limit(1),
  );
  requireAtHome(rows);
  return rows[0]?.record ?? undefined;
}

/** Writes the record unless a newer version is there already: deliveries may repeat and overtake. */
export function saveRecord(db: Database, record: IdentityRecord): Statement {
  const { tenantId: _tenantId, id: _id, ...changing } = record;
  return db
    .insert(identities)
    .values(record)
    .onConflictDoUpdate({
      target: [identities.tenantId, identities.id],
      set: changing,
      setWhere: lt(identities.version, record.version),
    });
}

export interface DirectoryEntry {
  readonly id: string;
  readonly externalId: string;
  readonly status: "active" | "suspended";
  readonly lockedUntil: number | null;
  readonly createdAt: number;
}

/** A page of the directory in the order of ids. Erased identities are not in it. */
export async function listEntries(
  db: Database,
  tenantId: string,
  page: {
    readonly after?: string | undefined;
    readonly status?: "active" | "locked" | "suspended" | undefined;
    readonly now: number;
    readonly limit: number;
  },
): Promise<DirectoryEntry[]> {
  const { id, externalId, status, lockedUntil, createdAt } = identities;
  const conditions: (SQL | undefined)[] = [eq(identities.tenantId, tenantId)];
  if (page.after !== undefined) conditions.push(gt(id, page.after));
  conditions.push(
    page.status === undefined
      ? ne(status, "erased")
      : eq(status, page.status === "suspended" ? "suspended" : "active"),
  );
  if (page.status === "locked") conditions.push(gt(lockedUntil, page.now));
  if (page.status === "active") {
    conditions.push(or(isNull(lockedUntil), lte(lockedUntil, page.now)));
  }
  const rows = await withinStoreTimeout(
    db
      .select({ id, externalId, status, lockedUntil, createdAt })
      .from(identities)
      .where(and(...conditions))
      .orderBy(id)
      .limit(page.limit),
  );
  return rows.flatMap((row) =>
    row.status === "erased" || row.externalId === null
      ? []
      : [{ ...row, status: row.status, externalId: row.externalId }],
  );
}

/** Removes tombstones that no delivery can still need. */
export async function purgeTombstones(db: Database, now: number): Promise<void> {
  const until = now - tombstoneLifetimeMs;
  await withinStoreTimeout(
    db
      .delete(identities)
      .where(and(isErased, lt(identities.updatedAt, until), isAtHome(identities.tenantId))),
  );
}
