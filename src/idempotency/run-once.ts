/**
 * Carrying out once what happens in D1 alone, and keeping a key to one request throughout a tenant where
 * the change happens in a guard.
 */
import { type Database, type Statement, StoreError } from "../db/client.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { openReceipt, sealReceipt } from "./receipt.ts";
import { type FirstRequest, isKept, answerLifetimeMs, type RequestKey } from "./request-key.ts";
import { claimRequest, findRequest, type KeptRequest, keepRequest } from "./store.ts";

export interface RunOnceCall {
  readonly config: Config;
  readonly requestKey: RequestKey | null;
  readonly requestId: string;
  /** Unix ms; the tenant's test clock where one was sent. */
  readonly now: number;
  /** Real time, Unix ms. */
  readonly arrivedAt: number;
  /** Hears of the first request where this one repeats it. */
  readonly onGuardNotice: (news: { readonly first?: FirstRequest }) => void;
}

/**
 * Statements that keep an answer, for the batch that carries the request out. None without a key. Without an
 * answer only the key is kept: no other request can have it, and this one is carried out whenever it is repeated.
 */
export type KeepAnswer<T> = (answer: T | undefined) => Promise<readonly Statement[]>;

/**
 * After this a request counts as given up: one whose client has gone may be ended by the platform in the
 * middle, and nothing tells of that. Should it go on all the same, D1 still keeps but one row of its key.
 */
const abandonedAfterMs = 30_000;
/** When requests of this isolate with a key began that are under way, real time; the oldest first. */
const underWay = new Map<string, number>();

/** @returns the end of it. @throws AppError `idempotency_in_progress` */
function markUnderWay(name: string, now: number): () => void {
  for (const [other, begunAt] of underWay) {
    if (now - begunAt < abandonedAfterMs) break;
    underWay.delete(other);
  }
  if (underWay.has(name)) throw new AppError("idempotency_in_progress");
  underWay.set(name, now);
  return () => {
    if (underWay.get(name) === now) underWay.delete(name);
  };
}

/** What the operator asks for belongs to no tenant. */
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

/** What a kept request shows. @throws AppError `idempotency_mismatch` */
async function openKeptRequest(
  { config }: RunOnceCall,
  { key, digest }: RequestKey,
  { tenantId, box }: KeptRequest,
) {
  const receipt = await openReceipt(config.sealingKeys, { tenantId, identityId: "" }, key, box);
  if (receipt.digest !== digest) throw new AppError("idempotency_mismatch");
  return receipt.shown;
}

/** What is known of the first request with a key; without its answer where only the key was kept. */
interface Earlier<T> {
  readonly answer?: T;
  readonly first: FirstRequest;
}

/** What was sealed is what `once` was given. */
function parseEarlier<T>(shown: Readonly<Record<string, unknown>>, at: number): Earlier<T> {
  const { requestId, ...kept }: { answer?: T; requestId: string } = JSON.parse(
    JSON.stringify(shown),
  );
  return { ...kept, first: { requestId, at } };
}

/**
 * Does the work, or answers as the first request with the key was answered.
 * @throws AppError `idempotency_mismatch`, `idempotency_in_progress`; what the work throws
 */
export async function runOnce<T>(
  call: RunOnceCall,
  tenantId: string,
  db: Database,
  work: (remember: KeepAnswer<T>) => Promise<T>,
): Promise<T> {
  const { requestKey, requestId, now } = call;
  if (requestKey === null) return await work(async () => []);
  const earlier = async (): Promise<Earlier<T> | undefined> => {
    const kept = await findRequest(db, tenantId, requestKey.key);
    if (kept === undefined || !isKept(kept, now)) return undefined;
    return parseEarlier<T>(await openKeptRequest(call, requestKey, kept), kept.at);
  };
  const repeated = (answer: T, first: FirstRequest): T => {
    call.onGuardNotice({ first });
    return answer;
  };
  const end = markUnderWay(`${tenantId} ${requestKey.key}`, call.arrivedAt);
  try {
    const known = await earlier();
    if (known?.answer !== undefined) return repeated(known.answer, known.first);
    if (known !== undefined) return await work(async () => []);
    try {
      return await work(async (answer) =>
        keepRequest(db, await buildKeptRequest(call, tenantId, requestKey, { answer, requestId })),
      );
    } catch (error) {
      // It may have been carried out all the same: by a request elsewhere, or by this one.
      const done = error instanceof StoreError ? await earlier() : undefined;
      if (done?.answer === undefined) throw error;
      return repeated(done.answer, done.first);
    }
  } finally {
    end();
  }
}

/**
 * Keeps the key to this request throughout the tenant. The guard keeps the answer.
 * @throws AppError `idempotency_mismatch` where another request has the key; StoreError
 */
export async function claimRequestKey(
  call: RunOnceCall,
  tenantId: string,
  db: Database,
): Promise<void> {
  const { requestKey } = call;
  if (requestKey === null) return;
  const kept = await claimRequest(db, await buildKeptRequest(call, tenantId, requestKey, {}));
  await openKeptRequest(call, requestKey, kept);
}
