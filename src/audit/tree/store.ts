/** The Merkle trees in D1: tiles, and the newest tree head of each tenant. */
import { base64 } from "@scure/base";
import { asc, eq, getTableColumns, gt, sql } from "drizzle-orm";
import { awaitStore, type Database, runBatch } from "../../db/client.ts";
import { selectResidentTenants } from "../../db/tenant-fence.ts";
import type { StoredEvent } from "../event.ts";
import { auditEvents, auditTiles, auditTrees } from "../tables.ts";
import { hashLength } from "./merkle.ts";
import { type Tile, type TileId, tileWidth } from "./tiles.ts";

/** A tenant's tree head as it is stored. */
export interface StoredHead {
  readonly tenantId: string;
  readonly size: number;
  /** The signed note. */
  readonly note: string;
}

/** A log with events that are not integrated yet. */
export interface UnintegratedLog {
  readonly tenantId: string;
  /** The tree size: leaves that the newest head covers. */
  readonly size: number;
  /** The newest head as a signed note; null before the first head. */
  readonly note: string | null;
  /** Events in the log. */
  readonly length: number;
}

/** The tenant id in the queries of `findUnintegrated`. */
const residentId = sql<string>`resident.id`;
const logLength = sql<number>`coalesce((SELECT max(${auditEvents.leafIndex}) + 1 FROM ${auditEvents}
  WHERE ${auditEvents.tenantId} = ${residentId}), 0)`;
const treeSize = sql<number>`coalesce(${auditTrees.size}, 0)`;

/** Finds logs with events to integrate, by tenant id. Tenants that are moving are left out. */
export async function findUnintegrated(
  db: Database,
  which: { readonly tenantId?: string | undefined; readonly after: string },
  limit: number,
): Promise<UnintegratedLog[]> {
  const { tenantId, after } = which;
  const tenants =
    tenantId === undefined
      ? selectResidentTenants(auditEvents, after)
      : sql`(SELECT ${tenantId} AS id WHERE ${tenantId} > ${after})`;
  return await awaitStore(
    db
      .select({ tenantId: residentId, size: treeSize, note: auditTrees.note, length: logLength })
      .from(sql`${tenants} AS resident`)
      .leftJoin(auditTrees, eq(auditTrees.tenantId, residentId))
      .where(gt(logLength, treeSize))
      .orderBy(asc(residentId))
      .limit(limit),
  );
}

export async function findHead(db: Database, tenantId: string): Promise<StoredHead | undefined> {
  const { size, note } = auditTrees;
  const rows = await awaitStore(
    db
      .select({ tenantId: auditTrees.tenantId, size, note })
      .from(auditTrees)
      .where(eq(auditTrees.tenantId, tenantId))
      .limit(1),
  );
  return rows[0];
}

export interface LogRange {
  readonly tenantId: string;
  readonly from: number;
  readonly below: number;
}

const {
  personal: _personal,
  personalKey: _personalKey,
  arrivedAt: _arrivedAt,
  ...leafColumns
} = getTableColumns(auditEvents);
/** The sealed parts are read as null: they may be long, and no leaf contains them. */
const integrationColumns = {
  ...leafColumns,
  personalKey: sql<null>`NULL`,
  personal: sql<null>`NULL`,
};

/**
 * Reads events of several logs, by tenant id and in the order of each log, without their sealed parts.
 */
export async function readEventRanges(
  db: Database,
  ranges: readonly LogRange[],
): Promise<Map<string, StoredEvent[]>> {
  const rows = await awaitStore(
    db
      .select(integrationColumns)
      .from(sql`json_each(${JSON.stringify(ranges)}) AS range`)
      .innerJoin(
        auditEvents,
        sql`${auditEvents.tenantId} = range.value ->> 'tenantId'
          AND ${auditEvents.leafIndex} >= range.value ->> 'from'
          AND ${auditEvents.leafIndex} < range.value ->> 'below'`,
      )
      .orderBy(asc(auditEvents.tenantId), asc(auditEvents.leafIndex)),
  );
  return Map.groupBy(rows, ({ tenantId }) => tenantId);
}

