/** What a guard does for passkeys: it gathers the evidence of a ceremony, and has it decided. */
import type { Owner } from "../crypto/seal-context.ts";
import type { Config } from "../env.ts";
import { type ChallengeFacts, openChallenge } from "../passkeys/challenge.ts";
import type { ParsedAuthentication, ParsedRegistration } from "../passkeys/parse.ts";
import type { RelyingParty, UserVerification } from "../passkeys/passkey.ts";
import { refuse as refuseAnswer } from "../passkeys/passkey.ts";
import { passkeyIdOf } from "../passkeys/user-handle.ts";
import { verifyAuthentication } from "../passkeys/verify-authentication.ts";
import { verifyRegistration } from "../passkeys/verify-registration.ts";
import type { AssessedSessions } from "./assessed-sessions.ts";
import {
  authenticatePasskey,
  findPasskey,
  type PasskeyEvidence,
  type PasskeyVerified,
} from "./decisions/authenticate-passkey.ts";
import { applyDevice } from "./decisions/devices.ts";
import { stale } from "./decisions/evaluation.ts";
import type { StoredPasskey } from "./decisions/passkey-state.ts";
import { listPasskeys, listUsablePasskeys, type PasskeyDemand } from "./decisions/passkeys.ts";
import { decideWithinLimit } from "./decisions/rate-limit.ts";
import { refuse } from "./decisions/refusals.ts";
import {
  findRegistrationRefusal,
  type RegistrationEvidence,
  registerPasskey,
  unclaimed,
} from "./decisions/register-passkey.ts";
import type { IdentityState } from "./decisions/state.ts";
import {
  fail,
  type GuardCall,
  type GuardResult,
  succeed,
  type Transition,
} from "./decisions/transition.ts";
import type { AuditKeys } from "./delivery/audit-keys.ts";
import { prepareDevice } from "./device-token.ts";
import type { GuardLedger } from "./ledger.ts";
import { type PasskeyClaims, taken } from "./passkey-claims.ts";
import type { AddReceipt } from "./replay.ts";
import { sealSession } from "./seal-session.ts";

/** How often evidence is gathered for one answer, when the passkey changes meanwhile. */
const maxGatherings = 5;

/** What both ceremonies are compared with. */
interface Ceremony {
  /** As the tenant's backend sent it back. */
  readonly challenge: string;
  readonly relyingParty: RelyingParty;
  readonly userVerification: UserVerification;
}

export interface PasskeyRegistration extends Ceremony {
  readonly answer: ParsedRegistration;
  readonly name: string | null;
  readonly recentVerificationSeconds: number;
}

export interface PasskeyAttempt extends Ceremony {
  readonly answer: ParsedAuthentication;
  /** Whether the challenge is for this identity alone. */
  readonly isNamed: boolean;
}

export class GuardPasskeys {
  readonly #ledger: GuardLedger;
  readonly #claims: PasskeyClaims;
  readonly #sessions: AssessedSessions;
  readonly #auditKeys: AuditKeys;

  constructor(
    ledger: GuardLedger,
    claims: PasskeyClaims,
    sessions: AssessedSessions,
    auditKeys: AuditKeys,
  ) {
    this.#ledger = ledger;
    this.#claims = claims;
    this.#sessions = sessions;
    this.#auditKeys = auditKeys;
  }

  async list(owner: Owner): Promise<GuardResult<readonly StoredPasskey[]>> {
    const state = await this.#ledger.load(owner);
    return state === undefined ? fail({ code: "user_not_found" }) : succeed(listPasskeys(state));
  }

  /** Writes nothing. @returns all passkeys of the identity, which an authenticator must not have */
  async startRegistration(
    call: GuardCall,
    recentVerificationSeconds: number,
  ): Promise<GuardResult<readonly StoredPasskey[]>> {
    const state = await this.#ledger.load(call);
    if (state === undefined) return fail({ code: "user_not_found" });
    const refusal = findRegistrationRefusal(state, call.now, recentVerificationSeconds);
    return refusal === undefined ? succeed(listPasskeys(state)) : fail(refusal);
  }

  /** Writes nothing. @returns the passkeys that a login can use */
  async startAuthentication(
    call: GuardCall,
    demand: PasskeyDemand,
  ): Promise<GuardResult<readonly StoredPasskey[]>> {
    const state = await this.#ledger.load(call);
    if (state === undefined) return fail({ code: "user_not_found" });
    if (state.status === "suspended") return fail({ code: "user_suspended" });
    const usable = listUsablePasskeys(state, demand);
    return usable.length === 0 ? fail({ code: "passkey_not_configured" }) : succeed(usable);
  }

