/**
 * Requests with an `Idempotency-Key`: a repeated request gets the first answer again. The answer is kept
 * in the transaction of the change itself; this file prepares it, finds it and restores it.
 *
 * Answers expire in real time, so the clock is read here; no decision depends on it.
 */
import type { Keyring } from "../crypto/keyring.ts";
import type { ErrorCode } from "../errors.ts";
import { openReceipt, sealReceipt } from "../idempotency/receipt.ts";
import { answerLifetimeMs, isKept } from "../idempotency/request-key.ts";
import { fail, type GuardCall, type GuardResult } from "./decisions/transition.ts";
import type { KeptAnswer } from "./kept-answers.ts";
import type { GuardStorage } from "./storage.ts";

/** Fields of an answer that are shown once, and stored only in a receipt. */
type Secrets = Readonly<Record<string, unknown>>;

/** Returns the call to record; it carries a sealed receipt when the request has a key. */
export type AddReceipt = (secrets?: Secrets) => Promise<GuardCall>;

/** Errors that say something about the code or answer that was sent, so that a repeated request gets them again. */
const decidedErrors: readonly ErrorCode[] = [
  "invalid_code",
  "code_already_used",
  "invalid_passkey",
];

/** What to keep of an answer; undefined when a repeated request must run again. */
export function buildKeptAnswer(
  { requestKey, receipt, now: at, requestId }: GuardCall,
  { rate: _rate, ...result }: GuardResult<unknown>,
): KeptAnswer | undefined {
  if (requestKey === null || receipt === undefined) return undefined;
  // A refusal decides nothing. After an unlock, say, the repeated request must be evaluated.
  if (!result.ok && !decidedErrors.includes(result.error.code)) return undefined;
  const expiresAt = Date.now() + answerLifetimeMs;
  return {
    key: requestKey.key,
    at,
    requestId,
    receipt,
    result: JSON.stringify(result),
    expiresAt,
  };
}

function restoreResult<T>({ result, requestId, at }: KeptAnswer, secrets: Secrets): GuardResult<T> {
  const stored: GuardResult<T> = JSON.parse(result);
  const first = { requestId, at };
  if (!stored.ok || Object.keys(secrets).length === 0) return { ...stored, first };
  return { ...stored, value: { ...stored.value, ...secrets }, first };
}

export class RequestReplay {
  readonly #storage: GuardStorage;
  /** Digests of the requests that are running, by their key. */
  readonly #running = new Map<string, string>();

  constructor(storage: GuardStorage) {
    this.#storage = storage;
  }

  /**
   * Does the work, or answers as the first request with the key was answered. The work seals its receipt
   * before it decides, because sealing is asynchronous and a decision must not be.
   */
  async runOnce<T>(
    sealingKeys: Keyring,
    call: GuardCall,
    work: (addReceipt: AddReceipt) => Promise<GuardResult<T>>,
  ): Promise<GuardResult<T>> {
    const { requestKey } = call;
    if (requestKey === null) return await work(async () => call);
    const { key, digest } = requestKey;
    const running = this.#running.get(key);
    if (running !== undefined) {
      return fail({
        code: running === digest ? "idempotency_in_progress" : "idempotency_mismatch",
      });
    }
    this.#running.set(key, digest);
    try {
      const kept = this.#findAnswer(key, call.now);
      if (kept === undefined) {
        return await work(async (secrets) => ({
          ...call,
          receipt: await sealReceipt(sealingKeys, call, requestKey, secrets),
        }));
      }
      const receipt = await openReceipt(sealingKeys, call, key, kept.receipt);
      return receipt.digest === digest
        ? restoreResult(kept, receipt.shown)
        : fail({ code: "idempotency_mismatch" });
    } finally {
      this.#running.delete(key);
    }
  }

  #findAnswer(key: string, now: number): KeptAnswer | undefined {
    const kept = this.#storage.answers.find(key);
    return kept !== undefined && isKept(kept, now) ? kept : undefined;
  }
}
