/** Moves of tenants between databases: how far each is, in `DB`, and the fences in the databases. */
import { and, eq, inArray, isNotNull, isNull, lt, lte, or, sql } from "drizzle-orm";
import { enqueueEventWhere } from "../audit/control-outbox/store.ts";
import type { StampedEvent } from "../audit/event.ts";
import { type Database, runBatch, withinStoreTimeout } from "../db/client.ts";
import { tenantFences, tenants } from "../db/tables.ts";
import type { RelocationPhase } from "./phase.ts";
import { relocations } from "./tables.ts";

/** Which move, and whose. */
export interface Move {
  readonly tenantId: string;
  /** Later moves of a tenant have greater ids. */
  readonly id: string;
}

export interface Relocation extends Move {
  /** Shards. */
  readonly from: number;
  readonly to: number;
  readonly phase: RelocationPhase;
  /** In the present phase: the table that is dealt with, and the key of the last row dealt with. */
  readonly tableIndex: number;
  readonly cursor: readonly (string | number)[] | null;
  /** Rows copied. */
  readonly copied: number;
  /** Times are Unix ms. */
  readonly startedAt: number;
  readonly switchedAt: number | null;
  readonly finishedAt: number | null;
}

/** Where the tenant's record says that it lives; undefined for an unknown tenant. @throws StoreError, as all of these */
export async function findShard(db: Database, tenantId: string): Promise<number | undefined> {
  const rows = await withinStoreTimeout(
    db.select({ shard: tenants.shard }).from(tenants).where(eq(tenants.id, tenantId)).limit(1),
  );
  return rows[0]?.shard;
}

/** The tenant's newest move. */
export async function findRelocation(
  db: Database,
  tenantId: string,
): Promise<Relocation | undefined> {
  const rows = await withinStoreTimeout(
    db.select().from(relocations).where(eq(relocations.tenantId, tenantId)).limit(1),
  );
  return rows[0];
}

/** Begins a move, unless one is under way. */
export async function beginRelocation(db: Database, begun: Relocation): Promise<void> {
  const { tenantId: _tenantId, ...changing } = begun;
  await withinStoreTimeout(
    db
      .insert(relocations)
      .values(begun)
      .onConflictDoUpdate({
        target: relocations.tenantId,
        set: changing,
        setWhere: isNotNull(relocations.finishedAt),
      }),
  );
}

/** The row as this runner knows it: who was faster has made another of it. */
function isUnchanged({ tenantId, id, to, phase, tableIndex, cursor }: Relocation) {
  return and(
    eq(relocations.tenantId, tenantId),
    eq(relocations.id, id),
    eq(relocations.to, to),
    eq(relocations.phase, phase),
    eq(relocations.tableIndex, tableIndex),
    sql`${relocations.cursor} IS ${cursor === null ? null : JSON.stringify(cursor)}`,
  );
}

/** Moves on from where it was; false where another runner has moved it already. */
export async function saveRelocation(
  db: Database,
  before: Relocation,
  after: Relocation,
): Promise<boolean> {
  const rows = await withinStoreTimeout(
    db.update(relocations).set(after).where(isUnchanged(before)).returning({ id: relocations.id }),
  );
  return rows.length > 0;
}

/** From now on the tenant lives in the new database; told once, and only where that changes anything. */
export async function switchShard(
  db: Database,
  before: Relocation,
  after: Relocation,
  event: StampedEvent,
): Promise<void> {
  const { tenantId, to } = before;
  const isCurrent = sql`EXISTS (SELECT 1 FROM ${relocations} WHERE ${isUnchanged(before)})`;
  const isChange = sql`EXISTS (SELECT 1 FROM ${tenants}
    WHERE ${tenants.id} = ${tenantId} AND ${tenants.shard} <> ${to})`;
  await runBatch(db, [
    enqueueEventWhere(db, event, sql`${isCurrent} AND ${isChange}`),
    db
      .update(tenants)
      .set({ shard: to })
      .where(and(eq(tenants.id, tenantId), isCurrent)),
    db.update(relocations).set(after).where(isUnchanged(before)),
  ]);
}

/** What needs nobody's word any more: moves that are past their switch, and due. */
export async function listRelocationsToFinish(
  db: Database,
  switchedUntil: number,
  limit: number,
): Promise<Relocation[]> {
  return await withinStoreTimeout(
    db
      .select()
      .from(relocations)
      .where(
        or(
          eq(relocations.phase, "opening"),
          and(eq(relocations.phase, "cleaning"), lte(relocations.switchedAt, switchedUntil)),
        ),
      )
      .limit(limit),
  );
}

/** The shard that the tenant has left and that may have its rows yet. */
export async function findLeftoverShard(
  db: Database,
  tenantId: string,
): Promise<number | undefined> {
  const rows = await withinStoreTimeout(
    db
      .select({ shard: relocations.from })
      .from(relocations)
      .where(
        and(
          eq(relocations.tenantId, tenantId),
          isNotNull(relocations.switchedAt),
          isNull(relocations.finishedAt),
        ),
      )
      .limit(1),
  );
  return rows[0]?.shard;
}

type Fence = (typeof tenantFences.$inferSelect)["state"];

/** From which states of the same move a fence may come to be so: a late step changes nothing. */
const previousStates: Readonly<Record<Exclude<Fence, "copying">, readonly Fence[]>> = {
  leaving: [],
  arriving: [],
  left: ["leaving"],
  here: ["arriving"],
};

/** Sets the tenant's fence in a database, unless this move is past it there, or a later one has begun. */
export async function setFence(
  db: Database,
  { tenantId, id: move }: Move,
  state: keyof typeof previousStates,
): Promise<void> {
  await withinStoreTimeout(
    db
      .insert(tenantFences)
      .values({ tenantId, state, move })
      .onConflictDoUpdate({
        target: tenantFences.tenantId,
        set: { state, move },
        setWhere: sql`${lt(tenantFences.move, move)}
          OR ${eq(tenantFences.move, move)} AND ${inArray(tenantFences.state, [...previousStates[state]])}`,
      }),
  );
}
