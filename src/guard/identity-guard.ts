/**
 * The identity guard: one Durable Object for each tenant and identity. Whatever must be atomic for a
 * person is decided and recorded here, in one synchronous step, with its audit event.
 *
 * Methods answer with result objects and never throw across RPC. Before a decision there may be
 * awaits (keys, codes, network facts); between the read that decides and the write that records
 * there is none.
 */

import { DurableObject } from "cloudflare:workers";
import { base32nopad } from "@scure/base";
import { keyOf } from "../crypto/keyring.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { seal } from "../crypto/sealed-box.ts";
import { type Config, configOf } from "../env.ts";
import { causeOf, log } from "../log.ts";
import { backupCodeHash, newBackupCodes } from "../otp/backup-codes.ts";
import { matchingTimeStep, secretBytes } from "../otp/totp.ts";
import type { AssessmentRecord, RiskPolicy } from "../sentinel/assessment.ts";
import type { Verdict } from "../sentinel/history.ts";
import type { Enrolment, LockoutPolicy } from "../tenancy/policy.ts";
import { assess, type Session, type Surroundings } from "./decisions/assess.ts";
import { configureTotp, removeTotp, replaceBackupCodes } from "./decisions/credentials.ts";
import { confirmSession, recordFeedback } from "./decisions/feedback.ts";
import { create, erase, setStatus, unlock } from "./decisions/lifecycle.ts";
import { type Profile, profileOf } from "./decisions/profile.ts";
import { applyRateLimit } from "./decisions/rate-limit.ts";
import { refuse } from "./decisions/refusals.ts";
import type { IdentityState } from "./decisions/state.ts";
import {
  fail,
  type GuardCall,
  type GuardResult,
  succeed,
  type Transition,
} from "./decisions/transition.ts";
import {
  type Attempt,
  type Evidence,
  confirmableTotpOf,
  liveTotpOf,
  findRefusal,
  stale,
  type Verified,
  verify,
} from "./decisions/verify.ts";
import type { SentDelivery } from "./delivery/batcher.ts";
import { type FoundRecord, GuardLedger } from "./ledger.ts";
import { RequestReplay, type WithReceipt } from "./replay.ts";
import { totpContext } from "./reseal.ts";
import { readStreamedArgument } from "./streamed-argument.ts";
import { TotpKeys } from "./totp-keys.ts";

/** Times the evidence is gathered anew when the state changes meanwhile. */
const maxGatherings = 5;

export interface NewBackupCodes {
  readonly codes: readonly string[];
}

export interface NewSecret {
  /** Base32 (RFC 4648) without padding. */
  readonly secret: string;
  readonly isSetupComplete: boolean;
}

