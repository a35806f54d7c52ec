/** The steps of a move, each bounded, each harmless when it is done twice or comes late. */

import { deliverControlEvents } from "../audit/control-outbox/deliver.ts";
import type { StampedEvent } from "../audit/stamp.ts";
import { type Database, runBatch } from "../db/client.ts";
import { controlDb, databaseAt, invalidateShard } from "../db/shards.ts";
import { listKeyVersions, noteKeys } from "../keys/store.ts";
import { log } from "../log.ts";
import { placeOf, readOutlines, readRows, removeRows, tableNames, writeRows } from "./row-store.ts";
import { findRelocation, type Relocation, saveRelocation, setFence, switchShard } from "./store.ts";

/** Events are 7 KB at most, tiles 11 KB. */
const rowsPerPage = 300;
const outlinesPerPage = 3_000;
/** Twice as long as an isolate remembers where a tenant lives, and more. */
export const readersGoneAfterMs = 60_000;

interface Work {
  readonly env: Env;
  /** Real time, Unix ms. */
  readonly now: number;
  /** What the trail is told of the switch; without it the work ends before. */
  readonly told?: StampedEvent | undefined;
}

/** Goes on until the pages are used up, or there is nothing to do now. */
export async function proceed(work: Work, begun: Relocation, limit: number): Promise<Relocation> {
  const control = controlDb(work.env);
  let saved = begun;
  let current = begun;
  for (let pages = 0; pages < limit; pages += 1) {
    const next = await step(work, current);
    if (next === undefined) break;
    current = next;
    // A switch has saved itself, with what belongs to it.
    if (saved.phase === "switching") saved = current;
    if (current.phase === saved.phase) continue;
    if (!(await saveRelocation(control, saved, current))) return await present(control, current);
    saved = current;
  }
  if (current === saved || (await saveRelocation(control, saved, current))) return current;
  return await present(control, current);
}

/** Where things stand when another runner was faster. */
async function present(control: Database, known: Relocation): Promise<Relocation> {
  return (await findRelocation(control, known.tenantId)) ?? known;
}

function entering(relocation: Relocation, phase: Relocation["phase"]): Relocation {
  return { ...relocation, phase, tableIndex: 0, cursor: null };
}

/** One page of work. Undefined: there is none now. */
async function step(work: Work, relocation: Relocation): Promise<Relocation | undefined> {
  const { env, now } = work;
  const { tenantId } = relocation;
  const from = databaseAt(env, relocation.from);
  const to = databaseAt(env, relocation.to);
  switch (relocation.phase) {
    case "leaving":
      await runBatch(to, noteKeys(to, await keysInUse(from)));
      await setFence(to, relocation, "arriving");
      await setFence(from, relocation, "leaving");
      return entering(relocation, "clearing");
    case "clearing": {
      const isMore = await removeRows(to, relocation, "arriving", rowsPerPage);
      return isMore ? relocation : entering(relocation, "copying");
    }
    case "copying":
      return await copyPage(from, to, relocation);
    case "comparing":
      return await comparePage(from, to, relocation);
    case "switching": {
      if (work.told === undefined) return undefined;
      await setFence(from, relocation, "left");
      const opening = { ...entering(relocation, "opening"), switchedAt: now };
      try {
        await switchShard(controlDb(env), relocation, opening, work.told);
      } finally {
        // Also where no answer came: it may have been done.
        invalidateShard(tenantId);
      }
      return await present(controlDb(env), opening);
    }
    case "opening":
      await setFence(to, relocation, "here");
      await deliverControlEvents(env, tenantId);
      return entering(relocation, "cleaning");
    case "cleaning": {
      if (now < (relocation.switchedAt ?? 0) + readersGoneAfterMs) return undefined;
      const isMore = await removeRows(from, relocation, "left", rowsPerPage);
      return isMore ? relocation : { ...entering(relocation, "done"), finishedAt: now };
    }
    case "done":
      return undefined;
  }
}

/** After a page: further in the table, in the next one, or in the next phase. */
function after(
  relocation: Relocation,
  cursor: Relocation["cursor"],
  next: Relocation["phase"],
): Relocation {
  const { tableIndex } = relocation;
  if (cursor !== null) return { ...relocation, cursor };
  return tableIndex + 1 < tableNames.length
    ? { ...relocation, tableIndex: tableIndex + 1, cursor: null }
    : entering(relocation, next);
}

/** What the tenant's data may be sealed, hashed or signed under. */
async function keysInUse(db: Database) {
  return (await listKeyVersions(db)).filter(({ retiredAt }) => retiredAt === null);
}

async function copyPage(from: Database, to: Database, relocation: Relocation) {
  const { tenantId, tableIndex, cursor, copied } = relocation;
  const rows = await readRows(from, tableIndex, tenantId, cursor, rowsPerPage);
  if (rows.length > 0) {
    // Once more, should the new database have retired one meanwhile.
    const keys = tableIndex === 0 ? await keysInUse(from) : [];
    await writeRows(to, tableIndex, relocation, rows, keys);
  }
  const last = rows.length === rowsPerPage ? rows.at(-1) : undefined;
  const reached = last === undefined ? null : placeOf(tableIndex, last);
  return after({ ...relocation, copied: copied + rows.length }, reached, "comparing");
}

async function comparePage(from: Database, to: Database, relocation: Relocation) {
  const { tenantId, tableIndex, cursor } = relocation;
  const [there, here] = await Promise.all(
    [from, to].map((db) => readOutlines(db, tableIndex, tenantId, cursor, outlinesPerPage)),
  );
  if (JSON.stringify(there) !== JSON.stringify(here)) {
    const source = tableNames[tableIndex];
    log("error", "relocation_differs", {
      tenant_id: tenantId,
      ...(source === undefined ? {} : { source }),
    });
    return { ...entering(relocation, "clearing"), copied: 0 };
  }
  const last = there?.length === outlinesPerPage ? there.at(-1) : undefined;
  const reached = last === undefined ? null : placeOf(tableIndex, last);
  return after(relocation, reached, "switching");
}
