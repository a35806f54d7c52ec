/** Writes tree heads to D1. A head is one row, with its unfinished tiles and the counts of its newest hour. */
import { base64 } from "@scure/base";
import { type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import { type Database, runBatch, type Statement } from "../../db/client.ts";
import type { HourCounts } from "../statistics/count-events.ts";
import { addCounts } from "../statistics/store.ts";
import { auditTiles, auditTrees } from "../tables.ts";
import type { StoredHead } from "./store.ts";
import type { Tile } from "./tiles.ts";

/** D1 accepts up to 2 MB in one parameter. */
const maxCharactersPerStatement = 1_000_000;
/** Counts, heads and tiles. */
const statementsPerChunk = 3;
const writtenSchema = z.object({ tenantId: z.string() });

/** A head that is not stored yet, with the tiles that it changes. */
export interface NewHead extends StoredHead {
  /** The size of the head that it extends. */
  readonly extendsSize: number;
  /** The tiles that become full. */
  readonly finished: readonly Tile[];
  /** The unfinished ones, as text; see unfinished-tiles.ts. */
  readonly unfinishedTiles: string;
}

/** A head with the counts of the leaves that it adds. */
export interface CountedHead extends NewHead {
  /** The counts in the row of the head that it extends, and with those of its own leaves, as text. */
  readonly recentBefore: string | null;
  readonly recentCounts: string | null;
  /** The counts that leave the row. */
  readonly finishedHours: readonly HourCounts[];
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

const field = (name: string): SQL => sql.raw(`head.value ->> '${name}'`);
/** The heads of a chunk, each beside the row that it replaces. */
function headsOf(chunk: string): SQL {
  return sql`json_each(${chunk}) AS head
    LEFT JOIN audit_trees AS tree ON tree.tenant_id = ${field("tenantId")}`;
}
/**
 * Whether the statistics cover all leaves before the head, and its counts were added to those in the row. Leaves of a
 * head that is not counted are left to count-backlog.ts.
 */
const isCounted = sql`(coalesce(tree.counted_size, 0) = ${field("extendsSize")}
  AND tree.recent_counts IS ${field("recentBefore")})`;

/**
 * Adds the counts of finished hours to the statistics, before the heads are written: only the state before shows that
 * a head will be written, because a run that is repeated signs the same note.
 */
function addFinishedCounts(db: Database, chunk: string): Statement {
  return addCounts(
    db,
    sql`SELECT ${field("tenantId")}, item.value ->> 'hour', item.value ->> 'counts'
      FROM ${headsOf(chunk)} CROSS JOIN json_each(head.value, '$.finishedHours') AS item
      WHERE coalesce(tree.size, 0) = ${field("extendsSize")} AND ${isCounted}`,
  );
}

function saveHeads(db: Database, chunk: string): Statement {
  const { size, extendsSize, note, countedSize, recentCounts, unfinishedTiles } = auditTrees;
  const excluded = (name: string) => sql.raw(`excluded.${name}`);
  return db
    .insert(auditTrees)
    .select(
      sql`SELECT ${field("tenantId")}, ${field("size")}, ${field("extendsSize")}, ${field("note")},
        0, 0, 0, 0, 0, 0, 0, 0,
        iif(${isCounted}, ${field("size")}, coalesce(tree.counted_size, 0)),
        iif(${isCounted}, ${field("recentCounts")}, tree.recent_counts),
        ${field("unfinishedTiles")}
      FROM ${headsOf(chunk)} WHERE true`,
    )
    .onConflictDoUpdate({
      target: auditTrees.tenantId,
      set: {
        size: excluded(size.name),
        extendsSize: excluded(extendsSize.name),
        note: excluded(note.name),
        countedSize: excluded(countedSize.name),
        recentCounts: excluded(recentCounts.name),
        unfinishedTiles: excluded(unfinishedTiles.name),
      },
      setWhere: sql`${size} = ${excluded(extendsSize.name)}`,
    })
    .returning({ tenantId: auditTrees.tenantId });
}

/** Goes after `saveHeads`: the note identifies the head that was just written. */
function saveFullTiles(db: Database, chunk: string): Statement {
  return db
    .insert(auditTiles)
    .select(
      sql`SELECT tree.tenant_id, tile.value ->> 'level', tile.value ->> 'index', tile.value ->> 'hashes'
      FROM json_each(${chunk}) AS head
      CROSS JOIN audit_trees AS tree
        ON tree.tenant_id = ${field("tenantId")} AND tree.note = ${field("note")}
      CROSS JOIN json_each(head.value, '$.tiles') AS tile WHERE true`,
    )
    .onConflictDoUpdate({
      target: [auditTiles.tenantId, auditTiles.level, auditTiles.index],
      set: { hashes: sql.raw(`excluded.${auditTiles.hashes.name}`) },
    });
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
  const texts = heads.map(({ finished, ...head }) => {
    const tiles = finished.map(({ hashes, ...tile }) => ({
      ...tile,
      hashes: base64.encode(hashes),
    }));
    return JSON.stringify({ ...head, tiles });
  });
  const statements = joinInChunks(texts).flatMap((chunk) => [
    addFinishedCounts(db, chunk),
    saveHeads(db, chunk),
    saveFullTiles(db, chunk),
  ]);
  const results = await runBatch(db, statements);
  return new Set(
    z
      .array(writtenSchema)
      .parse(results.filter((_, n) => n % statementsPerChunk === 1).flat())
      .map(({ tenantId }) => tenantId),
  );
}
