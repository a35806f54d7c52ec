/** The Merkle trees in D1: tiles, and the newest tree head of each tenant. */
import { base64 } from "@scure/base";
import { asc, eq, getTableColumns, gt, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { z } from "zod";
import { awaitStore, type Database, runBatch, type Statement } from "../../db/client.ts";
import { selectResidentTenants } from "../../db/tenant-fence.ts";
import { orderInTurn } from "../../db/turns.ts";
import { type AuditDetails, auditDetails, type StoredEvent } from "../event.ts";
import type { HourCounts } from "../statistics/count-events.ts";
import { addCounts } from "../statistics/store.ts";
import { auditEvents, auditTiles, auditTrees, eventColumns } from "../tables.ts";
import { hashLength } from "./merkle.ts";
import { type Tile, type TileId, tileWidth } from "./tiles.ts";

/** D1 accepts up to 2 MB in one parameter. */
const maxCharactersPerStatement = 1_000_000;
/** Counts, heads and tiles. */
const statementsPerChunk = 3;
const writtenSchema = z.object({ tenantId: z.string() });

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
      .select({ tenantId: residentId, size: treeSize, note: auditTrees.note, length: logLength })
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

/** A head with the counts of the leaves that it adds. */
export interface CountedHead extends NewHead {
  readonly statistics: readonly HourCounts[];
}

/** Splits texts into lists of JSON that D1 accepts in one parameter. */
function joinInChunks(texts: readonly string[]): string[] {
  const chunks: string[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const text of texts) {
    if (size + text.length > maxCharactersPerStatement) {
      chunks.push([]);
      size = 0;
    }
    chunks.at(-1)?.push(text);
    size += text.length;
  }
  return chunks.map((chunk) => `[${chunk.join(",")}]`);
}

/**
 * Adds the counts of heads to the statistics, before the heads are written: only the state before shows that a head
 * will be written, because a run that is repeated signs the same note. Leaves after a gap that is not counted yet are
 * left to count-backlog.ts.
 */
function addCountsOfHeads(db: Database, chunk: string): Statement {
  const before = (column: SQLiteColumn) => sql`coalesce((SELECT ${column} FROM ${auditTrees}
    WHERE ${auditTrees.tenantId} = head.value ->> 'tenantId'), 0)`;
  return addCounts(
    db,
    sql`SELECT head.value ->> 'tenantId', item.value ->> 'hour', item.value ->> 'counts'
      FROM json_each(${chunk}) AS head CROSS JOIN json_each(head.value, '$.statistics') AS item
      WHERE ${before(auditTrees.size)} = head.value ->> 'extendsSize'
        AND ${before(auditTrees.countedSize)} = head.value ->> 'extendsSize'`,
  );
}

/**
 * Writes heads, each with its tiles and counts or not at all. A head is left out if another run has extended its log
 * in the meantime. If the write of one head fails, none is written.
 * @returns the ids of the tenants whose heads were written
 * @throws StoreError
 */
export async function writeHeads(
  db: Database,
  heads: readonly CountedHead[],
): Promise<Set<string>> {
  const texts = heads.map(({ changed, ...head }) => {
    const tiles = changed.map(({ hashes, ...tile }) => ({
      ...tile,
      hashes: base64.encode(hashes),
    }));
    return JSON.stringify({ ...head, tiles });
  });
  const { size, extendsSize, note, countedSize } = auditTrees;
  const excluded = (name: string) => sql.raw(`excluded.${name}`);
  const statements = joinInChunks(texts).flatMap((chunk) => [
    addCountsOfHeads(db, chunk),
    db
      .insert(auditTrees)
      .select(
        sql`SELECT head.value ->> 'tenantId', head.value ->> 'size', head.value ->> 'extendsSize',
          head.value ->> 'note', 0, 0, 0, 0, 0, 0, 0, 0,
          iif(head.value ->> 'extendsSize' = 0, head.value ->> 'size', 0)
        FROM json_each(${chunk}) AS head WHERE true`,
      )
      .onConflictDoUpdate({
        target: auditTrees.tenantId,
        set: {
          size: excluded(size.name),
          extendsSize: excluded(extendsSize.name),
          note: excluded(note.name),
          countedSize: sql`iif(${countedSize} = ${excluded(extendsSize.name)}, ${excluded(size.name)}, ${countedSize})`,
        },
        setWhere: sql`${size} = ${excluded(extendsSize.name)}`,
      })
      .returning({ tenantId: auditTrees.tenantId }),
    // The note identifies the head that was just written.
    db
      .insert(auditTiles)
      .select(
        sql`SELECT tree.tenant_id, tile.value ->> 'level', tile.value ->> 'index', tile.value ->> 'hashes'
        FROM json_each(${chunk}) AS head
        CROSS JOIN audit_trees AS tree
          ON tree.tenant_id = head.value ->> 'tenantId' AND tree.note = head.value ->> 'note'
        CROSS JOIN json_each(head.value, '$.tiles') AS tile WHERE true`,
      )
      .onConflictDoUpdate({
        target: [auditTiles.tenantId, auditTiles.level, auditTiles.index],
        set: { hashes: excluded(auditTiles.hashes.name) },
      }),
  ]);
  const results = await runBatch(db, statements);
  return new Set(
    z
      .array(writtenSchema)
      .parse(results.filter((_, n) => n % statementsPerChunk === 1).flat())
      .map(({ tenantId }) => tenantId),
  );
}
