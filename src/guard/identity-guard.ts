/**
 * The identity guard: one Durable Object for each identity of a tenant. Whatever must be atomic for an
 * identity is decided and recorded here, in one synchronous step, together with its audit events.
 *
 * Methods return result objects and never throw across RPC. They may await before a decision (keys,
 * codes, network facts), but never between the read that decides and the write that records.
 */

import { DurableObject } from "cloudflare:workers";
import { createAuditKey } from "../audit/personal.ts";
import { createId } from "../crypto/id.ts";
import { keyOf } from "../crypto/keyring.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { StoreError } from "../db/client.ts";
import { DeadlineError } from "../deadline.ts";
import { type Config, configOf } from "../env.ts";
import { causeOf, log } from "../log.ts";
import { createBackupCodes, hashBackupCode } from "../otp/backup-codes.ts";
import { defaultWindowSteps, type TotpParameters } from "../otp/totp.ts";
import type { RiskPolicy } from "../sentinel/assessment.ts";
import type { Surroundings } from "../sentinel/assessments/surroundings.ts";
import type { History, Verdict } from "../sentinel/history.ts";
import type { Enrolment, LockoutPolicy } from "../tenancy/policy.ts";
import { AssessedSessions, type FoundSession } from "./assessed-sessions.ts";
import { gatherCodeEvidence } from "./code-evidence.ts";
import { assess, type Session } from "./decisions/assess.ts";
import type { PasskeyVerified } from "./decisions/authenticate-passkey.ts";
import {
  listAuthenticators,
  type ShownAuthenticator,
  showAuthenticator,
} from "./decisions/authenticators.ts";
import { configureTotp, removeTotp, replaceBackupCodes } from "./decisions/credentials.ts";
import type { KnownDevice } from "./decisions/device-state.ts";
import { applyDevice, listDevices, removeAllDevices, removeDevice } from "./decisions/devices.ts";
import { isPossibleCode } from "./decisions/evaluate-totp.ts";
import { type Attempt, type Purpose, stale } from "./decisions/evaluation.ts";
import { type JudgedSession, recordFeedback } from "./decisions/feedback.ts";
import { type ImportOutcome, importSessions } from "./decisions/import-sessions.ts";
import type { RowOutcome } from "./decisions/import-user.ts";
import { create, erase, refuseExisting, setStatus, unlock } from "./decisions/lifecycle.ts";
import {
  addAuthenticator,
  removeAuthenticator,
  renameAuthenticator,
} from "./decisions/manage-authenticators.ts";
import type { StoredPasskey } from "./decisions/passkey-state.ts";
import { type PasskeyDemand, removePasskey, renamePasskey } from "./decisions/passkeys.ts";
import { completeProfile, type Profile, profileOf } from "./decisions/profile.ts";
import { decideWithinLimit } from "./decisions/rate-limit.ts";
import { type Assessed, completeAssessed, hasStanding } from "./decisions/standing.ts";
import type { IdentityState } from "./decisions/state.ts";
import {
  fail,
  type GuardCall,
  type GuardResult,
  succeed,
  type Transition,
} from "./decisions/transition.ts";
import { type Verified, verify } from "./decisions/verify.ts";
import { AuditKeys } from "./delivery/audit-keys.ts";
import { prepareDevice } from "./device-token.ts";
import { type ExportedSecret, exportSecrets, importUser, type UserImport } from "./imports.ts";
import { GuardLedger } from "./ledger.ts";
import { createSecret } from "./new-secret.ts";
import { PasskeyClaims } from "./passkey-claims.ts";
import { GuardPasskeys, type PasskeyAttempt, type PasskeyRegistration } from "./passkeys.ts";
import type { FoundRecord, Rehydrated } from "./rehydration.ts";
import { type AddReceipt, RequestReplay } from "./replay.ts";
import { sealSession } from "./seal-session.ts";
import { GuardStorage } from "./storage.ts";
import { readStreamedArgument } from "./streamed-argument.ts";
import { TotpKeys } from "./totp-keys.ts";

/** How often evidence is gathered for one attempt, when the state changes meanwhile. */
const maxGatherings = 5;

export interface NewBackupCodes {
  readonly codes: readonly string[];
}

/** What a request for a new authenticator says. */
export interface AuthenticatorRequest extends TotpParameters {
  /** Null: it gets one. */
  readonly name: string | null;
}

export interface AddedAuthenticator extends ShownAuthenticator {
  readonly secret: string;
}

export interface NewSecret {
  /** Base32 (RFC 4648) without padding. */
  readonly secret: string;
  readonly isSetupComplete: boolean;
}

