/**
 * Idempotent requests of an isolate: `runOnce` keeps the answers to changes in D1, and `claimRequestKey`
 * reserves the key of a change that a guard decides, so that no other request of the tenant can use it.
 */
import { type Database, type Statement, StoreError } from "../db/client.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { openReceipt, sealReceipt } from "./receipt.ts";
import { answerLifetimeMs, type FirstRequest, isKept, type RequestKey } from "./request-key.ts";
import { claimRequest, findRequest, type KeptRequest, keepRequest } from "./store.ts";

export interface RunOnceCall {
  readonly config: Config;
  readonly requestKey: RequestKey | null;
  readonly requestId: string;
  /** Unix ms; the tenant's test clock if one was sent. */
  readonly now: number;
  /** Real time, Unix ms. */
  readonly arrivedAt: number;
  /** Receives the first request when its answer is replayed. */
  readonly onGuardNotice: (notice: { readonly first?: FirstRequest }) => void;
}

/**
 * Returns the statements that keep an answer; they belong in the batch that applies the request. There are
 * none for a request without a key.
 */
export type KeepAnswer<T> = (answer: T) => Promise<readonly Statement[]>;

/**
 * After this time a request counts as abandoned: when a client disconnects, the platform may end the request
 * without notice. If it does continue, D1 still keeps only one row for its key.
 */
const abandonedAfterMs = 30_000;
/** When this isolate's running requests with a key started, Unix ms; the oldest first. */
const running = new Map<string, number>();

/**
 * Marks a request as running.
 * @returns a function that removes the mark
 * @throws AppError `idempotency_in_progress`
 */
function markRunning(name: string, now: number): () => void {
  for (const [other, startedAt] of running) {
    if (now - startedAt < abandonedAfterMs) break;
    running.delete(other);
  }
  if (running.has(name)) throw new AppError("idempotency_in_progress");
  running.set(name, now);
  return () => {
    if (running.get(name) === now) running.delete(name);
  };
}

/** In place of a tenant id for the operator's requests. */
export const operatorScope = "operator";

async function buildKeptRequest(
  call: RunOnceCall,
  tenantId: string,
  requestKey: RequestKey,
  shown: Readonly<Record<string, unknown>>,
): Promise<KeptRequest> {
  const owner = { tenantId, identityId: "" };
  const box = await sealReceipt(call.config.sealingKeys, owner, requestKey, shown);
  return {
    tenantId,
    key: requestKey.key,
    box,
    at: call.now,
    expiresAt: call.arrivedAt + answerLifetimeMs,
  };
}

/** Opens the receipt of a kept request. @throws AppError `idempotency_mismatch` */
async function openKeptRequest(
  { config }: RunOnceCall,
  { key, digest }: RequestKey,
  { tenantId, box }: KeptRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const receipt = await openReceipt(config.sealingKeys, { tenantId, identityId: "" }, key, box);
  if (receipt.digest !== digest) throw new AppError("idempotency_mismatch");
  return receipt.shown;
}

/** The first request with a key. */
interface Earlier<T> {
  readonly answer: T;
  readonly first: FirstRequest;
}

/** Reads what `runOnce` sealed. */
function parseEarlier<T>(shown: Readonly<Record<string, unknown>>, at: number): Earlier<T> {
  const { answer, requestId }: { answer: T; requestId: string } = JSON.parse(JSON.stringify(shown));
  return { answer, first: { requestId, at } };
}

/** @throws AppError `idempotency_mismatch`; StoreError */
async function findEarlier<T>(
  call: RunOnceCall,
  tenantId: string,
  db: Database,
  requestKey: RequestKey,
): Promise<Earlier<T> | undefined> {
  const kept = await findRequest(db, tenantId, requestKey.key);
  if (kept === undefined || !isKept(kept, call.now)) return undefined;
  return parseEarlier<T>(await openKeptRequest(call, requestKey, kept), kept.at);
}

/**
 * Does the work, or answers as the first request with the key was answered.
 * @throws AppError `idempotency_mismatch`, `idempotency_in_progress`; what the work throws
 */
export async function runOnce<T>(
  call: RunOnceCall,
  tenantId: string,
  db: Database,
  work: (keepAnswer: KeepAnswer<T>) => Promise<T>,
): Promise<T> {
  const { requestKey, requestId } = call;
  if (requestKey === null) return await work(async () => []);
  const replay = ({ answer, first }: Earlier<T>): T => {
    call.onGuardNotice({ first });
    return answer;
  };
  const endRun = markRunning(`${tenantId} ${requestKey.key}`, call.arrivedAt);
  try {
    const earlier = await findEarlier<T>(call, tenantId, db, requestKey);
    if (earlier !== undefined) return replay(earlier);
    try {
      return await work(async (answer) =>
        keepRequest(db, await buildKeptRequest(call, tenantId, requestKey, { answer, requestId })),
      );
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // The change may have been applied: by this request, or by one in another isolate.
      const applied = await findEarlier<T>(call, tenantId, db, requestKey);
      if (applied === undefined) throw error;
      return replay(applied);
    }
  } finally {
    endRun();
  }
}

/**
 * Reserves the key for this request throughout the tenant. The guard keeps the answer.
 * @param precondition what must hold when the key is reserved (`requireCondition`)
 * @throws AppError `idempotency_mismatch` if another request has the key, or that of the precondition; StoreError
 */
export async function claimRequestKey(
  call: RunOnceCall,
  tenantId: string,
  db: Database,
  precondition: Statement,
): Promise<void> {
  const { requestKey } = call;
  if (requestKey === null) return;
  const request = await buildKeptRequest(call, tenantId, requestKey, {});
  const kept = await claimRequest(db, request, precondition);
  await openKeptRequest(call, requestKey, kept);
}
