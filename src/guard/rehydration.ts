/** Loads the record of an identity from D1 into an empty guard: after a restore, or in a new namespace. */
import { type AcceptedCode, findRecordWithCodes } from "../audit/record-store.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { runInTenantDb } from "../db/shards.ts";
import type { IdentityRecord } from "../identity/store.ts";
import type { RetryAlarm } from "../retry-alarm.ts";
import { findSessions } from "../sentinel/assessments/store.ts";
import { createKeysFinder } from "../tenancy/evidence-keys.ts";
import { parseRecordedState } from "./decisions/recorded-state.ts";
import { refusalReportDelayOf } from "./decisions/refusals.ts";
import { raiseFloor } from "./decisions/spent-challenges.ts";
import type { IdentityState } from "./decisions/state.ts";
import type { GuardStorage } from "./storage.ts";

/**
 * A guard that has lost versions continues so many above the record in D1. They are more than D1 or the queue can have
 * of its earlier life, so that no such message replaces its record.
 */
export const versionsAhead = 1_000;

/** The state after the codes of its secret that were accepted since it was recorded. */
function addAcceptedCodes(recorded: IdentityState, codes: readonly AcceptedCode[]): IdentityState {
  let state = recorded;
  for (const { secretId, timeStep, at } of codes) {
    const { totp } = state;
    if (totp?.id !== secretId || timeStep <= (totp.lastTimeStep ?? -1)) continue;
    const accepted = { lastVerifiedAt: at, lastMethod: "totp" as const, updatedAt: at };
    state = { ...state, ...accepted, totp: { ...totp, lastTimeStep: timeStep, lastUsedAt: at } };
  }
  return state;
}

/** What D1 has of an identity; null when it has nothing. */
export interface FoundRecord {
  readonly record: { readonly version: number; readonly isErased: boolean } | null;
}

/** The identity to load, and the time of the request that needs it, Unix ms. */
export interface Rehydrated extends Owner {
  readonly now?: number;
}

export class Rehydration {
  readonly #env: Env;
  readonly #storage: GuardStorage;
  readonly #alarm: RetryAlarm;

  constructor(env: Env, storage: GuardStorage, alarm: RetryAlarm) {
    this.#env = env;
    this.#storage = storage;
    this.#alarm = alarm;
  }

  /**
   * Reads the record, and stores its state unless the guard got one meanwhile.
   * @returns the record; undefined when D1 has none
   * @throws StoreError; ZodError, SyntaxError or ForeignStateError for a damaged record
   */
  async rehydrate({
    tenantId,
    identityId,
    now = Date.now(),
  }: Rehydrated): Promise<IdentityRecord | undefined> {
    for (;;) {
      const epoch = this.#storage.erasureEpoch;
      const { record, state, sessions } = await runInTenantDb(this.#env, tenantId, async (db) => {
        const { record, codes } = await findRecordWithCodes(db, tenantId, identityId);
        if (record === undefined || record.state === null) return { record, sessions: [] };
        const state = addAcceptedCodes(parseRecordedState(record.state, record), codes);
        const findKeys = createKeysFinder(this.#env, tenantId);
        const sessions = await findSessions(db, tenantId, identityId, findKeys);
        return { record, state, sessions };
      });
      if (this.#storage.readState() !== null) return record;
      if (this.#storage.erasureEpoch !== epoch) continue;
      if (record === undefined || state === undefined) return record;
      // D1 may lack the challenges that were spent last.
      const passkeys = raiseFloor(state.passkeys, now);
      const version = record.version + versionsAhead;
      this.#storage.write({ ...state, passkeys }, version, { history: sessions });
      const delayMs = refusalReportDelayOf(state);
      if (delayMs !== undefined) await this.#alarm.arm(delayMs);
      return record;
    }
  }

  /**
   * Finds the version after which a new identity continues: that of its tombstone, or 0. If the record is not
   * erased, the guard loads it.
   * @param found read beside the call. It is used only if it shows no living identity and this guard has seen
   *   no erasure since it started; otherwise D1 is asked again
   * @throws as `rehydrate`
   */
  async findLastVersion(owner: Rehydrated, found: Promise<FoundRecord>): Promise<number> {
    if (this.#storage.erasureEpoch === 0) {
      const seen = await found.catch(() => undefined);
      const isFree = seen !== undefined && (seen.record === null || seen.record.isErased);
      if (isFree && this.#storage.erasureEpoch === 0) return seen.record?.version ?? 0;
    }
    return (await this.rehydrate(owner))?.version ?? 0;
  }
}
