/**
 * Requests that an identity is asked again, by their `Idempotency-Key`: answered as the first one was.
 * The answer is kept with the change itself, so here it is only found, or made ready to be kept.
 */
import type { Keyring } from "../crypto/keyring.ts";
import { openReceipt, sealReceipt } from "../idempotency/receipt.ts";
import { fail, type GuardCall, type GuardResult } from "./decisions/transition.ts";
import type { GuardLedger } from "./ledger.ts";
import type { KeptAnswer } from "./storage.ts";

/** What is shown once, and stored nowhere but in a receipt. */
type Secrets = Readonly<Record<string, unknown>>;

/** The call as it is recorded: with a receipt, where the request has a key. */
export type WithReceipt = (shown?: Secrets) => Promise<GuardCall>;

/** The answer of an earlier request, whole again. */
function restoreAnswer<T>({ result, requestId, at }: KeptAnswer, shown: Secrets): GuardResult<T> {
  const kept: GuardResult<T> = JSON.parse(result);
  const first = { requestId, at };
  if (!kept.ok || Object.keys(shown).length === 0) return { ...kept, first };
  return { ...kept, value: { ...kept.value, ...shown }, first };
}

export class RequestReplay {
  readonly #ledger: GuardLedger;
  /** Digests of requests under way, by their key. */
  readonly #underWay = new Map<string, string>();

  constructor(ledger: GuardLedger) {
    this.#ledger = ledger;
  }

  /**
   * Does the work, or answers as an earlier request with the key was answered. The receipt is sealed
   * before the decision, because sealing takes time and a decision may not.
   */
  async runOnce<T>(
    sealingKeys: Keyring,
    call: GuardCall,
    work: (withReceipt: WithReceipt) => Promise<GuardResult<T>>,
  ): Promise<GuardResult<T>> {
    const { requestKey } = call;
    if (requestKey === null) return await work(async () => call);
    const { key, digest } = requestKey;
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) {
      const code = underWay === digest ? "idempotency_in_progress" : "idempotency_mismatch";
      return fail({ code });
    }
    this.#underWay.set(key, digest);
    try {
      const kept = this.#ledger.findAnswer(key, call.now);
      if (kept === undefined) {
        return await work(async (shown) => ({
          ...call,
          receipt: await sealReceipt(sealingKeys, call, requestKey, shown),
        }));
      }
      const receipt = await openReceipt(sealingKeys, call, key, kept.receipt);
      return receipt.digest === digest
        ? restoreAnswer(kept, receipt.shown)
        : fail({ code: "idempotency_mismatch" });
    } finally {
      this.#underWay.delete(key);
    }
  }
}
