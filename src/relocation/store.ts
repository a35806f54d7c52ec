/**
 * Relocations in D1: the progress of each, in `DB`, and the tenants' fences, in every database. All writes are
 * essential: a tenant must be able to leave a full database.
 */
import { and, eq, gt, inArray, isNotNull, isNull, lt, lte, or, type SQL, sql } from "drizzle-orm";
import { enqueueEventIf } from "../audit/control-outbox/store.ts";
import type { StampedEvent } from "../audit/event.ts";
import { awaitStore, type Database, hasNoChanges, requestTimeoutMs } from "../db/client.ts";
import type { RelocationPhase } from "../db/relocation-phase.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { relocations, tenantFences, tenants } from "../db/tables.ts";
import { requireLastingTenant } from "../tenancy/tenant-condition-store.ts";

export interface RelocationKey {
  readonly tenantId: string;
  /** Names the attempt. A later relocation of the tenant, and a later attempt, has a greater id. */
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
  /** The summary of the old database's rows, which the new one must have to open; null: none is needed. */
  readonly summary: string | null;
}

/** Finds the tenant's newest relocation. @throws StoreError, as do all of these */
export async function findRelocation(
  db: Database,
  tenantId: string,
): Promise<Relocation | undefined> {
  const rows = await awaitStore(
    db.select().from(relocations).where(eq(relocations.tenantId, tenantId)).limit(1),
  );
  return rows[0];
}

/** Begins a relocation, unless one is in progress. @throws AppError `tenant_deleting` */
export async function beginRelocation(db: Database, begun: Relocation): Promise<void> {
  const { tenantId: _tenantId, ...changing } = begun;
  await runEssentialBatch(db, [
    requireLastingTenant(db, begun.tenantId),
    db
      .insert(relocations)
      .values(begun)
      .onConflictDoUpdate({
        target: relocations.tenantId,
        set: changing,
        setWhere: isNotNull(relocations.finishedAt),
      }),
  ]);
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
  const [saved] = await runEssentialBatch(db, [
    db.update(relocations).set(after).where(isUnchanged(before)),
  ]);
  return !hasNoChanges(saved);
}

/**
 * Writes the new shard into the tenant's record; enqueues the events only if that changes the shard.
 */
export async function switchShard(
  db: Database,
  before: Relocation,
  after: Relocation,
  events: readonly StampedEvent[],
): Promise<void> {
  const { tenantId, to } = before;
  const isCurrent = sql`EXISTS (SELECT 1 FROM ${relocations} WHERE ${isUnchanged(before)})`;
  const isChange = sql`EXISTS (SELECT 1 FROM ${tenants}
    WHERE ${tenants.id} = ${tenantId} AND ${tenants.shard} <> ${to})`;
  await runEssentialBatch(db, [
    ...events.map((event) => enqueueEventIf(db, event, sql`${isCurrent} AND ${isChange}`)),
    db
      .update(tenants)
      .set({ shard: to })
      .where(and(eq(tenants.id, tenantId), isCurrent)),
    db.update(relocations).set(after).where(isUnchanged(before)),
  ]);
}

/**
 * Lists the relocations that need no further request, and whose next step is due. Those on which a tenant waits
 * are in the first list, and those that only have rows to delete in the second.
 * @param due the latest switch, Unix ms, after which the rows of the old database may be deleted: `bound`; and
 *   `unbound` for a shard above `lastShard`, whose binding may have been removed by mistake
 */
export async function listRelocationsToFinish(
  db: Database,
  due: { readonly bound: number; readonly unbound: number; readonly lastShard: number },
  limit: number,
): Promise<readonly [readonly Relocation[], readonly Relocation[]]> {
  const list = async (condition: SQL | undefined) =>
    await awaitStore(
      db
        .select()
        .from(relocations)
        .where(and(isNull(relocations.finishedAt), condition))
        .limit(limit),
    );
  const isDue = or(
    and(lte(relocations.from, due.lastShard), lte(relocations.switchedAt, due.bound)),
    lte(relocations.switchedAt, due.unbound),
  );
  return await Promise.all([
    list(inArray(relocations.phase, ["returning", "opening"])),
    list(and(eq(relocations.phase, "cleaning"), isDue)),
  ]);
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

/** The states of a fence that a relocation sets; a deletion sets the others. */
type Fence = Exclude<(typeof tenantFences.$inferSelect)["state"], "erasing" | "deleted">;

/** The states that may precede each state within one attempt, so that a late step changes nothing. */
const previousStates: Readonly<Record<Exclude<Fence, "copying">, readonly Fence[]>> = {
  leaving: [],
  clearing: [],
  arriving: ["clearing"],
  left: ["leaving"],
  here: ["arriving", "leaving"],
};

/** Sets the tenant's fence, unless this attempt is past that state or a later one has begun. */
export async function setFence(
  db: Database,
  { tenantId, id: relocationId }: RelocationKey,
  state: keyof typeof previousStates,
): Promise<void> {
  await runEssentialBatch(db, [
    db
      .insert(tenantFences)
      .values({ tenantId, state, relocationId })
      .onConflictDoUpdate({
        target: tenantFences.tenantId,
        set: { state, relocationId },
        setWhere: sql`${lt(tenantFences.relocationId, relocationId)}
          OR ${eq(tenantFences.relocationId, relocationId)} AND ${inArray(tenantFences.state, [...previousStates[state]])}`,
      }),
  ]);
}

/** Whether this attempt has the tenant's fence in that state. */
export function hasFence({ tenantId, id }: RelocationKey, state: Fence): SQL | undefined {
  return and(
    eq(tenantFences.tenantId, tenantId),
    eq(tenantFences.relocationId, id),
    eq(tenantFences.state, state),
  );
}

/**
 * Opens the new database if the condition holds there in the same instant.
 * @returns whether it is open, or a later attempt has begun
 */
export async function openFence(
  db: Database,
  relocation: RelocationKey,
  condition: SQL,
): Promise<boolean> {
  const { tenantId, relocationId } = tenantFences;
  await runEssentialBatch(db, [
    db
      .update(tenantFences)
      .set({ state: "here" })
      .where(and(hasFence(relocation, "arriving"), condition)),
  ]);
  const isLater = and(eq(tenantId, relocation.tenantId), gt(relocationId, relocation.id));
  const found = await awaitStore(
    db
      .select({ tenantId })
      .from(tenantFences)
      .where(or(hasFence(relocation, "here"), isLater)),
  );
  return found.length > 0;
}
