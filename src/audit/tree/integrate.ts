/**
 * The sealer: appends what has arrived in each tenant's log to its Merkle tree and signs the new
 * head. Places in the log are given out when an event arrives, so any two sealers would append the
 * same; the store takes one head on top of another only once, with its tiles or not at all.
 *
 * Only what the service filed is sealed (see the stamp in file.ts), and only on top of a head that the
 * service signed. Where that does not hold, somebody has written into D1: the log is left as it is,
 * and the trouble is logged with every pass.
 */
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import { MissingKeyError } from "../../crypto/keyring.ts";
import { type Database, FencedTenantError, StoreError } from "../../db/client.ts";
import { listDatabases, inTenantDb } from "../../db/shards.ts";
import { DeadlineError } from "../../deadline.ts";
import { type Config, configNow } from "../../env.ts";
import { causeOf, log } from "../../log.ts";
import { encodeLeaf } from "../leaf.ts";
import { leafOf, checkStamp } from "../stamp.ts";
import { hashLeaf } from "./merkle.ts";
import { originOf } from "./note.ts";
import { verifyHead, signHead } from "./signer.ts";
import {
  findUnintegrated,
  type NewHead,
  readRanges,
  readTiles,
  type UnintegratedEvent,
  type UnintegratedLog,
  writeHeads,
} from "./store.ts";
import { appendLeaves, listEdgeTiles, MissingTileError, type Tile, TileSet } from "./tiles.ts";
import { listWitnessedHeads } from "./witness.ts";

/** From an event's arrival to its seal, at rest, in seconds: published with every head. */
export const maxIntegrationSeconds = 60;

/** One round reads and writes so much at once, in a fixed number of statements. */
const eventsPerRound = 4_000;
const eventsPerLog = 2_000;
const logsPerRound = 80;
/** Rounds of one pass, over all databases; what is left waits for the next. */
const maxRounds = 50;

/** Deadlines missed in one pass, after which the store is given up until the next. */
const maxDeadlinesMissed = 5;
/** A log that is slow to read is tried with ever fewer events, down to so many. */
const fewestEvents = 50;

type Trouble =
  | "audit_tree_damaged"
  | "audit_log_gap"
  | "audit_event_forged"
  | "audit_key_missing"
  | "audit_seal_put_off";

interface Allotment extends UnintegratedLog {
  /** Leaves to seal now: up to here, exclusive. */
  readonly below: number;
}

