/**
 * Builds the next tree head of one log. It extends only a head that the service signed, and only by events
 * that the service filed (see stamp.ts). Anything else means that D1 was changed from outside: the log
 * then stays as it is, and every run reports the problem.
 */
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import { MissingKeyError } from "../../crypto/keyring.ts";
import type { Config } from "../../env.ts";
import { sliceWork } from "../../slices.ts";
import type { StoredEvent } from "../event.ts";
import { encodeLeaf, leafOf } from "../leaf.ts";
import { checkStamp } from "../stamp.ts";
import type { NewHead } from "./head-store.ts";
import { hashLeaf } from "./merkle.ts";
import { originOf } from "./note.ts";
import { signHead, verifyHead } from "./signer.ts";
import type { UnintegratedLog } from "./store.ts";
import { appendLeaves, isFull, MissingTileError, type Tile, TileSet } from "./tiles.ts";
import { formatUnfinishedTiles } from "./unfinished-tiles.ts";

/** About 3 ms of computing. */
const maxLeavesPerSlice = 100;

/** Why a log cannot be integrated further; also the name of the log event that reports it. */
export type IntegrationProblem =
  | "audit_tree_damaged"
  | "audit_log_gap"
  | "audit_event_forged"
  | "audit_key_missing"
  | "audit_seal_put_off";

/**
 * Whether the service signed the newest head, and the tiles have its root. A log without a head is new, unless
 * the witness has one: then someone deleted the head, so that the service would sign another history.
 */
async function isIntact(
  config: Config,
  { tenantId, size, note }: UnintegratedLog,
  edge: readonly Tile[],
  isWitnessed: boolean,
): Promise<boolean> {
  if (note === null) return !isWitnessed;
  const head = await verifyHead(config.auditSigningKeys, { tenantId, size, note });
  if (head === undefined) return false;
  try {
    return timingSafeEqual(new TileSet(edge).rootOf(size), head.root);
  } catch (error) {
    if (error instanceof MissingTileError) return false;
    throw error;
  }
}

/** Hashes the events' leaves, up to the first event that cannot be integrated. */
async function hashLeaves(
  config: Config,
  from: number,
  events: readonly StoredEvent[],
): Promise<{ readonly leaves: readonly Uint8Array[]; readonly problem?: IntegrationProblem }> {
  const leaves: Uint8Array[] = [];
  for await (const slice of sliceWork(events, maxLeavesPerSlice)) {
    for (const event of slice) {
      if (event.leafIndex !== from + leaves.length) return { leaves, problem: "audit_log_gap" };
      const leaf = encodeLeaf(leafOf(event));
      const stamp = await checkStamp(config.auditSigningKeys, event, leaf);
      if (stamp === "forged") return { leaves, problem: "audit_event_forged" };
      if (stamp === "missing_key") return { leaves, problem: "audit_key_missing" };
      leaves.push(hashLeaf(leaf));
    }
  }
  return { leaves };
}

function problemOf(error: unknown): IntegrationProblem {
  if (error instanceof MissingKeyError) return "audit_key_missing";
  throw error;
}

/** What D1 and the witness have of one log. */
export interface LogData {
  /** The tiles at the right edge of the tree. */
  readonly edge: readonly Tile[];
  /** The next events of the log. */
  readonly events: readonly StoredEvent[];
  /** Whether the witness has a head of the log; undefined if it did not answer. Read only without a head. */
  readonly isWitnessed: boolean | undefined;
}

/** @param now Unix ms, the time of the head */
export async function buildHead(
  { config, now }: { readonly config: Config; readonly now: number },
  log: UnintegratedLog,
  { edge, events, isWitnessed }: LogData,
): Promise<NewHead | IntegrationProblem> {
  const { tenantId, size: extendsSize, note: knownNote } = log;
  if (knownNote === null && isWitnessed === undefined) return "audit_seal_put_off";
  try {
    if (!(await isIntact(config, log, edge, isWitnessed === true))) return "audit_tree_damaged";
    const { leaves, problem = "audit_log_gap" } = await hashLeaves(config, extendsSize, events);
    if (leaves.length === 0) return problem;
    const { size, root, changed } = appendLeaves(edge, extendsSize, leaves);
    const head = { origin: originOf(tenantId), size, root, signedAt: now };
    const note = await signHead(config.auditSigningKeys, head);
    const unfinishedTiles = formatUnfinishedTiles([...edge, ...changed], size);
    return { tenantId, size, extendsSize, note, finished: changed.filter(isFull), unfinishedTiles };
  } catch (error) {
    return problemOf(error);
  }
}
