/** Reads the Merkle trees in D1: tiles, and the newest tree head of each tenant. */
import { base64 } from "@scure/base";
import { asc, eq, gt, sql } from "drizzle-orm";
import { awaitStore, type Database } from "../../db/client.ts";
import { selectResidentTenants } from "../../db/tenant-fence.ts";
import { orderInTurn } from "../../db/turns.ts";
import { type AuditDetails, auditDetails, type StoredEvent } from "../event.ts";
import { auditEvents, auditTiles, auditTrees, eventColumns } from "../tables.ts";
import { hashLength } from "./merkle.ts";
import { type Tile, type TileId, tileWidth } from "./tiles.ts";
import { parseUnfinishedTiles } from "./unfinished-tiles.ts";

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
  /** The counts in the row of the newest head, as text; see statistics/recent-counts.ts. */
  readonly recentCounts: string | null;
  /** Events in the log. */
  readonly length: number;
  /** When the first of the events that wait was filed, Unix ms; null if D1 does not know. */
  readonly waitingSince: number | null;
}

/** The tenant id in the queries of `findUnintegrated`. */
const residentId = sql<string>`resident.id`;
const logLength = sql<number>`coalesce((SELECT max(${auditEvents.leafIndex}) + 1 FROM ${auditEvents}
  WHERE ${auditEvents.tenantId} = ${residentId}), 0)`;
const treeSize = sql<number>`coalesce(${auditTrees.size}, 0)`;
const waitingSince = sql<number | null>`(SELECT ${auditEvents.arrivedAt} FROM ${auditEvents}
  WHERE ${auditEvents.tenantId} = ${residentId} AND ${auditEvents.leafIndex} = ${treeSize})`;

/**
 * Finds logs with events to integrate, in turn. Tenants that are moving are left out.
 * @param tenantId limits the search to this tenant's log, even if it is moving
 */
export async function findUnintegrated(
  db: Database,
  limit: number,
  tenantId?: string,
): Promise<UnintegratedLog[]> {
  const tenants =
    tenantId === undefined ? selectResidentTenants(auditEvents) : sql`(SELECT ${tenantId} AS id)`;
  return await awaitStore(
    db
      .select({
        tenantId: residentId,
        size: treeSize,
        note: auditTrees.note,
        recentCounts: auditTrees.recentCounts,
        length: logLength,
        waitingSince,
      })
      .from(sql`${tenants} AS resident`)
      .leftJoin(auditTrees, eq(auditTrees.tenantId, residentId))
      .where(gt(logLength, treeSize))
      .orderBy(orderInTurn("integration", residentId))
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

const { personal: _personal, personalKey: _personalKey, ...leafColumns } = eventColumns;
/**
 * The sealed parts are read as null: they may be long, and no leaf contains them. The details are read as text,
 * because a text that is not JSON must not fail the read of other logs.
 */
const integrationColumns = {
  ...leafColumns,
  personalKey: sql<null>`NULL`,
  personal: sql<null>`NULL`,
  details: sql<string>`${auditEvents.details}`,
};

/** Parses the details of an event. Details that no filed event has stand for a text that was altered. */
function parseDetails(text: string): AuditDetails {
  try {
    return auditDetails.parse(JSON.parse(text));
  } catch {
    return { altered: true };
  }
}

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
  const events = rows.map((row) => ({ ...row, details: parseDetails(row.details) }));
  return Map.groupBy(events, ({ tenantId }) => tenantId);
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

/**
 * Reads full tiles, and the unfinished ones of each tree, by tenant id. Tiles that are missing or damaged are left
 * out.
 */
export async function readTiles(
  db: Database,
  wanted: readonly { readonly tenantId: string; readonly tiles: readonly TileId[] }[],
): Promise<Map<string, Tile[]>> {
  const ids = wanted.flatMap(({ tenantId, tiles }) =>
    tiles.map(({ level, index }) => ({ tenantId, level, index })),
  );
  if (ids.length === 0) return new Map();
  const tenantIds = wanted.map(({ tenantId }) => tenantId);
  const full = db
    .select({
      tenantId: sql<string>`${auditTiles.tenantId}`,
      level: sql<number | null>`${auditTiles.level}`,
      indexOrSize: sql<number>`${auditTiles.index}`,
      text: sql<string | null>`${auditTiles.hashes}`,
    })
    .from(sql`json_each(${JSON.stringify(ids)}) AS wanted`)
    .innerJoin(
      auditTiles,
      sql`${auditTiles.tenantId} = wanted.value ->> 'tenantId'
        AND ${auditTiles.level} = wanted.value ->> 'level'
        AND ${auditTiles.index} = wanted.value ->> 'index'`,
    );
  const heads = db
    .select({
      tenantId: sql<string>`${auditTrees.tenantId}`,
      level: sql<number | null>`NULL`,
      indexOrSize: sql<number>`${auditTrees.size}`,
      text: sql<string | null>`${auditTrees.unfinishedTiles}`,
    })
    .from(sql`json_each(${JSON.stringify(tenantIds)}) AS wanted`)
    .innerJoin(auditTrees, sql`${auditTrees.tenantId} = wanted.value`);
  // One statement, because a tile that becomes full moves from the head to a row of its own.
  const rows = await awaitStore(full.unionAll(heads));
  const tiles = rows.flatMap(({ tenantId, level, indexOrSize: index, text }) => {
    const hashes = level === null || text === null ? undefined : decodeHashes(text);
    return hashes === undefined || level === null ? [] : [{ tenantId, level, index, hashes }];
  });
  const unfinished = rows.flatMap(({ tenantId, level, indexOrSize: size, text }) => {
    if (level !== null || text === null) return [];
    return parseUnfinishedTiles(text, size).map((tile) => ({ ...tile, tenantId }));
  });
  // The row of an unfinished tile is of an older build and may be behind the head, so the head's tiles come last.
  return Map.groupBy([...tiles, ...unfinished], ({ tenantId }) => tenantId);
}
