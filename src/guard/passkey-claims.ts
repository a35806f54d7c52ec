/**
 * A guard's claims of passkeys, for the uniqueness of credential ids within a tenant (WebAuthn Level 3 §7.1, step 26).
 * D1 knows who has claimed which passkey; whether the claim is true, only its guard knows. So a guard that finds a
 * passkey claimed asks the other guard, and takes over a claim that this one neither has nor is about to have. A claim
 * whose registration never ended, or whose release D1 never got, thus binds nobody.
 */
import { createId } from "../crypto/id.ts";
import { runBatch } from "../db/client.ts";
import { runInTenantDb } from "../db/shards.ts";
import { claimPasskey, type OwnedClaim, releaseClaims } from "../identity/passkey-claim-store.ts";
import { stubFor } from "../location.ts";
import { heldClaimsOf } from "./decisions/held-claims.ts";
import type { IdentityState } from "./decisions/state.ts";
import type { GuardCall, GuardResult } from "./decisions/transition.ts";
import { guardNameOf } from "./guard-name.ts";
import type { GuardLedger } from "./ledger.ts";
import type { Rehydrated } from "./rehydration.ts";

/** How often one registration asks another guard about a claim, when the claim changes meanwhile. */
const maxQuestions = 3;

/** The passkey belongs to another identity, or is about to. */
export const taken = Symbol("taken");

function hasPasskey(state: IdentityState | undefined, passkeyId: string): boolean {
  return state !== undefined && heldClaimsOf(state).some((claim) => claim.passkeyId === passkeyId);
}

export class PasskeyClaims {
  readonly #env: Env;
  readonly #ledger: GuardLedger;
  /** How many registrations of each passkey are under way. They end with the memory of the guard. */
  readonly #underWay = new Map<string, number>();

  constructor(env: Env, ledger: GuardLedger) {
    this.#env = env;
    this.#ledger = ledger;
  }

  /** Whether the identity has the passkey, or its registration may still be recorded. @throws StoreError */
  async has(owner: Rehydrated, passkeyId: string): Promise<boolean> {
    const state = await this.#ledger.load(owner);
    return hasPasskey(state, passkeyId) || this.#underWay.has(passkeyId);
  }

  /**
   * Claims a passkey, and then records its registration. Until that ends, this guard tells others that it has the
   * passkey. The claim of a registration that is refused is released, so that nobody can fill D1 with claims.
   * @param record gets the claim's id, which the state keeps with the passkey
   * @throws StoreError; Error if the other guard does not answer
   */
  async claim<T>(
    call: GuardCall,
    passkeyId: string,
    record: (claimId: string) => Promise<GuardResult<T>>,
  ): Promise<GuardResult<T> | typeof taken> {
    this.#underWay.set(passkeyId, (this.#underWay.get(passkeyId) ?? 0) + 1);
    try {
      const { tenantId, identityId } = call;
      const claim = { tenantId, identityId, passkeyId, claimId: createId(Date.now()) };
      if (!(await this.#claim(call, claim))) return taken;
      const result = await record(claim.claimId);
      if (!result.ok) await this.#release(call, claim).catch(() => {});
      return result;
    } finally {
      const others = (this.#underWay.get(passkeyId) ?? 1) - 1;
      if (others === 0) this.#underWay.delete(passkeyId);
      else this.#underWay.set(passkeyId, others);
    }
  }

  async #claim(call: GuardCall, claim: OwnedClaim): Promise<boolean> {
    let abandoned: OwnedClaim | null = null;
    for (let questions = 0; questions < maxQuestions; questions += 1) {
      const found: OwnedClaim = await runInTenantDb(this.#env, call.tenantId, (db) =>
        claimPasskey(db, claim, abandoned),
      );
      if (found.claimId === claim.claimId) return true;
      if (await this.#isHeld(call, found)) return false;
      abandoned = found;
    }
    return false;
  }

  /** Releases the claim, unless another registration of the same passkey by the same user may rely on it. */
  async #release(call: GuardCall, claim: OwnedClaim): Promise<void> {
    const { tenantId, passkeyId } = claim;
    const state = await this.#ledger.load(call);
    if (hasPasskey(state, passkeyId) || (this.#underWay.get(passkeyId) ?? 0) > 1) return;
    await runInTenantDb(this.#env, tenantId, (db) => runBatch(db, [releaseClaims(db, [claim])]));
  }

  async #isHeld(
    { jurisdiction, now }: GuardCall,
    { tenantId, identityId, passkeyId }: OwnedClaim,
  ): Promise<boolean> {
    const location = { jurisdiction, hint: null };
    const other = stubFor(this.#env.GUARD, guardNameOf(tenantId, identityId), location);
    const answer = await other.hasPasskey({ tenantId, identityId, now }, passkeyId);
    if (!answer.ok) throw new Error("The guard that claimed the passkey does not answer");
    return answer.value;
  }
}