/** What became of an identity of a deleted tenant; `discarded`: D1 may still have its record. */
export type Erasure = "erased" | "discarded";

/** What another service needs of an identity. */
export interface ExportedUser {
  readonly externalId: string;
  readonly status: "active" | "suspended";
  readonly secrets: readonly ExportedSecret[];
  readonly backupCodesRemaining: number;
}

export interface VerificationPolicy extends LockoutPolicy {
  /** Absent in a call of an older build. */
  readonly windowSteps?: number;
}

export class IdentityGuard extends DurableObject<Env> {
  readonly #storage: GuardStorage;
  readonly #ledger: GuardLedger;
  readonly #replay: RequestReplay;
  readonly #totpKeys = new TotpKeys();
  readonly #auditKeys = new AuditKeys();
  readonly #claims: PasskeyClaims;
  readonly #sessions: AssessedSessions;
  readonly #passkeys: GuardPasskeys;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#storage = new GuardStorage(ctx.storage);
    this.#ledger = new GuardLedger(ctx, env, this.#storage, this.#auditKeys);
    this.#replay = new RequestReplay(this.#storage);
    this.#claims = new PasskeyClaims(env, this.#ledger);
    this.#sessions = new AssessedSessions(this.#storage, this.#ledger);
    this.#passkeys = new GuardPasskeys(this.#ledger, this.#claims, this.#sessions, this.#auditKeys);
  }

  /** Answers as soon as the guard runs, without its storage. */
  ping(): void {}

  /** @param record a stream of JSON: what D1 has of the identity, read while this call is under way */
  async provision(
    call: GuardCall,
    externalId: string,
    record: ReadableStream<Uint8Array>,
  ): Promise<GuardResult<Profile>> {
    const found = readStreamedArgument<FoundRecord>(record);
    return await this.#runOnce(call, async ({ sealingKeys }, addReceipt) => {
      const [recorded, auditKey] = await Promise.all([
        addReceipt(),
        createAuditKey(sealingKeys, call),
      ]);
      const creation = create(recorded, externalId, auditKey);
      const result = await this.#ledger.create(recorded, creation, found, (state) =>
        refuseExisting(state, recorded),
      );
      return await this.#ledger.flushAfter(result);
    });
  }

  /**
   * Imports the rows of one user from another system, and creates the identity if it does not exist.
   * @param found what D1 has of the identity, read shortly before
   */
  async importUser(
    call: GuardCall,
    sent: UserImport,
    found: FoundRecord,
  ): Promise<GuardResult<readonly RowOutcome[]>> {
    return await this.#runOnce(call, (config, addReceipt) =>
      importUser(config, this.#ledger, call, sent, Promise.resolve(found), addReceipt),
    );
  }

  /** The live secrets in clear, for a tenant that leaves. */
  async exportUser(call: GuardCall): Promise<GuardResult<ExportedUser>> {
    return await this.#answer(async (config) => {
      const state = await this.#ledger.load(call);
      if (state === undefined || state.status === "erased") return fail({ code: "user_not_found" });
      const { externalId, status, backupCodes } = state;
      const secrets = await exportSecrets(config, state, call.now);
      const backupCodesRemaining = backupCodes?.unspent.length ?? 0;
      return succeed({ externalId, status, secrets, backupCodesRemaining });
    });
  }

  async getProfile(call: GuardCall): Promise<GuardResult<Profile>> {
    return await this.#read(call, (state) => profileOf(state, call.now));
  }

  /** Creates the primary TOTP secret. It leaves the guard once, with this answer. */
  async configureTotp(call: GuardCall, enrolment: Enrolment): Promise<GuardResult<NewSecret>> {
    return await this.#runOnce(call, async ({ sealingKeys }, addReceipt) => {
      const id = createId(call.now);
      const { secret, sealed } = await createSecret(sealingKeys, call, "SHA1");
      const result = await this.#ledger.change(await addReceipt({ secret }), (state) =>
        configureTotp(state, call, { id, sealed }, enrolment),
      );
      return result.ok ? { ...result, value: { ...result.value, secret } } : result;
    });
  }

  async removeTotp(call: GuardCall): Promise<GuardResult<void>> {
    return await this.#change(call, (state) => removeTotp(state, call));
  }

  /** Creates a TOTP secret beside the others. It leaves the guard once, with this answer. */
  async addAuthenticator(
    call: GuardCall,
    { name, ...parameters }: AuthenticatorRequest,
    enrolment: Enrolment,
  ): Promise<GuardResult<AddedAuthenticator>> {
    return await this.#runOnce(call, async ({ sealingKeys }, addReceipt) => {
      const id = createId(call.now);
      const { secret, sealed } = await createSecret(sealingKeys, call, parameters.algorithm, id);
      const added = { id, name, sealed, isPending: enrolment === "confirm", ...parameters };
      const result = await this.#ledger.change(await addReceipt({ secret }), (state) =>
        addAuthenticator(state, call, added),
      );
      return result.ok ? { ...result, value: { ...result.value, secret } } : result;
    });
  }

  async listAuthenticators(call: GuardCall): Promise<GuardResult<readonly ShownAuthenticator[]>> {
    return await this.#read(call, (state) =>
      listAuthenticators(state, call.now).map((secret) => showAuthenticator(state, secret)),
    );
  }

  async renameAuthenticator(
    call: GuardCall,
    id: string,
    name: string,
  ): Promise<GuardResult<ShownAuthenticator>> {
    return await this.#change(call, (state) => renameAuthenticator(state, call, id, name));
  }

  async removeAuthenticator(call: GuardCall, id: string): Promise<GuardResult<void>> {
    return await this.#change(call, (state) => removeAuthenticator(state, call, id));
  }

  /** Creates a set of backup codes. They leave the guard once, with this answer. */
  async regenerateBackupCodes(call: GuardCall): Promise<GuardResult<NewBackupCodes>> {
    return await this.#runOnce(call, async ({ backupCodeKeys }, addReceipt) => {
      const codes = createBackupCodes();
      const { newest } = backupCodeKeys;
      const hashes = codes.map((code) =>
        hashBackupCode(keyOf(backupCodeKeys, newest), call.tenantId, call.identityId, code),
      );
      const result = await this.#ledger.change(await addReceipt({ codes }), (state) =>
        replaceBackupCodes(state, call, newest, hashes),
      );
      return result.ok ? { ...result, value: { codes } } : result;
    });
  }

  /**
   * Verifies one code. Evidence is gathered before the decision; if the state changed meanwhile, the
   * evidence is stale and is gathered again. A code of a length that no code of the identity has is no attempt.
   */
  async verify(
    call: GuardCall,
    attempt: Attempt,
    policy: VerificationPolicy,
    purpose: Purpose,
  ): Promise<GuardResult<Verified>> {
    return await this.#runOnce(call, async (config, addReceipt) => {
      const { windowSteps = defaultWindowSteps } = policy;
      const prepared = prepareDevice(call);
      const recorded = await addReceipt(prepared.secrets);
      const assessed = await this.#sessions.findOfAttempt(call);
      for (let gathering = 0; gathering < maxGatherings; gathering += 1) {
        const state = await this.#ledger.load(call);
        if (!isPossibleCode(state, attempt, call.now)) return fail({ code: "invalid_request" });
        if (state === undefined) return fail({ code: "user_not_found" });
        const [evidence, sealed] = await Promise.all([
          gatherCodeEvidence(config, this.#totpKeys, call, state, attempt, purpose, windowSteps),
          sealSession(this.#auditKeys, config.sealingKeys, recorded, state, call.session),
        ]);
        const result = await this.#ledger.commit(
          sealed,
          decideWithinLimit("attempts", "otp.verified", call, (present) => {
            const verified = verify(present, call, evidence, policy, purpose);
            if (verified === stale) return stale;
            return this.#confirmAttempt(present, prepared.call, verified, assessed);
          }),
        );
        if (result !== stale) return prepared.complete(result);
      }
      return fail({ code: "unavailable" });
    });
  }

  /** Whether the identity has the passkey, or its registration is under way: another guard asks before it registers it. */
  async hasPasskey(owner: Rehydrated, passkeyId: string): Promise<GuardResult<boolean>> {
    return await this.#answer(async () => succeed(await this.#claims.has(owner, passkeyId)));
  }

  async startPasskeyRegistration(
    call: GuardCall,
    recentVerificationSeconds: number,
  ): Promise<GuardResult<readonly StoredPasskey[]>> {
    return await this.#answer(() =>
      this.#passkeys.startRegistration(call, recentVerificationSeconds),
    );
  }

  async registerPasskey(
    call: GuardCall,
    registration: PasskeyRegistration,
  ): Promise<GuardResult<StoredPasskey>> {
    return await this.#runOnce(call, (config, addReceipt) =>
      this.#passkeys.register(config, call, registration, addReceipt),
    );
  }

  async listPasskeys(call: GuardCall): Promise<GuardResult<readonly StoredPasskey[]>> {
    return await this.#answer(() => this.#passkeys.list(call));
  }

  async renamePasskey(
    call: GuardCall,
    id: string,
    name: string,
  ): Promise<GuardResult<StoredPasskey>> {
    return await this.#change(call, (state) => renamePasskey(state, call, id, name));
  }

  async removePasskey(call: GuardCall, id: string): Promise<GuardResult<void>> {
    return await this.#change(call, (state) => removePasskey(state, call, id));
  }

  async listDevices(call: GuardCall): Promise<GuardResult<readonly KnownDevice[]>> {
    return await this.#read(call, (state) => listDevices(state, call.now));
  }

  async removeDevice(call: GuardCall, id: string): Promise<GuardResult<void>> {
    return await this.#change(call, (state) => removeDevice(state, call, id));
  }

  async removeAllDevices(call: GuardCall): Promise<GuardResult<void>> {
    return await this.#change(call, (state) => removeAllDevices(state, call));
  }

  async startPasskeyAuthentication(
    call: GuardCall,
    demand: PasskeyDemand,
  ): Promise<GuardResult<readonly StoredPasskey[]>> {
    return await this.#answer(() => this.#passkeys.startAuthentication(call, demand));
  }

  async verifyPasskey(
    call: GuardCall,
    attempt: PasskeyAttempt,
  ): Promise<GuardResult<PasskeyVerified>> {
    return await this.#runOnce(call, (config, addReceipt) =>
      this.#passkeys.verify(config, call, attempt, addReceipt),
    );
  }

  async setStatus(call: GuardCall, status: "active" | "suspended"): Promise<GuardResult<Profile>> {
    return await this.#change(call, (state) => setStatus(state, call, status));
  }

  async unlock(call: GuardCall): Promise<GuardResult<Profile>> {
    const result = await this.#runOnce(call, async (_config, addReceipt) =>
      this.#ledger.change(await addReceipt(), (state) => unlock(state, call)),
    );
    return result.ok ? { ...result, value: completeProfile(result.value) } : result;
  }

  /** Succeeds once the data in D1 is deleted too. After `unavailable` the alarm completes the deletion in D1. */
  async erase(call: GuardCall): Promise<GuardResult<void>> {
    return await this.#answer(() => this.#erase(call));
  }

  /**
   * Erases the identity for a tenant that is deleted; none may exist any more. Data that cannot be read is
   * discarded, because it must not stop the deletion.
   */
  async eraseOrDiscard(call: GuardCall): Promise<GuardResult<Erasure>> {
    return await this.#answer(async () => {
      try {
        await this.#erase(call);
        return succeed("erased");
      } catch (error) {
        if (error instanceof StoreError || error instanceof DeadlineError) throw error;
        log("error", "damaged_identity_discarded", {
          tenant_id: call.tenantId,
          cause: causeOf(error),
        });
        await this.#ledger.discard();
        return succeed("discarded");
      }
    });
  }

  /** @param surroundings a stream of JSON: what the edge looks up while this call is under way */
  async assess(
    call: GuardCall,
    session: Session,
    surroundings: ReadableStream<Uint8Array>,
    policy: RiskPolicy,
  ): Promise<GuardResult<Assessed>> {
    const read = readStreamedArgument<Surroundings>(surroundings);
    // It is awaited later, or not at all if D1 fails before.
    read.catch(() => {});
    const result = await this.#runOnce<Assessed>(call, async (config, addReceipt) => {
      const [recorded, state] = await Promise.all([addReceipt(), this.#ledger.load(call)]);
      const [sealed, found] = await Promise.all([
        state === undefined
          ? recorded
          : sealSession(this.#auditKeys, config.sealingKeys, recorded, state, session.shown),
        read,
      ]);
      if (state === undefined) return fail({ code: "user_not_found" });
      return await this.#ledger.commit(
        sealed,
        decideWithinLimit("assessments", "session.assessed", call, (present) =>
          assess(present, call, session, found, policy, this.#storage.readHistory()),
        ),
      );
    });
    if (!result.ok || hasStanding(result.value)) return result;
    const kept = result.value;
    const completed = await this.#read(call, (state) =>
      completeAssessed(kept, state, call, session.passkeys),
    );
    return completed.ok ? { ...result, value: completed.value } : completed;
  }

  /** Records the tenant's verdict on a session, which is read from D1 if the guard no longer keeps it. */
  async recordFeedback(
    call: GuardCall,
    assessmentId: string,
    verdict: Verdict,
    oldestId: string,
  ): Promise<GuardResult<JudgedSession>> {
    return await this.#runOnce(call, async (_config, addReceipt) => {
      const notFound = fail<JudgedSession>({ code: "assessment_not_found" });
      const recorded = await addReceipt();
      const state = await this.#ledger.load(call);
      const found = state && (await this.#sessions.findOfVerdict(call, assessmentId));
      if (found === undefined || this.#sessions.isVoid(found)) return notFound;
      // The history may still have a session whose assessment is past its retention.
      if (assessmentId < oldestId) return notFound;
      const result = await this.#ledger.commit(recorded, (present) =>
        recordFeedback(present, call, this.#storage.readHistory(), found.session, verdict),
      );
      if (!result.ok && result.error.code === "user_not_found") return notFound;
      return await this.#ledger.flushAfter(result);
    });
  }

  /** Adds past sessions to the history. @returns the outcome of each, in their order */
  async importSessions(
    call: GuardCall,
    sessions: History,
  ): Promise<GuardResult<readonly ImportOutcome[]>> {
    return await this.#runOnce(call, async (_config, addReceipt) => {
      const recorded = await addReceipt();
      await this.#ledger.load(call);
      return await this.#ledger.commit(recorded, (present) =>
        importSessions(present, call, this.#storage.readHistory(), sessions),
      );
    });
  }

  /**
   * Seals everything the guard holds under the newest key, and returns that key's version once D1 has
   * the record.
   * @param deliversAlways delivers the record even if nothing changed: D1 may have been restored
   */
  async reseal(owner: Owner, deliversAlways: boolean): Promise<GuardResult<number>> {
    return await this.#answer(async ({ sealingKeys }) => {
      await this.#ledger.reseal(sealingKeys, owner, deliversAlways);
      return succeed(sealingKeys.newest);
    });
  }

  /** Delivers the outbox, with the refusals counted so far. If D1 fails, the alarm delivers it later. */
  async deliver(): Promise<void> {
    await this.#ledger.deliver().catch(() => {});
  }

  /** Delivers the record: the queue's consumer found that D1 has none, or a newer one. */
  async deliverRecord(): Promise<GuardResult<void>> {
    return await this.#answer(async () => succeed(await this.#ledger.deliverRecord()));
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    await this.#ledger.onAlarm(info?.scheduledTime);
  }

  async #erase(call: GuardCall): Promise<GuardResult<void>> {
    await this.#ledger.load(call);
    this.#totpKeys.clear();
    this.#auditKeys.clear();
    const result = this.#storage.isErasing()
      ? succeed(undefined)
      : await this.#ledger.commit(call, (state) => erase(state, call));
    if (result.ok) await this.#ledger.flush();
    return result;
  }

  /** Answers from the present state, and changes nothing. */
  async #read<T>(call: GuardCall, show: (state: IdentityState) => T): Promise<GuardResult<T>> {
    return await this.#answer(async () => {
      const state = await this.#ledger.load(call);
      return state === undefined ? fail({ code: "user_not_found" }) : succeed(show(state));
    });
  }

  /** Answers with a decision that needs no evidence. */
  async #change<T>(
    call: GuardCall,
    decide: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>> {
    return await this.#answer(() => this.#ledger.change(call, decide));
  }

  #confirmAttempt(
    state: IdentityState,
    call: GuardCall,
    verified: Transition<Verified>,
    assessed: FoundSession | undefined,
  ): Transition<Verified> {
    const allowed = this.#sessions.withoutFraudulentDevice(call, assessed);
    return this.#sessions.confirm(applyDevice(state, allowed, verified, null), call, assessed);
  }

  /** Answers a request that may carry an `Idempotency-Key`: a repeated one gets the first answer. */
  async #runOnce<T>(
    call: GuardCall,
    work: (config: Config, addReceipt: AddReceipt) => Promise<GuardResult<T>>,
  ): Promise<GuardResult<T>> {
    return await this.#answer((config) =>
      this.#replay.runOnce(config.sealingKeys, call, (addReceipt) => work(config, addReceipt)),
    );
  }

  /** Turns every exception into `unavailable`, and logs its cause. */
  async #answer<T>(work: (config: Config) => Promise<GuardResult<T>>): Promise<GuardResult<T>> {
    try {
      const configured = configOf(this.env);
      if (!configured.ok) return fail({ code: "unavailable" });
      return await work(configured.config);
    } catch (error) {
      log("error", "guard_failed", { source: "guard", cause: causeOf(error) });
      return fail({ code: "unavailable" });
    }
  }
}