/** As many events as a round takes, of as many logs as it can. */
function allotted(logs: readonly UnintegratedLog[]): Allotment[] {
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
interface Integrator {
  readonly env: Env;
  readonly config: Config;
  readonly db: Database;
  /** Unix ms: the time of the heads. */
  readonly now: number;
  /** Rounds it may make. */
  readonly rounds: number;
  deadlinesMissed: number;
  /** Logs that could not be sealed to their end. */
  putOff: number;
  /** One of them is a tenant's that is moving, or has moved. */
  fenced?: FencedTenantError;
}

/**
 * Whether the tiles are those under the newest head, and we signed it. A log without a head is new,
 * unless the witness knows one: then somebody has removed it, to have another history signed.
 */
async function isIntact(
  { env, config }: Integrator,
  entry: UnintegratedLog,
  edge: readonly Tile[],
) {
  const { tenantId, size, note } = entry;
  if (note === null) return (await listWitnessedHeads(env, tenantId, 1)).length === 0;
  const head = await verifyHead(config.auditSigningKeys, { tenantId, size, note });
  if (head === undefined) return false;
  try {
    return timingSafeEqual(new TileSet(edge).rootOf(entry.size), head.root);
  } catch (error) {
    if (error instanceof MissingTileError) return false;
    throw error;
  }
}

/** The leaves that can be sealed, up to the first event that cannot. */
function integrableLeaves(
  config: Config,
  from: number,
  events: readonly UnintegratedEvent[],
): { readonly leaves: readonly Uint8Array[]; readonly trouble?: Trouble } {
  const leaves: Uint8Array[] = [];
  for (const event of events) {
    if (event.leafIndex !== from + leaves.length) return { leaves, trouble: "audit_log_gap" };
    const leaf = encodeLeaf(leafOf(event));
    const stamp = checkStamp(config.auditSigningKeys, event, leaf);
    if (stamp !== "ours") {
      const trouble = stamp === "forged" ? "audit_event_forged" : "audit_key_missing";
      return { leaves, trouble };
    }
    leaves.push(hashLeaf(leaf));
  }
  return { leaves };
}

/** What stands in the way of sealing a log, where it is that log's own. */
function troubleIn(error: unknown): Trouble {
  if (error instanceof MissingKeyError) return "audit_key_missing";
  // The witness, which only a log without a head asks.
  if (error instanceof StoreError) return "audit_seal_put_off";
  throw error;
}

async function headOn(
  sealer: Integrator,
  entry: Allotment,
  edge: readonly Tile[],
  events: readonly UnintegratedEvent[],
): Promise<NewHead | Trouble> {
  const { config, now } = sealer;
  const { tenantId, size: extendsSize } = entry;
  try {
    if (!(await isIntact(sealer, entry, edge))) return "audit_tree_damaged";
    const { leaves, trouble = "audit_log_gap" } = integrableLeaves(config, extendsSize, events);
    if (leaves.length === 0) return trouble;
    const { size, root, changed } = appendLeaves(edge, extendsSize, leaves);
    const head = { origin: originOf(tenantId), size, root, signedAt: now };
    const note = await signHead(config.auditSigningKeys, head);
    return { tenantId, size, extendsSize, note, changed };
  } catch (error) {
    return troubleIn(error);
  }
}

/** Seals all of these, or none. @throws StoreError, also where another sealer was faster */
async function integrateTogether(
  sealer: Integrator,
  allotments: readonly Allotment[],
): Promise<NewHead[]> {
  const { db } = sealer;
  const [events, edges] = await Promise.all([
    readRanges(
      db,
      allotments.map(({ tenantId, size, below }) => ({ tenantId, from: size, below })),
    ),
    readTiles(
      db,
      allotments.map(({ tenantId, size }) => ({ tenantId, tiles: listEdgeTiles(size) })),
    ),
  ]);
  const made = await Promise.all(
    allotments.map(async (entry) => {
      const { tenantId } = entry;
      const edge = edges.get(tenantId) ?? [];
      const head = await headOn(sealer, entry, edge, events.get(tenantId) ?? []);
      if (typeof head !== "string") return head;
      log("error", head, { tenant_id: tenantId });
      return undefined;
    }),
  );
  const heads = made.filter((head) => head !== undefined);
  if (heads.length > 0) await writeHeads(db, heads);
  return heads;
}

/**
 * Where one log holds the others up, because it is damaged, slow to read or was just sealed, each goes
 * alone, and one that is slow with fewer events. @throws StoreError where the store misses deadlines
 */
async function integrateSeparately(
  sealer: Integrator,
  allotments: readonly Allotment[],
): Promise<NewHead[]> {
  try {
    return await integrateTogether(sealer, allotments);
  } catch (error) {
    if (error instanceof FencedTenantError) sealer.fenced = error;
    const isSlow = error instanceof StoreError && error.cause instanceof DeadlineError;
    if (isSlow) {
      sealer.deadlinesMissed += 1;
      if (sealer.deadlinesMissed >= maxDeadlinesMissed) throw error;
    }
    const [only, ...others] = allotments;
    if (only !== undefined && others.length === 0) {
      const count = Math.floor((only.below - only.size) / 4);
      if (isSlow && count >= fewestEvents) {
        return await integrateSeparately(sealer, [{ ...only, below: only.size + count }]);
      }
      log("info", "audit_seal_put_off", { tenant_id: only.tenantId, cause: causeOf(error) });
      return [];
    }
    const heads: NewHead[] = [];
    for (const allotment of allotments)
      heads.push(...(await integrateSeparately(sealer, [allotment])));
    return heads;
  }
}

/** Seals one round; gives the logs that have more to seal. */
async function integrateRound(
  sealer: Integrator,
  logs: readonly UnintegratedLog[],
): Promise<UnintegratedLog[]> {
  const allotments = allotted(logs);
  const heads = await integrateSeparately(sealer, allotments);
  const sealed = new Map(heads.map((head) => [head.tenantId, head]));
  const unfinished = allotments.flatMap((entry) => {
    const head = sealed.get(entry.tenantId);
    // What could not be sealed now is left to the next pass.
    if (head === undefined) sealer.putOff += 1;
    else if (head.size < entry.length) return [{ ...entry, size: head.size, note: head.note }];
    return [];
  });
  return [...logs.slice(allotments.length), ...unfinished];
}

/** One pass over the database's logs, or over one of them. */
async function integratePass(sealer: Integrator, tenantId?: string): Promise<void> {
  let after = "";
  let logs: UnintegratedLog[] = [];
  for (let round = 0; round < sealer.rounds; round += 1) {
    if (logs.length === 0) {
      logs = await findUnintegrated(sealer.db, { after, tenantId }, logsPerRound);
      after = logs.at(-1)?.tenantId ?? after;
    }
    if (logs.length === 0) return;
    logs = await integrateRound(sealer, logs);
  }
}

function integratorFor(env: Env, db: Database, now: number, rounds: number): Integrator {
  return { env, config: configNow(env), db, now, rounds, deadlinesMissed: 0, putOff: 0 };
}

/** Seals what has arrived in all logs. Never throws: what fails is logged, and the next pass does it. */
export async function integrateLogs(env: Env, now: number): Promise<void> {
  const databases = listDatabases(env);
  const rounds = Math.ceil(maxRounds / databases.length);
  const passes = databases.map(async (db) => {
    try {
      await integratePass(integratorFor(env, db, now, rounds));
    } catch (error) {
      log("error", "audit_seal_failed", { cause: causeOf(error) });
    }
  });
  await Promise.all(passes);
}

/** Seals what has arrived in one tenant's log, for who asks for its newest head. @throws StoreError */
export async function integrateLog(env: Env, tenantId: string, now: number): Promise<void> {
  await inTenantDb(env, tenantId, async (db) => {
    const sealer = integratorFor(env, db, now, maxRounds);
    await integratePass(sealer, tenantId);
    if (sealer.fenced !== undefined) throw sealer.fenced;
    // Another sealer was faster, and may not have seen what the caller has.
    if (sealer.putOff > 0) await integratePass(sealer, tenantId);
  });
}
