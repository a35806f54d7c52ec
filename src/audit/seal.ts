/**
 * The sealer: appends what has arrived in each tenant's log to its Merkle tree and signs the new
 * head. Places in the log are given out when an event arrives, so any two sealers would append the
 * same; the store takes one head on top of another only once, with its tiles or not at all.
 *
 * Only what the service filed is sealed (see the stamp in file.ts), and only on top of a head that the
 * service signed. Where that does not hold, somebody has written into D1: the log is left as it is,
 * and the trouble is logged with every pass.
 */
import { equalBytes } from "../crypto/constant-time.ts";
import { allDatabases, type Database, dbFor, StoreError } from "../db/client.ts";
import { DeadlineError } from "../deadline.ts";
import { type Config, configNow } from "../env.ts";
import { causeOf, log } from "../log.ts";
import { isStamped, leafOf, type StoredEvent } from "./file.ts";
import { leafData } from "./leaf.ts";
import { ownHead, signedNote } from "./signer.ts";
import { leafHash } from "./tree/merkle.ts";
import { originOf } from "./tree/note.ts";
import {
  findUnsealed,
  type NewHead,
  readRanges,
  readTiles,
  type UnsealedLog,
  writeHeads,
} from "./tree/store.ts";
import { appended, edgeTiles, MissingTileError, type Tile, TileSet } from "./tree/tiles.ts";
import { listWitnessed } from "./witness.ts";

/** From an event's arrival to its seal, at rest, in seconds: published with every head. */
export const sealedWithinSeconds = 60;

/** One round reads and writes so much at once, in a fixed number of statements. */
const eventsPerRound = 4_000;
const eventsPerLog = 2_000;
const logsPerRound = 80;
/** Rounds of one pass; what is left waits for the next. */
const mostRounds = 50;

type Trouble = "audit_tree_damaged" | "audit_log_gap" | "audit_event_forged";

interface Allotment extends UnsealedLog {
  /** Leaves to seal now: up to here, exclusive. */
  readonly below: number;
}

/** As many events as a round takes, of as many logs as it can. */
function allotted(logs: readonly UnsealedLog[]): Allotment[] {
  const allotments: Allotment[] = [];
  let left = eventsPerRound;
  for (const entry of logs) {
    if (left === 0) break;
    const count = Math.min(entry.length - entry.size, eventsPerLog, left);
    allotments.push({ ...entry, below: entry.size + count });
    left -= count;
  }
  return allotments;
}

/** Where and with what the sealer works. */
interface Sealer {
  readonly env: Env;
  readonly config: Config;
  readonly db: Database;
  /** Unix ms: the time of the heads. */
  readonly now: number;
}

/**
 * Whether the tiles are those under the newest head, and we signed it. A log without a head is new,
 * unless the witness knows one: then somebody has removed it, to have another history signed.
 */
async function isIntact({ env, config }: Sealer, entry: UnsealedLog, edge: readonly Tile[]) {
  const { tenantId, size, note } = entry;
  if (note === null) return (await listWitnessed(env, tenantId, 1)).length === 0;
  const head = await ownHead(config.auditSigningKeys, { tenantId, size, note });
  if (head === undefined) return false;
  try {
    return equalBytes(new TileSet(edge).root(entry.size), head.root);
  } catch (error) {
    if (error instanceof MissingTileError || error instanceof RangeError) return false;
    throw error;
  }
}

/** The leaves that can be sealed, up to the first event that cannot. */
function sealableLeaves(
  config: Config,
  from: number,
  events: readonly StoredEvent[],
): { readonly leaves: readonly Uint8Array[]; readonly trouble?: Trouble } {
  const leaves: Uint8Array[] = [];
  for (const event of events) {
    if (event.leafIndex !== from + leaves.length) return { leaves, trouble: "audit_log_gap" };
    const leaf = leafData(leafOf(event));
    if (!isStamped(config.auditSigningKeys, event, leaf)) {
      return { leaves, trouble: "audit_event_forged" };
    }
    leaves.push(leafHash(leaf));
  }
  return leaves.length === 0 ? { leaves, trouble: "audit_log_gap" } : { leaves };
}

