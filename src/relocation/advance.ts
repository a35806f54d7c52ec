/** The steps of a relocation. Each is bounded, and a step that is repeated or late changes nothing. */

import { deliverControlEvents } from "../audit/control-outbox/deliver.ts";
import type { StampedEvent } from "../audit/event.ts";
import { type Database, runBatch } from "../db/client.ts";
import { controlDbOf, databaseOf, invalidateShard } from "../db/shards.ts";
import { listKeyVersions, markKeysInUse } from "../keys/version-store.ts";
import { log } from "../log.ts";
import {
  cursorOf,
  deleteRows,
  readOutlines,
  readRows,
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
  /** The event that reports the switch; without it the relocation stops before the switch. */
  readonly switchEvent?: StampedEvent | undefined;
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
    if (saved.phase === "switching") saved = current;
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

/** Processes one page. @returns the progress; undefined if no step is due */
async function runStep(call: AdvanceCall, relocation: Relocation): Promise<Relocation | undefined> {
  const { env, now } = call;
  const { tenantId } = relocation;
  const from = databaseOf(env, relocation.from);
  const to = databaseOf(env, relocation.to);
  switch (relocation.phase) {
    case "leaving":
      await runBatch(to, markKeysInUse(to, await listKeysInUse(from)));
      await setFence(to, relocation, "arriving");
      await setFence(from, relocation, "leaving");
      return enterPhase(relocation, "clearing");
    case "clearing": {
      const isMore = await deleteRows(to, relocation, "arriving", maxRowsPerPage);
      return isMore ? relocation : enterPhase(relocation, "copying");
    }
    case "copying":
      return await copyPage(from, to, relocation);
    case "comparing":
      return await comparePage(from, to, relocation);
    case "switching": {
      if (call.switchEvent === undefined) return undefined;
      await setFence(from, relocation, "left");
      const opening = { ...enterPhase(relocation, "opening"), switchedAt: now };
      try {
        await switchShard(controlDbOf(env), relocation, opening, call.switchEvent);
      } finally {
        // This is done after an error too, because the switch may have been applied.
        invalidateShard(tenantId);
      }
      return await readCurrent(controlDbOf(env), opening);
    }
    case "opening":
      await setFence(to, relocation, "here");
      await deliverControlEvents(env, tenantId);
      return enterPhase(relocation, "cleaning");
    case "cleaning": {
      if (now < (relocation.switchedAt ?? 0) + maxStaleReaderMs) return undefined;
      const isMore = await deleteRows(from, relocation, "left", maxRowsPerPage);
      return isMore ? relocation : { ...enterPhase(relocation, "done"), finishedAt: now };
    }
    case "done":
      return undefined;
  }
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

async function comparePage(from: Database, to: Database, relocation: Relocation) {
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
    return { ...enterPhase(relocation, "clearing"), copied: 0 };
  }
  const last = source?.length === maxOutlinesPerPage ? source.at(-1) : undefined;
  const reached = last === undefined ? null : cursorOf(tableIndex, last);
  return moveCursor(relocation, reached, "switching");
}