export class IdentityGuard extends DurableObject<Env> {
  readonly #ledger: GuardLedger;
  readonly #replay: RequestReplay;
  readonly #totpKeys = new TotpKeys();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#ledger = new GuardLedger(ctx, env);
    this.#replay = new RequestReplay(this.#ledger);
  }

  /** Answers as soon as the guard runs; touches no storage. */
  ping(): void {}

  /** @param record what D1 has of the identity; it comes as `assess` has its surroundings */
  async provision(
    call: GuardCall,
    externalId: string,
    record: ReadableStream<Uint8Array>,
  ): Promise<GuardResult<Profile>> {
    const read = readStreamedArgument<FoundRecord>(record);
    return await this.#runOnce(call, async (_config, withReceipt) => {
      const kept = await withReceipt();
      const result = await this.#ledger.create(kept, create(kept, externalId), read, (state) =>
        applyRateLimit("provisioning", "user.provisioned", state, kept, (present) =>
          refuse(present, kept, "user.provisioned", { code: "user_exists" }),
        ),
      );
      return await this.#flushAfter(result);
    });
  }

  async getProfile(call: GuardCall): Promise<GuardResult<Profile>> {
    return await this.#answer(async () => {
      const state = await this.#ledger.load(call);
      return state === undefined
        ? fail({ code: "user_not_found" })
        : succeed(profileOf(state, call.now));
    });
  }

  /** Makes a secret. It leaves the guard here and never again. */
  async configureTotp(call: GuardCall, enrolment: Enrolment): Promise<GuardResult<NewSecret>> {
    return await this.#runOnce(call, async ({ sealingKeys }, withReceipt) => {
      const bytes = crypto.getRandomValues(new Uint8Array(secretBytes));
      const secret = base32nopad.encode(bytes);
      const sealed = await seal(sealingKeys, totpContext(call), bytes);
      const result = await this.#change(await withReceipt({ secret }), (state) =>
        configureTotp(state, call, sealed, enrolment),
      );
      return result.ok ? { ...result, value: { ...result.value, secret } } : result;
    });
  }

  async removeTotp(call: GuardCall): Promise<GuardResult<void>> {
    return await this.#answer(() => this.#change(call, (state) => removeTotp(state, call)));
  }

  /** Makes ten backup codes. They leave the guard here and never again. */
  async regenerateBackupCodes(call: GuardCall): Promise<GuardResult<NewBackupCodes>> {
    return await this.#runOnce(call, async ({ backupCodeKeys }, withReceipt) => {
      const codes = newBackupCodes();
      const { newest } = backupCodeKeys;
      const hashes = codes.map((code) =>
        backupCodeHash(keyOf(backupCodeKeys, newest), call.tenantId, call.identityId, code),
      );
      const result = await this.#change(await withReceipt({ codes }), (state) =>
        replaceBackupCodes(state, call, newest, hashes),
      );
      return result.ok ? { ...result, value: { codes } } : result;
    });
  }

  async verify(
    call: GuardCall,
    attempt: Attempt,
    policy: LockoutPolicy,
    assessmentId: string | null,
  ): Promise<GuardResult<Verified>> {
    return await this.#runOnce(call, async (config, withReceipt) => {
      const kept = await withReceipt();
      const assessed = await this.#findAssessedSession(call, assessmentId);
      for (let gathering = 0; gathering < maxGatherings; gathering += 1) {
        const state = await this.#ledger.load(call);
        if (state === undefined) return fail({ code: "user_not_found" });
        const evidence = await this.#gatherEvidence(config, call, state, attempt);
        let isStale = false;
        const result = await this.#ledger.commit(kept, (present): Transition<Verified> => {
          const decided = verify(present, call, evidence, policy);
          if (decided !== stale) {
            return applyRateLimit("attempts", "otp.verified", present, call, () =>
              assessed === undefined || assessed.clearings !== this.#ledger.erasureEpoch()
                ? decided
                : confirmSession(decided, call, this.#ledger.history(), assessed.session),
            );
          }
          isStale = true;
          return { state: present, entries: [], result: fail({ code: "unavailable" }) };
        });
        if (!isStale) return result;
      }
      return fail({ code: "unavailable" });
    });
  }

  async setStatus(call: GuardCall, status: "active" | "suspended"): Promise<GuardResult<Profile>> {
    return await this.#answer(() => this.#change(call, (state) => setStatus(state, call, status)));
  }

  async unlock(call: GuardCall): Promise<GuardResult<Profile>> {
    return await this.#runOnce(call, async (_config, withReceipt) =>
      this.#change(await withReceipt(), (state) => unlock(state, call)),
    );
  }

  /** Done once D1 has forgotten the person; `unavailable` means: forgotten here, there soon. */
  async erase(call: GuardCall): Promise<GuardResult<void>> {
    return await this.#answer(async () => {
      await this.#ledger.load(call);
      this.#totpKeys.clear();
      const result = this.#ledger.isErasing()
        ? succeed(undefined)
        : await this.#ledger.commit(call, (state) => erase(state, call));
      if (result.ok) await this.#ledger.flush();
      return result;
    });
  }

  /**
   * Assesses a session. Its surroundings come as a stream of JSON, so that they can be looked up
   * while this call is under way.
   */
  async assess(
    call: GuardCall,
    session: Session,
    surroundings: ReadableStream<Uint8Array>,
    policy: RiskPolicy,
  ): Promise<GuardResult<AssessmentRecord>> {
    const read = readStreamedArgument<Surroundings>(surroundings);
    return await this.#runOnce(call, async (_config, withReceipt) => {
      const [kept, state, found] = await Promise.all([
        withReceipt(),
        this.#ledger.load(call),
        read,
      ]);
      if (state === undefined) return fail({ code: "user_not_found" });
      return await this.#ledger.commit(kept, (present) =>
        applyRateLimit("assessments", "session.assessed", present, call, (within) =>
          assess(within, call, session, found, policy, this.#ledger.history()),
        ),
      );
    });
  }

  /** Takes the tenant's word on a session. What this guard does not remember D1 does. */
  async recordFeedback(
    call: GuardCall,
    assessmentId: string,
    verdict: Verdict,
  ): Promise<GuardResult<void>> {
    return await this.#runOnce(call, async (_config, withReceipt) => {
      const unknown = fail<void>({ code: "assessment_not_found" });
      const state = await this.#ledger.load(call);
      const clearings = this.#ledger.erasureEpoch();
      const session = state && (await this.#ledger.findSession(call, assessmentId));
      // What was read of an identity that was erased meanwhile is nobody's.
      if (session === undefined || this.#ledger.erasureEpoch() !== clearings) return unknown;
      const result = await this.#change(await withReceipt(), (present) =>
        recordFeedback(present, call, this.#ledger.history(), session, verdict),
      );
      return !result.ok && result.error.code === "user_not_found" ? unknown : result;
    });
  }

  /**
   * Seals all it holds under the newest key. @returns the version of that, once D1 has it too
   * @param tellsAgain D1 is told also where nothing changes: it may be an older D1
   */
  async reseal(owner: Owner, tellsAgain: boolean): Promise<GuardResult<number>> {
    return await this.#answer(async ({ sealingKeys }) => {
      await this.#ledger.reseal(sealingKeys, owner, tellsAgain);
      return succeed(sealingKeys.newest);
    });
  }

  /** Tells and delivers all there is, if D1 lets us; else the alarm does later. */
  async deliver(): Promise<void> {
    await this.#ledger.deliver().catch(() => {});
  }

  /** D1 has what was sent of the outbox. */
  async confirmDelivery(sent: SentDelivery): Promise<void> {
    await this.#answer(async () => succeed(this.#ledger.confirmDelivered(sent)));
  }

  override async alarm(): Promise<void> {
    await this.#ledger.onAlarm();
  }

  /** A rare change: loaded, decided, and delivered before the answer if D1 lets us. */
  async #change<T>(
    call: GuardCall,
    decide: (state: IdentityState) => Transition<T>,
  ): Promise<GuardResult<T>> {
    await this.#ledger.load(call);
    return await this.#flushAfter(await this.#ledger.commit(call, decide));
  }

  /** The change is recorded here; where D1 fails now, the alarm delivers later. */
  async #flushAfter<T>(result: GuardResult<T>): Promise<GuardResult<T>> {
    if (result.ok) await this.#ledger.flush().catch(() => {});
    return result;
  }

  /**
   * The session a code is for, from D1 where others have crowded it out of the guard. Never throws:
   * what cannot be found is not learned, and the code counts all the same.
   */
  async #findAssessedSession(call: GuardCall, assessmentId: string | null) {
    if (assessmentId === null || (await this.#ledger.load(call)) === undefined) return undefined;
    const clearings = this.#ledger.erasureEpoch();
    const session = await this.#ledger.findSession(call, assessmentId).catch(() => undefined);
    return session && { session, clearings };
  }

  /** Computes what the decision needs. Nothing is decided here. */
  async #gatherEvidence(
    { sealingKeys, backupCodeKeys }: Config,
    call: GuardCall,
    state: IdentityState,
    attempt: Attempt,
  ): Promise<Evidence> {
    const { now, tenantId, identityId } = call;
    const { method, code } = attempt;
    if (findRefusal(state, method, now) !== undefined) return { method, withheld: true };
    if (method === "backup_code") {
      const keyVersion = state.backupCodes?.keyVersion ?? null;
      if (keyVersion === null) return { method, keyVersion, hash: null };
      const key = keyOf(backupCodeKeys, keyVersion);
      return { method, keyVersion, hash: backupCodeHash(key, tenantId, identityId, code) };
    }
    const stepIn = async (sealed: string | null) =>
      sealed === null
        ? undefined
        : matchingTimeStep(await this.#totpKeys.keyFor(sealed, sealingKeys, call), code, now);
    const sealed = liveTotpOf(state)?.sealed ?? null;
    const pendingSealed = confirmableTotpOf(state, now)?.sealed ?? null;
    const [step, pendingStep] = await Promise.all([stepIn(sealed), stepIn(pendingSealed)]);
    return { method, sealed, pendingSealed, step, pendingStep };
  }

  /** As `#answer`, for what may be asked again under an `Idempotency-Key`. */
  async #runOnce<T>(
    call: GuardCall,
    work: (config: Config, withReceipt: WithReceipt) => Promise<GuardResult<T>>,
  ): Promise<GuardResult<T>> {
    return await this.#answer((config) =>
      this.#replay.runOnce(config.sealingKeys, call, (withReceipt) => work(config, withReceipt)),
    );
  }

  /** A fault is an `unavailable`, never a verdict; the log names its kind. */
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
