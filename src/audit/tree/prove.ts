/** Heads and proofs for who asks (RFC 9162 §2.1.3 and §2.1.4), from the tiles of the tree. */
import { toHex } from "../../crypto/bytes.ts";
import { dbFor } from "../../db/shards.ts";
import type { Config } from "../../env.ts";
import { AppError, invalidRequest } from "../../errors.ts";
import { causeOf, log } from "../../log.ts";
import { firstLeaf } from "../store.ts";
import { consistencyRanges, inclusionRanges, type Range } from "./merkle.ts";
import { integrateLog } from "./integrate.ts";
import { type OwnHead, ownHead } from "./signer.ts";
import { findHead, readTiles } from "./store.ts";
import { MissingTileError, TileSet, tilesFor } from "./tiles.ts";
import { findInTrail } from "./read-log.ts";

interface Asked {
  readonly env: Env;
  readonly config: Config;
  readonly caller: { readonly tenantId: string };
  readonly requestId: string;
  /** Real time: heads are signed at that, whatever clock the request runs at. */
  readonly arrivedAt: number;
}

/** What is proven of one leaf; hashes as hex. */
export interface InclusionProof {
  readonly leafIndex: number;
  readonly leafHash: string;
  readonly hashes: readonly string[];
  readonly head: OwnHead;
}

export interface ConsistencyProof {
  readonly from: number;
  readonly to: number;
  readonly hashes: readonly string[];
}

/**
 * The newest head, after sealing what has arrived since. Where that cannot be sealed now, the head
 * that there is. @throws AppError `not_found` where nothing was ever filed; `unavailable` where nothing
 * is sealed yet, or the head is not ours
 */
export async function newestHead(asked: Asked): Promise<OwnHead> {
  const { env, config, requestId, arrivedAt } = asked;
  const { tenantId } = asked.caller;
  await integrateLog(env, tenantId, arrivedAt).catch((error: unknown) =>
    log("error", "audit_seal_failed", {
      request_id: requestId,
      tenant_id: tenantId,
      cause: causeOf(error),
    }),
  );
  const stored = await findHead(await dbFor(env, tenantId), tenantId);
  if (stored === undefined) throw await noHead(env, tenantId);
  const head = await ownHead(config.auditSigningKeys, stored);
  if (head === undefined) throw damaged(asked);
  return head;
}

async function noHead(env: Env, tenantId: string): Promise<AppError> {
  if ((await firstLeaf(await dbFor(env, tenantId), tenantId)) === undefined) {
    return new AppError("not_found", { message: "There is nothing in the trail yet." });
  }
  return new AppError("unavailable", { message: "The trail is not sealed yet; try again." });
}

/** Hashes of subtrees of a tree of `size`. @throws MissingTileError where the tree is damaged */
async function hashesOf(env: Env, tenantId: string, ranges: readonly Range[], size: number) {
  const ids = tilesFor(ranges, size);
  const tiles = await readTiles(await dbFor(env, tenantId), [{ tenantId, tiles: ids }]);
  const set = new TileSet(tiles.get(tenantId) ?? []);
  return ranges.map((range) => toHex(set.hashOf(range)));
}

/** A damaged tree proves nothing; the log says which. */
function damaged({ caller, requestId }: Asked): AppError {
  log("error", "audit_tree_damaged", { request_id: requestId, tenant_id: caller.tenantId });
  return new AppError("unavailable");
}

async function proven<T>(asked: Asked, prove: () => Promise<T>): Promise<T> {
  try {
    return await prove();
  } catch (error) {
    if (!(error instanceof MissingTileError)) throw error;
    throw damaged(asked);
  }
}

/** @throws AppError `not_found`; `unavailable` while the event is not sealed */
export async function proveInclusion(
  asked: Asked,
  eventId: string,
  leafIndex: number | undefined,
): Promise<InclusionProof> {
  const { env } = asked;
  const { tenantId } = asked.caller;
  const event = await findInTrail(env, tenantId, eventId, leafIndex);
  if (event === undefined) throw new AppError("not_found");
  const head = await newestHead(asked);
  const { size } = head;
  const index = event.leafIndex;
  if (index >= size) {
    throw new AppError("unavailable", { message: "The event is not sealed yet; try again." });
  }
  const ranges = [{ start: index, end: index + 1 }, ...inclusionRanges(index, size)];
  const [hash = "", ...hashes] = await proven(asked, () => hashesOf(env, tenantId, ranges, size));
  return { leafIndex: index, leafHash: hash, hashes, head };
}

/** @throws AppError `invalid_request` where the sizes are not 1 ≤ from ≤ to ≤ newest */
export async function proveConsistency(
  asked: Asked,
  from: number,
  to: number | undefined,
): Promise<ConsistencyProof> {
  const { env } = asked;
  const { tenantId } = asked.caller;
  const { size } = await newestHead(asked);
  const end = to ?? size;
  if (end > size) {
    throw invalidRequest([{ path: "to", message: `must not be more than the tree has: ${size}` }]);
  }
  if (from > end) throw invalidRequest([{ path: "from", message: "must not be more than to" }]);
  const ranges = consistencyRanges(from, end);
  const hashes = await proven(asked, () => hashesOf(env, tenantId, ranges, end));
  return { from, to: end, hashes };
}
