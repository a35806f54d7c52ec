/** The assessed sessions that verdicts are about. An erasure makes what was read before it void. */
import type { KnownSession } from "../sentinel/history.ts";
import type { AddedDevice } from "./decisions/devices.ts";
import { type AddedRisk, addRisk, confirmSession } from "./decisions/feedback.ts";
import type { GuardCall, Transition } from "./decisions/transition.ts";
import type { GuardLedger } from "./ledger.ts";
import type { GuardStorage } from "./storage.ts";

/** A session, and the erasure epoch in which it was read. */
export interface FoundSession {
  readonly session: KnownSession;
  readonly epoch: number;
}

export class AssessedSessions {
  readonly #storage: GuardStorage;
  readonly #ledger: GuardLedger;

  constructor(storage: GuardStorage, ledger: GuardLedger) {
    this.#storage = storage;
    this.#ledger = ledger;
  }

  /** @throws StoreError */
  async find(call: GuardCall, assessmentId: string): Promise<FoundSession | undefined> {
    const epoch = this.#storage.erasureEpoch;
    const session = await this.#ledger.findSession(call, assessmentId);
    return session && { session, epoch };
  }

  /**
   * The session that a verdict is about, which may be in neither place yet: the history has dropped it, and it waits for
   * its delivery to D1.
   * @throws StoreError, DeadlineError
   */
  async findOfVerdict(call: GuardCall, assessmentId: string): Promise<FoundSession | undefined> {
    const found = await this.find(call, assessmentId);
    if (found !== undefined) return found;
    await this.#ledger.flush();
    return await this.find(call, assessmentId);
  }

  /**
   * The session that an attempt is for. Never throws: a code or passkey is verified even if the session cannot be
   * read.
   */
  async findOfAttempt(call: GuardCall): Promise<FoundSession | undefined> {
    const assessmentId = call.session?.assessmentId;
    if (assessmentId === undefined || (await this.#ledger.load(call)) === undefined)
      return undefined;
    return await this.find(call, assessmentId).catch(() => undefined);
  }

  /** Whether the identity was erased after the session was read. */
  isVoid({ epoch }: FoundSession): boolean {
    return epoch !== this.#storage.erasureEpoch;
  }

  /** The call of an attempt. In a session that was reported as fraud, no device is remembered. */
  withoutFraudulentDevice(call: GuardCall, found: FoundSession | undefined): GuardCall {
    if (call.device === undefined || found === undefined || this.isVoid(found)) return call;
    const { session } = found;
    const present = this.#storage.readHistory().find(({ id }) => id === session.id) ?? session;
    return present.verdict === "fraud"
      ? { ...call, device: { ...call.device, remember: null } }
      : call;
  }

  /** Confirms the session, if there is one, with an attempt that was accepted, and adds its risk to the answer. */
  confirm<T extends AddedDevice>(
    verified: Transition<T>,
    call: GuardCall,
    found: FoundSession | undefined,
  ): Transition<T & AddedRisk> {
    if (found === undefined || this.isVoid(found)) return verified;
    const history = this.#storage.readHistory();
    return addRisk(confirmSession(verified, call, history, found.session), found.session);
  }
}
