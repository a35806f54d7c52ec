/** Relocations in D1: the progress of each, in `DB`, and the tenants' fences, in every database. */
import { and, eq, inArray, isNotNull, isNull, lt, lte, or, sql } from "drizzle-orm";
import { enqueueEventIf } from "../audit/control-outbox/store.ts";
import type { StampedEvent } from "../audit/event.ts";
import { awaitStore, type Database, requestTimeoutMs, runBatch } from "../db/client.ts";
import { tenantFences, tenants } from "../db/tables.ts";
import type { RelocationPhase } from "./phase.ts";
import { relocations } from "./tables.ts";

export interface RelocationKey {
  readonly tenantId: string;
  /** A later relocation of the tenant has a greater id. */
  readonly id: string;
}

export interface Relocation extends RelocationKey {
  /** A shard, as is `to`. */
  readonly from: number;
  readonly to: number;
  readonly phase: RelocationPhase;
  /** The table that the current phase is processing. */
  readonly tableIndex: number;
  /** The key of the last row that was processed there; null at its start. */
  readonly cursor: readonly (string | number)[] | null;
  /** Rows copied so far. */
  readonly copied: number;
  /** Times are Unix ms. */
  readonly startedAt: number;
  readonly switchedAt: number | null;
  readonly finishedAt: number | null;
}

/**
 * The shard in the tenant's record; undefined for an unknown tenant.
 * @throws StoreError, as do all of these
 */
export async function findShard(db: Database, tenantId: string): Promise<number | undefined> {
  const rows = await awaitStore(
    db.select({ shard: tenants.shard }).from(tenants).where(eq(tenants.id, tenantId)).limit(1),
  );
  return rows[0]?.shard;
}

/** Finds the tenant's newest relocation. */
export async function findRelocation(
  db: Database,
  tenantId: string,
): Promise<Relocation | undefined> {
  const rows = await awaitStore(
    db.select().from(relocations).where(eq(relocations.tenantId, tenantId)).limit(1),
  );
  return rows[0];
}

/** Begins a relocation, unless one is in progress. */
export async function beginRelocation(db: Database, begun: Relocation): Promise<void> {
  const { tenantId: _tenantId, ...changing } = begun;
  await awaitStore(
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

/** Whether the row is still as this run has read it. */
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

/** Saves progress. @returns false if another run has saved progress since `before` */
export async function saveRelocation(
  db: Database,
  before: Relocation,
  after: Relocation,
): Promise<boolean> {
  const rows = await awaitStore(
    db.update(relocations).set(after).where(isUnchanged(before)).returning({ id: relocations.id }),
  );
  return rows.length > 0;
}

/**
 * Writes the new shard into the tenant's record; enqueues the event only if that changes the shard.
 */
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
    enqueueEventIf(db, event, sql`${isCurrent} AND ${isChange}`),
    db
      .update(tenants)
      .set({ shard: to })
      .where(and(eq(tenants.id, tenantId), isCurrent)),
    db.update(relocations).set(after).where(isUnchanged(before)),
  ]);
}

/** Lists relocations that have switched and whose next step is due. @param switchedUntil Unix ms */
export async function listRelocationsToFinish(
  db: Database,
  switchedUntil: number,
  limit: number,
): Promise<Relocation[]> {
  return await awaitStore(
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

/** Finds the shard that the tenant has left and that may still have its rows. */
export async function findLeftoverShard(
  db: Database,
  tenantId: string,
  timeoutMs = requestTimeoutMs,
): Promise<number | undefined> {
  const rows = await awaitStore(
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
    timeoutMs,
  );
  return rows[0]?.shard;
}

type Fence = (typeof tenantFences.$inferSelect)["state"];

/** The states that may precede each state within one relocation, so that a late step changes nothing. */
const previousStates: Readonly<Record<Exclude<Fence, "copying">, readonly Fence[]>> = {
  leaving: [],
  arriving: [],
  left: ["leaving"],
  here: ["arriving"],
};

/** Sets the tenant's fence, unless this relocation is past that state or a later relocation has begun. */
export async function setFence(
  db: Database,
  { tenantId, id: relocationId }: RelocationKey,
  state: keyof typeof previousStates,
): Promise<void> {
  await awaitStore(
    db
      .insert(tenantFences)
      .values({ tenantId, state, relocationId })
      .onConflictDoUpdate({
        target: tenantFences.tenantId,
        set: { state, relocationId },
        setWhere: sql`${lt(tenantFences.relocationId, relocationId)}
          OR ${eq(tenantFences.relocationId, relocationId)} AND ${inArray(tenantFences.state, [...previousStates[state]])}`,
      }),
  );
}