async function headOn(
  sealer: Sealer,
  entry: Allotment,
  edge: readonly Tile[],
  events: readonly StoredEvent[],
): Promise<{ readonly head?: NewHead; readonly trouble?: Trouble }> {
  if (!(await isIntact(sealer, entry, edge))) return { trouble: "audit_tree_damaged" };
  const { config, now } = sealer;
  const { tenantId, size: extendsSize } = entry;
  const { leaves, trouble } = sealableLeaves(config, extendsSize, events);
  if (leaves.length === 0) return trouble === undefined ? {} : { trouble };
  const { size, root, changed } = appended(edge, extendsSize, leaves);
  const origin = originOf(tenantId);
  const note = await signedNote(config.auditSigningKeys, { origin, size, root, sealedAt: now });
  return { head: { tenantId, size, extendsSize, note, changed } };
}

/** Seals all of these, or none. @throws StoreError, also where another sealer was faster */
async function sealTogether(sealer: Sealer, allotments: readonly Allotment[]): Promise<NewHead[]> {
  const { db } = sealer;
  const [events, edges] = await Promise.all([
    readRanges(
      db,
      allotments.map(({ tenantId, size, below }) => ({ tenantId, from: size, below })),
    ),
    readTiles(
      db,
      allotments.map(({ tenantId, size }) => ({ tenantId, tiles: edgeTiles(size) })),
    ),
  ]);
  const heads: NewHead[] = [];
  for (const entry of allotments) {
    const { tenantId } = entry;
    const edge = edges.get(tenantId) ?? [];
    const { head, trouble } = await headOn(sealer, entry, edge, events.get(tenantId) ?? []);
    if (trouble !== undefined) log("error", trouble, { tenant_id: tenantId });
    if (head !== undefined) heads.push(head);
  }
  if (heads.length > 0) await writeHeads(db, heads);
  return heads;
}

/** Where one log holds the others up, because it is damaged or was just sealed, each goes alone. */
async function sealApart(sealer: Sealer, allotments: readonly Allotment[]): Promise<NewHead[]> {
  try {
    return await sealTogether(sealer, allotments);
  } catch (error) {
    const isSlow = error instanceof StoreError && error.cause instanceof DeadlineError;
    if (isSlow) throw error;
    const [only, ...others] = allotments;
    if (only !== undefined && others.length === 0) {
      log("info", "audit_seal_put_off", { tenant_id: only.tenantId, cause: causeOf(error) });
      return [];
    }
    const heads: NewHead[] = [];
    for (const allotment of allotments) {
      heads.push(...(await sealApart(sealer, [allotment])));
    }
    return heads;
  }
}

/** Seals one round; gives the logs that have more to seal. */
async function sealRound(sealer: Sealer, logs: readonly UnsealedLog[]): Promise<UnsealedLog[]> {
  const allotments = allotted(logs);
  const heads = await sealApart(sealer, allotments);
  const sealed = new Map(heads.map((head) => [head.tenantId, head]));
  const unfinished = allotments.flatMap((entry) => {
    // What could not be sealed now is left to the next pass.
    const { size, note } = sealed.get(entry.tenantId) ?? { size: entry.length, note: null };
    return size < entry.length ? [{ ...entry, size, note }] : [];
  });
  return [...logs.slice(allotments.length), ...unfinished];
}

/** One pass over the database's logs, or over one of them. */
async function sealPass(sealer: Sealer, tenantId?: string): Promise<void> {
  let after = "";
  let logs: UnsealedLog[] = [];
  for (let round = 0; round < mostRounds; round += 1) {
    if (logs.length === 0) {
      logs = await findUnsealed(sealer.db, { after, tenantId }, logsPerRound);
      after = logs.at(-1)?.tenantId ?? after;
    }
    if (logs.length === 0) return;
    logs = await sealRound(sealer, logs);
  }
}

/** Seals what has arrived in all logs. Never throws: what fails is logged, and the next pass does it. */
export async function sealTrails(env: Env, now: number): Promise<void> {
  for (const db of allDatabases(env)) {
    try {
      await sealPass({ env, config: configNow(env), db, now });
    } catch (error) {
      log("error", "audit_seal_failed", { cause: causeOf(error) });
    }
  }
}

/** Seals what has arrived in one tenant's log, for who asks for its newest head. @throws StoreError */
export async function sealTrail(env: Env, tenantId: string, now: number): Promise<void> {
  await sealPass({ env, config: configNow(env), db: dbFor(env, tenantId), now }, tenantId);
}
