/** Heads and proofs for who asks (RFC 9162 §2.1.3 and §2.1.4), from the tiles of the tree. */
import { toHex } from "../../crypto/bytes.ts";
import { findTenantDb } from "../../db/shards.ts";
import type { Config } from "../../env.ts";
import { AppError, invalidRequest } from "../../errors.ts";
import { causeOf, log } from "../../log.ts";
import { findFirstLeafIndex } from "../store.ts";
import { listConsistencyRanges, listInclusionRanges, type LeafRange } from "./merkle.ts";
import { integrateLog } from "./integrate.ts";
import { type VerifiedHead, verifyHead } from "./signer.ts";
import { findHead, readTiles } from "./store.ts";
import { MissingTileError, TileSet, listTiles } from "./tiles.ts";
import { findInTrail } from "./read-trail.ts";

interface ProofRequest {
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
  readonly head: VerifiedHead;
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
export async function findNewestHead(asked: ProofRequest): Promise<VerifiedHead> {
  const { env, config, requestId, arrivedAt } = asked;
  const { tenantId } = asked.caller;
  await integrateLog(env, tenantId, arrivedAt).catch((error: unknown) =>
    log("error", "audit_seal_failed", {
      request_id: requestId,
      tenant_id: tenantId,
      cause: causeOf(error),
    }),
  );
  const stored = await findHead(await findTenantDb(env, tenantId), tenantId);
  if (stored === undefined) throw await explainMissingHead(env, tenantId);
  const head = await verifyHead(config.auditSigningKeys, stored);
  if (head === undefined) throw reportDamagedTree(asked);
  return head;
}

async function explainMissingHead(env: Env, tenantId: string): Promise<AppError> {
  if ((await findFirstLeafIndex(await findTenantDb(env, tenantId), tenantId)) === undefined) {
    return new AppError("not_found", { sentence: "There is nothing in the trail yet." });
  }
  return new AppError("unavailable", { sentence: "The trail is not sealed yet; try again." });
}

/** Hashes of subtrees of a tree of `size`. @throws MissingTileError where the tree is damaged */
async function readHashes(env: Env, tenantId: string, ranges: readonly LeafRange[], size: number) {
  const ids = listTiles(ranges, size);
  const tiles = await readTiles(await findTenantDb(env, tenantId), [{ tenantId, tiles: ids }]);
  const set = new TileSet(tiles.get(tenantId) ?? []);
  return ranges.map((range) => toHex(set.hashOf(range)));
}

/** A damaged tree proves nothing; the log says which. */
function reportDamagedTree({ caller, requestId }: ProofRequest): AppError {
  log("error", "audit_tree_damaged", { request_id: requestId, tenant_id: caller.tenantId });
  return new AppError("unavailable");
}

async function rejectDamagedTree<T>(asked: ProofRequest, prove: () => Promise<T>): Promise<T> {
  try {
    return await prove();
  } catch (error) {
    if (!(error instanceof MissingTileError)) throw error;
    throw reportDamagedTree(asked);
  }
}

/** @throws AppError `not_found`; `unavailable` while the event is not sealed */
export async function proveInclusion(
  asked: ProofRequest,
  eventId: string,
  leafIndex: number | undefined,
): Promise<InclusionProof> {
  const { env } = asked;
  const { tenantId } = asked.caller;
  const event = await findInTrail(env, tenantId, eventId, leafIndex);
  if (event === undefined) throw new AppError("not_found");
  const head = await findNewestHead(asked);
  const { size } = head;
  const index = event.leafIndex;
  if (index >= size) {
    throw new AppError("unavailable", { sentence: "The event is not sealed yet; try again." });
  }
  const ranges = [{ start: index, end: index + 1 }, ...listInclusionRanges(index, size)];
  const [hash = "", ...hashes] = await rejectDamagedTree(asked, () =>
    readHashes(env, tenantId, ranges, size),
  );
  return { leafIndex: index, leafHash: hash, hashes, head };
}

/** @throws AppError `invalid_request` where the sizes are not 1 ≤ from ≤ to ≤ newest */
export async function proveConsistency(
  asked: ProofRequest,
  from: number,
  to: number | undefined,
): Promise<ConsistencyProof> {
  const { env } = asked;
  const { tenantId } = asked.caller;
  const { size } = await findNewestHead(asked);
  const end = to ?? size;
  if (end > size) {
    throw invalidRequest([{ path: "to", message: `must not be more than the tree has: ${size}` }]);
  }
  if (from > end) throw invalidRequest([{ path: "from", message: "must not be more than to" }]);
  const ranges = listConsistencyRanges(from, end);
  const hashes = await rejectDamagedTree(asked, () => readHashes(env, tenantId, ranges, end));
  return { from, to: end, hashes };
}
