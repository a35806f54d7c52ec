/**
 * The data in D1 that a re-encryption seals anew: identities' records, and the receipts of kept requests.
 */
import { and, eq, isNotNull, ne, or, type SQL, sql } from "drizzle-orm";
import type { Owner } from "../crypto/seal-context.ts";
import { awaitStore, type Database } from "../db/client.ts";
import { isNotLeftover } from "../db/tenant-fence.ts";
import { requestKeys } from "../idempotency/tables.ts";
import { identities } from "../identity/tables.ts";

/** Excludes erased identities, and leftovers of tenants that were relocated. */
const isLive = and(
  isNotNull(identities.state),
  ne(identities.status, "erased"),
  isNotLeftover(identities.tenantId),
);

/**
 * Lists identities after the given one, in the order of the primary key.
 * @throws StoreError, as do all of these
 */
export async function listIdentitiesAfter(
  db: Database,
  last: Owner,
  limit: number,
): Promise<Owner[]> {
  return await awaitStore(
    db
      .select({ tenantId: identities.tenantId, identityId: identities.id })
      .from(identities)
      .where(and(isAfter(last), isLive))
      .orderBy(identities.tenantId, identities.id)
      .limit(limit),
  );
}

/** The bound lets a statement meet its deadline, however many records there are. */
const maxRecordsPerStatement = 10_000;

/** A row value. SQLite looks it up in the primary key, but not in a condition with NOT. */
const position = sql`(${identities.tenantId}, ${identities.id})`;

function isAfter({ tenantId, identityId }: Owner): SQL {
  return sql`${position} > (${tenantId}, ${identityId})`;
}

function isUpTo({ tenantId, identityId }: Owner): SQL {
  return sql`${position} <= (${tenantId}, ${identityId})`;
}

/** Splits the directory into ranges of records, in the order of the primary key. */
async function* splitIntoRanges(db: Database): AsyncGenerator<SQL | undefined> {
  let start: Owner = { tenantId: "", identityId: "" };
  for (;;) {
    const rows = await awaitStore(
      db
        .select({ tenantId: identities.tenantId, identityId: identities.id })
        .from(identities)
        .where(isAfter(start))
        .orderBy(identities.tenantId, identities.id)
        .limit(1)
        .offset(maxRecordsPerStatement - 1),
    );
    const [end] = rows;
    yield end === undefined ? isAfter(start) : and(isAfter(start), isUpTo(end));
    if (end === undefined) return;
    start = end;
  }
}

async function countRecords(db: Database, condition: SQL | undefined): Promise<number> {
  let count = 0;
  for await (const range of splitIntoRanges(db)) {
    const rows = await awaitStore(
      db.select({ n: sql<number>`count(*)` }).from(identities).where(and(range, condition)),
    );
    count += rows[0]?.n ?? 0;
  }
  return count;
}

/** Whether the box at that path of the state is under another version. */
function isUnderAnother(path: string, version: number): SQL {
  const box = sql.raw(`(${identities.state.name} ->> '$.${path}')`);
  return sql`(${box} IS NOT NULL AND ${box} NOT LIKE ${`${version}.%`})`;
}

/** Counts live identities. Reads all records. */
export async function countIdentities(db: Database): Promise<number> {
  return await countRecords(db, isLive);
}

/** Counts records with a box that is not under this version. Reads all records. */
export async function countRecordsToReseal(db: Database, version: number): Promise<number> {
  const paths = ["totp.sealed", "pendingTotp.sealed", "auditKey.sealed"];
  return await countRecords(
    db,
    and(isLive, or(...paths.map((path) => isUnderAnother(path, version)))),
  );
}

/** Counts the sets of backup codes under each key version. Reads all records. */
export async function countBackupCodeSets(db: Database): Promise<ReadonlyMap<number, number>> {
  const version = sql<number>`${identities.state} ->> '$.backupCodes.keyVersion'`;
  const sets = new Map<number, number>();
  for await (const range of splitIntoRanges(db)) {
    const rows = await awaitStore(
      db
        .select({ version, n: sql<number>`count(*)` })
        .from(identities)
        .where(and(range, isLive, sql`${version} IS NOT NULL`))
        .groupBy(version),
    );
    for (const row of rows) {
      const keyVersion = Number(row.version);
      sets.set(keyVersion, (sets.get(keyVersion) ?? 0) + row.n);
    }
  }
  return sets;
}

/** Lists kept requests whose receipt is not under this version. */
export async function listRequestsToReseal(db: Database, version: number, limit: number) {
  return await awaitStore(
    db
      .select()
      .from(requestKeys)
      .where(sql`${requestKeys.box} NOT LIKE ${`${version}.%`}`)
      .limit(limit),
  );
}

/** Replaces a receipt, unless it has changed or was deleted. */
export async function replaceReceipt(
  db: Database,
  { tenantId, key, box }: { readonly tenantId: string; readonly key: string; readonly box: string },
  replacement: string,
): Promise<void> {
  await awaitStore(
    db
      .update(requestKeys)
      .set({ box: replacement })
      .where(
        and(eq(requestKeys.tenantId, tenantId), eq(requestKeys.key, key), eq(requestKeys.box, box)),
      ),
  );
}
