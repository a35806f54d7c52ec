/** The steps of a relocation. Each is bounded, and a step that is repeated or late changes nothing. */

import { deliverControlEvents } from "../audit/control-outbox/deliver.ts";
import type { StampedEvent } from "../audit/event.ts";
import { createIdAfter } from "../crypto/id.ts";
import { type Database, runBatch } from "../db/client.ts";
import { controlDbOf, databaseOf, hasShard, invalidateShard } from "../db/shards.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { listKeyVersions, markKeysInUse } from "../keys/version-store.ts";
import { log } from "../log.ts";
import {
  cursorOf,
  deleteRows,
  openIfComplete,
  readOutlines,
  readRows,
  readSummary,
  tableNames,
  writeRows,
} from "./row-store.ts";
import { findRelocation, type Relocation, saveRelocation, setFence, switchShard } from "./store.ts";

/** An event is at most 7 KB, a tile 11 KB. */
const maxRowsPerPage = 300;
const maxOutlinesPerPage = 3_000;
/**
 * How long an isolate may read the old database. More than twice as long as it caches a tenant's shard.
 */
export const maxStaleReaderMs = 60_000;

interface AdvanceCall {
  readonly env: Env;
  /** Real time, Unix ms. */
  readonly now: number;
  /** Creates the events that report the switch. */
  readonly createSwitchEvents: (relocation: Relocation) => Promise<readonly StampedEvent[]>;
}

/** Runs steps until `limit` pages are processed, or no step is due. @returns the progress */
export async function advanceRelocation(
  call: AdvanceCall,
  begun: Relocation,
  limit: number,
): Promise<Relocation> {
  const control = controlDbOf(call.env);
  let saved = begun;
  let current = begun;
  for (let pages = 0; pages < limit; pages += 1) {
    const next = await runStep(call, current);
    if (next === undefined) break;
    current = next;
    // The switch saves its own progress, in the same batch.
    if (saved.phase === "switching" || saved.phase === "returning") saved = current;
    if (current.phase === saved.phase) continue;
    if (!(await saveRelocation(control, saved, current)))
      return await readCurrent(control, current);
    saved = current;
  }
  if (current === saved || (await saveRelocation(control, saved, current))) return current;
  return await readCurrent(control, current);
}

/** Reads the progress that a faster run has saved. */
async function readCurrent(control: Database, known: Relocation): Promise<Relocation> {
  return (await findRelocation(control, known.tenantId)) ?? known;
}

function enterPhase(relocation: Relocation, phase: Relocation["phase"]): Relocation {
  return { ...relocation, phase, tableIndex: 0, cursor: null };
}

/** Begins a new attempt. Its greater id makes every step of this attempt that is still under way change nothing. */
function beginAttempt(
  relocation: Relocation,
  phase: "leaving" | "returning",
  now: number,
): Relocation {
  return { ...enterPhase(relocation, phase), id: createIdAfter(relocation.id, now), copied: 0 };
}

/** Reverses a relocation. What was copied to the other database becomes leftovers. */
export function reverseRelocation(relocation: Relocation, now: number): Relocation {
  const reversed = beginAttempt(relocation, "returning", now);
  const { from: to, to: from } = relocation;
  return { ...reversed, from, to, switchedAt: null, summary: null };
}

