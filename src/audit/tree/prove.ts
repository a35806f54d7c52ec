/** Tree heads and proofs on request (RFC 9162 §2.1.3 and §2.1.4), computed from the tiles of the tree. */
import { toHex } from "../../crypto/bytes.ts";
import { findTenantDb } from "../../db/shards.ts";
import type { Config } from "../../env.ts";
import { AppError, createInvalidRequest } from "../../errors.ts";
import { causeOf, log } from "../../log.ts";
import type { StoredEvent } from "../event.ts";
import { findFirstLeafIndex } from "../store.ts";
import { integrateLog } from "./integrate.ts";
import { type LeafRange, listConsistencyRanges, listInclusionRanges } from "./merkle.ts";
import { findInTrail } from "./read-trail.ts";
import { type VerifiedHead, verifyHead } from "./signer.ts";
import { findHead, readTiles } from "./store.ts";
import { listTiles, MissingTileError, TileSet } from "./tiles.ts";

interface ProofRequest {
  readonly env: Env;
  readonly config: Config;
  readonly caller: { readonly tenantId: string };
  readonly requestId: string;
  /** Real time, Unix ms: the time of a new head, even if the request has a test clock. */
  readonly arrivedAt: number;
}

/** Hashes are hex. */
export interface InclusionProof {
  readonly event: StoredEvent;
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
 * Integrates the tenant's log and finds its newest head. If the log cannot be integrated now, finds the newest
 * stored head.
 * @throws AppError `not_found` if the log is empty; `unavailable` if no event is integrated yet, or the
 *   stored head is not one that the service signed
 */
export async function findNewestHead(request: ProofRequest): Promise<VerifiedHead> {
  const { env, config, requestId, arrivedAt } = request;
  const { tenantId } = request.caller;
  await integrateLog(env, tenantId, arrivedAt).catch((error: unknown) =>
    log("error", "audit_seal_failed", {
      request_id: requestId,
      tenant_id: tenantId,
      cause: causeOf(error),
    }),
  );
  const stored = await findHead(await findTenantDb(env, tenantId), tenantId);
  if (stored === undefined) throw await createMissingHeadError(env, tenantId);
  const head = await verifyHead(config.auditSigningKeys, stored);
  if (head === undefined) throw reportDamagedTree(request);
  return head;
}

async function createMissingHeadError(env: Env, tenantId: string): Promise<AppError> {
  if ((await findFirstLeafIndex(await findTenantDb(env, tenantId), tenantId)) === undefined) {
    return new AppError("not_found", { message: "The audit trail has no events yet." });
  }
  return new AppError("unavailable", {
    message: "The audit trail has no checkpoint yet; try again.",
  });
}

/**
 * Logs that the tree or its head was altered.
 * @returns the error to throw: a damaged tree proves nothing
 */
function reportDamagedTree({ caller, requestId }: ProofRequest): AppError {
  log("error", "audit_tree_damaged", { request_id: requestId, tenant_id: caller.tenantId });
  return new AppError("unavailable");
}

/** Reads hashes of subtrees, hex, in a tree of `size` leaves. @throws AppError `unavailable` */
async function readHashes(request: ProofRequest, ranges: readonly LeafRange[], size: number) {
  const { env, caller } = request;
  const { tenantId } = caller;
  const ids = listTiles(ranges, size);
  const tiles = await readTiles(await findTenantDb(env, tenantId), [{ tenantId, tiles: ids }]);
  const set = new TileSet(tiles.get(tenantId) ?? []);
  try {
    return ranges.map((range) => toHex(set.hashOf(range)));
  } catch (error) {
    if (!(error instanceof MissingTileError)) throw error;
    throw reportDamagedTree(request);
  }
}

/** @throws AppError `not_found`; `unavailable` while the event is not integrated */
export async function proveInclusion(
  request: ProofRequest,
  eventId: string,
  leafIndex: number | undefined,
): Promise<InclusionProof> {
  const { env } = request;
  const { tenantId } = request.caller;
  const event = await findInTrail(env, tenantId, eventId, leafIndex);
  if (event === undefined) throw new AppError("not_found");
  const head = await findNewestHead(request);
  const { size } = head;
  const index = event.leafIndex;
  if (index >= size) {
    throw new AppError("unavailable", { message: "The event is not integrated yet; try again." });
  }
  const ranges = [{ start: index, end: index + 1 }, ...listInclusionRanges(index, size)];
  const [hash = "", ...hashes] = await readHashes(request, ranges, size);
  return { event, leafHash: hash, hashes, head };
}

/** @throws AppError `invalid_request` unless 1 ≤ from ≤ to ≤ the newest size */
export async function proveConsistency(
  request: ProofRequest,
  from: number,
  to: number | undefined,
): Promise<ConsistencyProof> {
  const { size } = await findNewestHead(request);
  const end = to ?? size;
  if (end > size) {
    throw createInvalidRequest([
      { path: "to", message: `must not be more than the tree size, ${size}` },
    ]);
  }
  if (from > end)
    throw createInvalidRequest([{ path: "from", message: "must not be more than to" }]);
  const ranges = listConsistencyRanges(from, end);
  const hashes = await readHashes(request, ranges, end);
  return { from, to: end, hashes };
}
