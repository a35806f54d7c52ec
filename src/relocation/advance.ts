/** The steps of a move, each bounded, each harmless when it is done twice or comes late. */

import { deliverControlEvents } from "../audit/control-outbox/deliver.ts";
import type { StampedEvent } from "../audit/event.ts";
import { type Database, runBatch } from "../db/client.ts";
import { controlDb, databaseAt, invalidateShard } from "../db/shards.ts";
import { listKeyVersions, markKeysInUse } from "../keys/version-store.ts";
import { log } from "../log.ts";
import {
  cursorAfter,
  readOutlines,
  readRows,
  deleteRows,
  tableNames,
  writeRows,
} from "./row-store.ts";
import { findRelocation, type Relocation, saveRelocation, setFence, switchShard } from "./store.ts";

/** Events are 7 KB at most, tiles 11 KB. */
const maxRowsPerPage = 300;
const maxOutlinesPerPage = 3_000;
/** Twice as long as an isolate remembers where a tenant lives, and more. */
export const maxReaderLagMs = 60_000;

interface AdvanceCall {
  readonly env: Env;
  /** Real time, Unix ms. */
  readonly now: number;
  /** What the trail is told of the switch; without it the work ends before. */
  readonly told?: StampedEvent | undefined;
}

/** Goes on until the pages are used up, or there is nothing to do now. */
export async function advanceRelocation(
  work: AdvanceCall,
  begun: Relocation,
  limit: number,
): Promise<Relocation> {
  const control = controlDb(work.env);
  let saved = begun;
  let current = begun;
  for (let pages = 0; pages < limit; pages += 1) {
    const next = await runStep(work, current);
    if (next === undefined) break;
    current = next;
    // A switch has saved itself, with what belongs to it.
    if (saved.phase === "switching") saved = current;
    if (current.phase === saved.phase) continue;
    if (!(await saveRelocation(control, saved, current)))
      return await readCurrent(control, current);
    saved = current;
  }
  if (current === saved || (await saveRelocation(control, saved, current))) return current;
  return await readCurrent(control, current);
}

/** Where things stand when another runner was faster. */
async function readCurrent(control: Database, known: Relocation): Promise<Relocation> {
  return (await findRelocation(control, known.tenantId)) ?? known;
}

function enterPhase(relocation: Relocation, phase: Relocation["phase"]): Relocation {
  return { ...relocation, phase, tableIndex: 0, cursor: null };
}

/** One page of work. Undefined: there is none now. */
async function runStep(work: AdvanceCall, relocation: Relocation): Promise<Relocation | undefined> {
  const { env, now } = work;
  const { tenantId } = relocation;
  const from = databaseAt(env, relocation.from);
  const to = databaseAt(env, relocation.to);
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
      if (work.told === undefined) return undefined;
      await setFence(from, relocation, "left");
      const opening = { ...enterPhase(relocation, "opening"), switchedAt: now };
      try {
        await switchShard(controlDb(env), relocation, opening, work.told);
      } finally {
        // Also where no answer came: it may have been done.
        invalidateShard(tenantId);
      }
      return await readCurrent(controlDb(env), opening);
    }
    case "opening":
      await setFence(to, relocation, "here");
      await deliverControlEvents(env, tenantId);
      return enterPhase(relocation, "cleaning");
    case "cleaning": {
      if (now < (relocation.switchedAt ?? 0) + maxReaderLagMs) return undefined;
      const isMore = await deleteRows(from, relocation, "left", maxRowsPerPage);
      return isMore ? relocation : { ...enterPhase(relocation, "done"), finishedAt: now };
    }
    case "done":
      return undefined;
  }
}

/** After a page: further in the table, in the next one, or in the next phase. */
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

/** What the tenant's data may be sealed, hashed or signed under. */
async function listKeysInUse(db: Database) {
  return (await listKeyVersions(db)).filter(({ retiredAt }) => retiredAt === null);
}

async function copyPage(from: Database, to: Database, relocation: Relocation) {
  const { tenantId, tableIndex, cursor, copied } = relocation;
  const rows = await readRows(from, tableIndex, tenantId, cursor, maxRowsPerPage);
  if (rows.length > 0) {
    // Once more, should the new database have retired one meanwhile.
    const keys = tableIndex === 0 ? await listKeysInUse(from) : [];
    await writeRows(to, tableIndex, relocation, rows, keys);
  }
  const last = rows.length === maxRowsPerPage ? rows.at(-1) : undefined;
  const reached = last === undefined ? null : cursorAfter(tableIndex, last);
  return moveCursor({ ...relocation, copied: copied + rows.length }, reached, "comparing");
}

async function comparePage(from: Database, to: Database, relocation: Relocation) {
  const { tenantId, tableIndex, cursor } = relocation;
  const [there, here] = await Promise.all(
    [from, to].map((db) => readOutlines(db, tableIndex, tenantId, cursor, maxOutlinesPerPage)),
  );
  if (JSON.stringify(there) !== JSON.stringify(here)) {
    const source = tableNames[tableIndex];
    log("error", "relocation_differs", {
      tenant_id: tenantId,
      ...(source === undefined ? {} : { source }),
    });
    return { ...enterPhase(relocation, "clearing"), copied: 0 };
  }
  const last = there?.length === maxOutlinesPerPage ? there.at(-1) : undefined;
  const reached = last === undefined ? null : cursorAfter(tableIndex, last);
  return moveCursor(relocation, reached, "switching");
}