/** Processes one page. @returns the progress; undefined if no step is due */
async function runStep(call: AdvanceCall, relocation: Relocation): Promise<Relocation | undefined> {
  const { env, now } = call;
  const { tenantId } = relocation;
  const to = databaseOf(env, relocation.to);
  // Only a database that still has something to give must be bound.
  const requireSource = () => databaseOf(env, relocation.from);
  const hasSource = hasShard(env, relocation.from);
  switch (relocation.phase) {
    case "leaving": {
      const from = requireSource();
      await runBatch(to, markKeysInUse(to, await listKeysInUse(from)));
      await setFence(to, relocation, "clearing");
      await setFence(from, relocation, "leaving");
      return enterPhase(relocation, "clearing");
    }
    case "clearing": {
      const isMore = await deleteRows(to, relocation, "clearing", maxRowsPerPage);
      if (isMore) return relocation;
      await setFence(to, relocation, "arriving");
      return enterPhase(relocation, "copying");
    }
    case "copying":
      return await copyPage(requireSource(), to, relocation);
    case "comparing":
      return await comparePage(requireSource(), to, relocation, now);
    case "switching": {
      const from = requireSource();
      await setFence(from, relocation, "left");
      return await enterOpening(call, relocation, await readSummary(from, tenantId));
    }
    case "returning":
      // If its rows counted as leftovers, a check may have retired a key that they need. The copy has kept it in use.
      await setFence(to, relocation, "leaving");
      if (hasSource) {
        await runEssentialBatch(to, markKeysInUse(to, await listKeysInUse(requireSource())));
        await setFence(requireSource(), relocation, "left");
      }
      return await enterOpening(call, relocation, null);
    case "opening": {
      const { summary } = relocation;
      if (summary === null) {
        await setFence(to, relocation, "here");
        // A check of the keys did not count the tenant's rows while they were leftovers, so it must not retire any.
        await runEssentialBatch(to, markKeysInUse(to, await listKeysInUse(to)));
      } else if (!(await openIfComplete(to, relocation, summary))) {
        log("error", "relocation_incomplete", { tenant_id: tenantId });
        // Nothing was written since the switch, so the old database has everything.
        requireSource();
        return reverseRelocation(relocation, now);
      }
      await deliverControlEvents(env, tenantId);
      return enterPhase(relocation, "cleaning");
    }
    case "cleaning": {
      if (now < (relocation.switchedAt ?? 0) + maxStaleReaderMs) return undefined;
      if (!hasSource) log("info", "relocation_not_cleaned", { tenant_id: tenantId });
      const isMore =
        hasSource && (await deleteRows(requireSource(), relocation, "left", maxRowsPerPage));
      return isMore ? relocation : { ...enterPhase(relocation, "done"), finishedAt: now };
    }
    case "done":
      return undefined;
  }
}

/** Writes the new shard into the tenant's record, and enters the next phase in the same batch. */
async function enterOpening(
  { env, now, createSwitchEvents }: AdvanceCall,
  relocation: Relocation,
  summary: string | null,
): Promise<Relocation> {
  const control = controlDbOf(env);
  const opening = { ...enterPhase(relocation, "opening"), switchedAt: now, summary };
  const events = await createSwitchEvents(relocation);
  try {
    await switchShard(control, relocation, opening, events);
  } finally {
    // This is done after an error too, because the switch may have been applied.
    invalidateShard(relocation.tenantId);
  }
  return await readCurrent(control, opening);
}

/** Moves to the next page of the table, to the next table, or to the next phase. */
function moveCursor(
  relocation: Relocation,
  cursor: Relocation["cursor"],
  next: Relocation["phase"],
): Relocation {
  const { tableIndex } = relocation;
  if (cursor !== null) return { ...relocation, cursor };
  return tableIndex + 1 < tableNames.length
    ? { ...relocation, tableIndex: tableIndex + 1, cursor: null }
    : enterPhase(relocation, next);
}

/** The key versions that the tenant's data may need. */
async function listKeysInUse(db: Database) {
  return (await listKeyVersions(db)).filter(({ retiredAt }) => retiredAt === null);
}

async function copyPage(from: Database, to: Database, relocation: Relocation) {
  const { tenantId, tableIndex, cursor, copied } = relocation;
  const rows = await readRows(from, tableIndex, tenantId, cursor, maxRowsPerPage);
  if (rows.length > 0) {
    // The keys are sent again, in case the new database has retired one of them in the meantime.
    const keys = tableIndex === 0 ? await listKeysInUse(from) : [];
    await writeRows(to, tableIndex, relocation, rows, keys);
  }
  const last = rows.length === maxRowsPerPage ? rows.at(-1) : undefined;
  const reached = last === undefined ? null : cursorOf(tableIndex, last);
  return moveCursor({ ...relocation, copied: copied + rows.length }, reached, "comparing");
}

async function comparePage(from: Database, to: Database, relocation: Relocation, now: number) {
  const { tenantId, tableIndex, cursor } = relocation;
  const [source, copy] = await Promise.all(
    [from, to].map((db) => readOutlines(db, tableIndex, tenantId, cursor, maxOutlinesPerPage)),
  );
  if (JSON.stringify(source) !== JSON.stringify(copy)) {
    const table = tableNames[tableIndex];
    log("error", "relocation_differs", {
      tenant_id: tenantId,
      ...(table === undefined ? {} : { source: table }),
    });
    return beginAttempt(relocation, "leaving", now);
  }
  const last = source?.length === maxOutlinesPerPage ? source.at(-1) : undefined;
  const reached = last === undefined ? null : cursorOf(tableIndex, last);
  return moveCursor(relocation, reached, "switching");
}
