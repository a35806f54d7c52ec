/** The Merkle trees in D1: tiles, and the newest signed head of each tenant. */
import { base64 } from "@scure/base";
import { and, asc, eq, getTableColumns, gt, lte, sql } from "drizzle-orm";
import { isResident, selectResidentTenants } from "../../db/tenant-fence.ts";
import { type Database, runBatch, withinStoreTimeout } from "../../db/client.ts";
import type { StoredEvent } from "../stamp.ts";
import { auditEvents, auditTiles, auditTrees } from "../tables.ts";
import { hashLength } from "./merkle.ts";
import { type Tile, type TileId, tileWidth } from "./tiles.ts";

/** A tenant's signed head as it is stored. */
export interface StoredHead {
  readonly tenantId: string;
  readonly size: number;
  /** The signed note. */
  readonly note: string;
}

/** A log with events that no head covers yet. */
export interface UnintegratedLog {
  readonly tenantId: string;
  /** Leaves that the newest head covers. */
  readonly size: number;
  /** The newest head; null before the first. */
  readonly note: string | null;
  /** Leaves in the log. */
  readonly length: number;
}

/** Of the tenants a query is about, see `findUnsealed`. */
const residentId = sql<string>`home.id`;
const logLength = sql<number>`coalesce((SELECT max(${auditEvents.leafIndex}) + 1 FROM ${auditEvents}
  WHERE ${auditEvents.tenantId} = ${residentId}), 0)`;
const treeSize = sql<number>`coalesce(${auditTrees.size}, 0)`;

/** Logs with unsealed events, in the order of tenants; without those of tenants that are moving. */
export async function findUnintegrated(
  db: Database,
  which: { readonly tenantId?: string | undefined; readonly after: string },
  limit: number,
): Promise<UnintegratedLog[]> {
  const { tenantId, after } = which;
  const asked =
    tenantId === undefined
      ? selectResidentTenants(auditEvents, after)
      : sql`(SELECT ${tenantId} AS id WHERE ${tenantId} > ${after})`;
  return await withinStoreTimeout(
    db
      .select({ tenantId: residentId, size: treeSize, note: auditTrees.note, length: logLength })
      .from(sql`${asked} AS home`)
      .leftJoin(auditTrees, eq(auditTrees.tenantId, residentId))
      .where(gt(logLength, treeSize))
      .orderBy(asc(residentId))
      .limit(limit),
  );
}

export async function findHead(db: Database, tenantId: string): Promise<StoredHead | undefined> {
  const { size, note } = auditTrees;
  const rows = await withinStoreTimeout(
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

/** A stored event without its sealed parts, which may be long and are in no leaf. */
export type UnintegratedEvent = Omit<StoredEvent, "personal" | "personalKey">;

/** The events of several logs at once, each log's in its order. */
export async function readRanges(
  db: Database,
  ranges: readonly LogRange[],
): Promise<Map<string, UnintegratedEvent[]>> {
  const { personal: _personal, personalKey: _key, ...columns } = getTableColumns(auditEvents);
  const rows = await withinStoreTimeout(
    db
      .select(columns)
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

/** The hashes of a tile; undefined where somebody has made something else of them. */
function decodeHashes(text: string): Uint8Array | undefined {
  try {
    const hashes = base64.decode(text);
    const width = hashes.length / hashLength;
    return Number.isInteger(width) && width >= 1 && width <= tileWidth ? hashes : undefined;
  } catch {
    return undefined;
  }
}

/** The tiles asked for, as far as they are there and whole. */
export async function readTiles(
  db: Database,
  asked: readonly { readonly tenantId: string; readonly tiles: readonly TileId[] }[],
): Promise<Map<string, Tile[]>> {
  const ids = asked.flatMap(({ tenantId, tiles }) =>
    tiles.map(({ level, index }) => ({ tenantId, level, index })),
  );
  if (ids.length === 0) return new Map();
  const rows = await withinStoreTimeout(
    db
      .select(getTableColumns(auditTiles))
      .from(sql`json_each(${JSON.stringify(ids)}) AS asked`)
      .innerJoin(
        auditTiles,
        sql`${auditTiles.tenantId} = asked.value ->> 'tenantId'
          AND ${auditTiles.level} = asked.value ->> 'level'
          AND ${auditTiles.index} = asked.value ->> 'index'`,
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

/** A head to come, with the tiles under it. */
export interface NewHead extends StoredHead {
  /** Size of the head it extends. */
  readonly extendsSize: number;
  readonly changed: readonly Tile[];
}

/**
 * Writes heads with their tiles, all or none. @throws StoreError, also where another sealer has
 * extended one of the logs meanwhile: its size is then not the one extended here, the new size comes
 * out as NULL, and the column refuses that.
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

/** Heads that the outside witness does not have, and has heard nothing of since the given time. */
export async function findUnwitnessed(
  db: Database,
  heardBefore: number,
  limit: number,
): Promise<StoredHead[]> {
  const { tenantId, size, note } = auditTrees;
  return await withinStoreTimeout(
    db
      .select({ tenantId, size, note })
      .from(auditTrees)
      .where(
        and(
          gt(auditTrees.size, auditTrees.witnessedSize),
          lte(auditTrees.witnessedAt, heardBefore),
          isResident(tenantId),
        ),
      )
      .orderBy(asc(auditTrees.witnessedAt))
      .limit(limit),
  );
}

/** Notes when the witness was told of a log, and, unless it refused the head, up to where it knows it. */
export async function markWitnessed(
  db: Database,
  tenantId: string,
  now: number,
  size?: number,
): Promise<void> {
  await withinStoreTimeout(
    db
      .update(auditTrees)
      .set({ witnessedAt: now, ...(size === undefined ? {} : { witnessedSize: size }) })
      .where(eq(auditTrees.tenantId, tenantId)),
  );
}

/** Logs whose newest witnessed head has not been forwarded. */
export async function findUnforwarded(db: Database, limit: number): Promise<string[]> {
  const rows = await withinStoreTimeout(
    db
      .select({ tenantId: auditTrees.tenantId })
      .from(auditTrees)
      .where(
        and(
          gt(auditTrees.witnessedSize, auditTrees.forwardedSize),
          isResident(auditTrees.tenantId),
        ),
      )
      .orderBy(asc(auditTrees.witnessedAt))
      .limit(limit),
  );
  return rows.map(({ tenantId }) => tenantId);
}

export async function markForwarded(db: Database, tenantId: string, size: number): Promise<void> {
  await withinStoreTimeout(
    db.update(auditTrees).set({ forwardedSize: size }).where(eq(auditTrees.tenantId, tenantId)),
  );
}