  /** The passkey is claimed in D1 after it was verified, and before it is recorded. */
  async register(
    { sealingKeys }: Config,
    call: GuardCall,
    registration: PasskeyRegistration,
    addReceipt: AddReceipt,
  ): Promise<GuardResult<StoredPasskey>> {
    const { answer, challenge, relyingParty, userVerification, name } = registration;
    const { tenantId, identityId } = call;
    const rpId = relyingParty.id;
    const facts = { kind: "registration", tenantId, identityId, rpId, userVerification } as const;
    const passkeyId = passkeyIdOf(tenantId, answer.credentialId);
    const [recorded, opened, verified] = await Promise.all([
      addReceipt(),
      openChallenge(sealingKeys, facts, challenge, call.now),
      verifyRegistration(answer, { challenge, relyingParty, userVerification }),
      this.#ledger.load(call),
    ]);
    const evidence: RegistrationEvidence = { passkeyId, name, rpId, challenge: opened, verified };
    const commit = <NotDecided extends symbol>(
      decide: (state: IdentityState) => Transition<StoredPasskey> | NotDecided,
    ) =>
      this.#ledger.commit(
        recorded,
        decideWithinLimit("passkeys", "passkey.registered", call, decide),
      );
    const decide = (claimId: string | null) => (state: IdentityState) =>
      registerPasskey(state, call, evidence, registration.recentVerificationSeconds, claimId);
    const refused = await commit(decide(null));
    if (refused !== unclaimed) return refused;
    const registered = await this.#claims.claim(call, passkeyId, async (claimId) => {
      const result = await commit(decide(claimId));
      return result === unclaimed ? fail<StoredPasskey>({ code: "unavailable" }) : result;
    });
    if (registered !== taken) return await this.#ledger.flushAfter(registered);
    return await commit<never>((state) =>
      refuse(state, call, "passkey.registered", { code: "passkey_exists" }),
    );
  }

  /**
   * Verifies the answer of a passkey. The evidence is gathered before the decision; if the passkey was registered anew
   * meanwhile, it is gathered again.
   */
  async verify(
    { sealingKeys }: Config,
    call: GuardCall,
    attempt: PasskeyAttempt,
    addReceipt: AddReceipt,
  ): Promise<GuardResult<PasskeyVerified>> {
    const prepared = prepareDevice(call);
    const recorded = await addReceipt(prepared.secrets);
    const assessed = await this.#sessions.findOfAttempt(call);
    const { credentialId } = attempt.answer;
    for (let gathering = 0; gathering < maxGatherings; gathering += 1) {
      const state = await this.#ledger.load(call);
      if (state === undefined) return fail({ code: "user_not_found" });
      const [evidence, sealed] = await Promise.all([
        this.#gatherEvidence(sealingKeys, call, state, attempt),
        sealSession(this.#auditKeys, sealingKeys, recorded, state, call.session),
      ]);
      const result = await this.#ledger.commit(
        sealed,
        decideWithinLimit("passkeys", "passkey.verified", call, (present) => {
          const verified = authenticatePasskey(present, call, credentialId, evidence);
          if (verified === stale) return stale;
          const allowed = this.#sessions.withoutFraudulentDevice(prepared.call, assessed);
          const passkeyId = verified.result.ok ? verified.result.value.passkeyId : null;
          const applied = applyDevice(present, allowed, verified, passkeyId);
          return this.#sessions.confirm(applied, call, assessed);
        }),
      );
      if (result !== stale) return prepared.complete(result);
    }
    return fail({ code: "unavailable" });
  }

  /** Undefined for an answer that is to be refused. */
  async #gatherEvidence(
    sealingKeys: Config["sealingKeys"],
    call: GuardCall,
    state: IdentityState,
    { answer, challenge, isNamed, relyingParty, userVerification }: PasskeyAttempt,
  ): Promise<PasskeyEvidence | undefined> {
    const found = findPasskey(state, answer.credentialId);
    if ("refusal" in found) return undefined;
    const { passkey } = found;
    const { tenantId, identityId } = call;
    const facts: ChallengeFacts = {
      kind: "authentication",
      tenantId,
      identityId: isNamed ? identityId : null,
      rpId: relyingParty.id,
      userVerification,
    };
    const expected = { challenge, relyingParty, userVerification, identityId, passkey };
    const opened = await openChallenge(sealingKeys, facts, challenge, call.now);
    if (passkey.rpId !== relyingParty.id) {
      const detail = "The passkey was registered under another rp_id, and works only there.";
      return { passkey, challenge: opened, verified: refuseAnswer("rp_id", detail) };
    }
    return { passkey, challenge: opened, verified: await verifyAuthentication(answer, expected) };
  }
}