/** Decodes the hashes of a tile; undefined if the text was altered. */
function decodeHashes(text: string): Uint8Array | undefined {
  try {
    const hashes = base64.decode(text);
    const width = hashes.length / hashLength;
    return Number.isInteger(width) && width >= 1 && width <= tileWidth ? hashes : undefined;
  } catch {
    return undefined;
  }
}

/** Reads tiles, by tenant id. Tiles that are missing or damaged are left out. */
export async function readTiles(
  db: Database,
  wanted: readonly { readonly tenantId: string; readonly tiles: readonly TileId[] }[],
): Promise<Map<string, Tile[]>> {
  const ids = wanted.flatMap(({ tenantId, tiles }) =>
    tiles.map(({ level, index }) => ({ tenantId, level, index })),
  );
  if (ids.length === 0) return new Map();
  const rows = await awaitStore(
    db
      .select(getTableColumns(auditTiles))
      .from(sql`json_each(${JSON.stringify(ids)}) AS wanted`)
      .innerJoin(
        auditTiles,
        sql`${auditTiles.tenantId} = wanted.value ->> 'tenantId'
          AND ${auditTiles.level} = wanted.value ->> 'level'
          AND ${auditTiles.index} = wanted.value ->> 'index'`,
      ),
  );
  const byTenant = new Map<string, Tile[]>();
  for (const row of rows) {
    const hashes = decodeHashes(row.hashes);
    if (hashes === undefined) continue;
    const tiles = byTenant.get(row.tenantId) ?? [];
    tiles.push({ level: row.level, index: row.index, hashes });
    byTenant.set(row.tenantId, tiles);
  }
  return byTenant;
}

/** A head that is not stored yet, with the tiles that it changes. */
export interface NewHead extends StoredHead {
  /** The size of the head that it extends. */
  readonly extendsSize: number;
  readonly changed: readonly Tile[];
}

/**
 * Writes heads with their tiles, all or none.
 * @throws StoreError, also if another run has extended one of the logs in the meantime: the stored size is
 *   then not `extendsSize`, so the new size becomes NULL, which the column refuses
 */
export async function writeHeads(db: Database, heads: readonly NewHead[]): Promise<void> {
  const tiles = heads.flatMap(({ tenantId, changed }) =>
    changed.map((tile) => ({ ...tile, tenantId, hashes: base64.encode(tile.hashes) })),
  );
  const rows = heads.map(({ changed: _changed, ...head }) => head);
  const { size, extendsSize } = auditTrees;
  const excluded = (name: string) => sql.raw(`excluded.${name}`);
  await runBatch(db, [
    db
      .insert(auditTrees)
      .select(
        sql`SELECT head.value ->> 'tenantId', head.value ->> 'size', head.value ->> 'extendsSize',
          head.value ->> 'note', 0, 0, 0
        FROM json_each(${JSON.stringify(rows)}) AS head WHERE true`,
      )
      .onConflictDoUpdate({
        target: auditTrees.tenantId,
        set: {
          size: sql`iif(${size} = ${excluded(extendsSize.name)}, ${excluded(size.name)}, NULL)`,
          extendsSize: excluded(extendsSize.name),
          note: excluded(auditTrees.note.name),
        },
      }),
    db
      .insert(auditTiles)
      .select(
        sql`SELECT tile.value ->> 'tenantId', tile.value ->> 'level', tile.value ->> 'index',
          tile.value ->> 'hashes'
        FROM json_each(${JSON.stringify(tiles)}) AS tile WHERE true`,
      )
      .onConflictDoUpdate({
        target: [auditTiles.tenantId, auditTiles.level, auditTiles.index],
        set: { hashes: excluded(auditTiles.hashes.name) },
      }),
  ]);
}
