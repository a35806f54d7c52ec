/**
 * A guard's claims of passkeys, for the uniqueness of credential ids within a tenant (WebAuthn Level 3 §7.1, step 26).
 * D1 knows who has claimed which passkey; whether the claim is true, only its guard knows. So a guard that finds a
 * passkey claimed asks the other guard, and takes over a claim that this one neither has nor is about to have. A claim
 * whose registration never ended, or whose release D1 never got, thus binds nobody.
 */
import { createId } from "../crypto/id.ts";
import { runInTenantDb } from "../db/shards.ts";
import { claimPasskey, type OwnedClaim } from "../identity/passkey-claim-store.ts";
import { stubFor } from "../location.ts";
import type { GuardCall } from "./decisions/transition.ts";
import { guardNameOf } from "./guard-name.ts";

/** How often one registration asks another guard about a claim, when the claim changes meanwhile. */
const maxQuestions = 3;

/** The passkey belongs to another identity, or is about to. */
export const taken = Symbol("taken");

export class PasskeyClaims {
  readonly #env: Env;
  /** How many registrations of each passkey are under way. They end with the memory of the guard. */
  readonly #underWay = new Map<string, number>();

  constructor(env: Env) {
    this.#env = env;
  }

  /** Whether a registration of the passkey may still be recorded. */
  isClaiming(passkeyId: string): boolean {
    return this.#underWay.has(passkeyId);
  }

  /**
   * Claims a passkey, and then records its registration. Until that ends, this guard tells others that it has the
   * passkey.
   * @param record gets the claim's id, which the state keeps with the passkey
   * @throws StoreError; Error if the other guard does not answer
   */
  async claim<T>(
    call: GuardCall,
    passkeyId: string,
    record: (claimId: string) => Promise<T>,
  ): Promise<T | typeof taken> {
    this.#underWay.set(passkeyId, (this.#underWay.get(passkeyId) ?? 0) + 1);
    try {
      const { tenantId, identityId } = call;
      const claim = { tenantId, identityId, passkeyId, claimId: createId(Date.now()) };
      return (await this.#claim(call, claim)) ? await record(claim.claimId) : taken;
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
