/**
 * Carrying out once what happens in D1 alone, and keeping a key to one request throughout a tenant where
 * the change happens in a guard.
 */
import { type Database, type Statement, StoreError } from "../db/client.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { openReceipt, sealReceipt } from "./receipt.ts";
import { type FirstRequest, isKept, keptForMs, type RequestKey } from "./request-key.ts";
import { claimRequest, findRequest, type KeptRequest, keepRequest } from "./store.ts";

export interface OnceCall {
  readonly config: Config;
  readonly requestKey: RequestKey | null;
  readonly requestId: string;
  /** Unix ms; the tenant's test clock where one was sent. */
  readonly now: number;
  /** Real time, Unix ms. */
  readonly arrivedAt: number;
  /** Hears of the first request where this one repeats it. */
  readonly heard: (news: { readonly first?: FirstRequest }) => void;
}

/** Statements that keep an answer, for the batch that carries the request out. None without a key. */
export type Remember<T> = (answer: T) => Promise<readonly Statement[]>;

/** Keys of this isolate's requests that are under way. */
const underWay = new Set<string>();

/** What the operator asks for belongs to no tenant. */
export const operatorScope = "operator";

async function requestOf(
  call: OnceCall,
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
    forgetAt: call.arrivedAt + keptForMs,
  };
}

/** What a kept request shows. @throws AppError `idempotency_mismatch` */
async function openedFor(
  { config }: OnceCall,
  { key, digest }: RequestKey,
  { tenantId, box }: KeptRequest,
) {
  const receipt = await openReceipt(config.sealingKeys, { tenantId, identityId: "" }, key, box);
  if (receipt.digest !== digest) throw new AppError("idempotency_mismatch");
  return receipt.shown;
}

/**
 * Does the work, or answers as the first request with the key was answered.
 * @throws AppError `idempotency_mismatch`, `idempotency_in_progress`; what the work throws
 */
export async function once<T>(
  call: OnceCall,
  tenantId: string,
  db: Database,
  work: (remember: Remember<T>) => Promise<T>,
): Promise<T> {
  const { requestKey, requestId, now } = call;
  if (requestKey === null) return await work(async () => []);
  const answered = async (): Promise<{ readonly answer: T } | undefined> => {
    const kept = await findRequest(db, tenantId, requestKey.key);
    if (kept === undefined || !isKept(kept, now)) return undefined;
    const { answer, first } = keptAnswer<T>(await openedFor(call, requestKey, kept), kept.at);
    call.heard({ first });
    return { answer };
  };
  const name = `${tenantId} ${requestKey.key}`;
  if (underWay.has(name)) throw new AppError("idempotency_in_progress");
  underWay.add(name);
  try {
    const known = await answered();
    if (known !== undefined) return known.answer;
    try {
      return await work(async (answer) =>
        keepRequest(db, await requestOf(call, tenantId, requestKey, { answer, requestId })),
      );
    } catch (error) {
      // It may have been carried out all the same: by a request elsewhere, or by this one.
      const done = error instanceof StoreError ? await answered() : undefined;
      if (done === undefined) throw error;
      return done.answer;
    }
  } finally {
    underWay.delete(name);
  }
}

/** What was sealed is what `once` was given. */
function keptAnswer<T>(shown: Readonly<Record<string, unknown>>, at: number) {
  const { answer, requestId }: { answer: T; requestId: string } = JSON.parse(JSON.stringify(shown));
  return { answer, first: { requestId, at } };
}

/**
 * Keeps the key to this request throughout the tenant. The guard keeps the answer.
 * @throws AppError `idempotency_mismatch` where another request has the key; StoreError
 */
export async function claim(call: OnceCall, tenantId: string, db: Database): Promise<void> {
  const { requestKey } = call;
  if (requestKey === null) return;
  const kept = await claimRequest(db, await requestOf(call, tenantId, requestKey, {}));
  await openedFor(call, requestKey, kept);
}
