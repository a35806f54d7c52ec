/**
 * Runs random sequences of decisions on one identity, as the guard does, and checks the rules that
 * must hold after each of them.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditEntry } from "../../../src/audit/event.ts";
import { deriveId } from "../../../src/crypto/id.ts";
import {
  type Authenticator,
  isLive,
  listAuthenticators,
} from "../../../src/guard/decisions/authenticators.ts";
import {
  configureTotp,
  removeTotp,
  replaceBackupCodes,
} from "../../../src/guard/decisions/credentials.ts";
import { findLastUsed, findSecrets } from "../../../src/guard/decisions/evaluate-totp.ts";
import type { Purpose } from "../../../src/guard/decisions/evaluation.ts";
import { setStatus, unlock } from "../../../src/guard/decisions/lifecycle.ts";
import {
  addAuthenticator,
  removeAuthenticator,
} from "../../../src/guard/decisions/manage-authenticators.ts";
import { reportRefusals } from "../../../src/guard/decisions/refusals.ts";
import { type IdentityState, parseState } from "../../../src/guard/decisions/state.ts";
import type { Transition } from "../../../src/guard/decisions/transition.ts";
import { type Evidence, findRefusal, verify } from "../../../src/guard/decisions/verify.ts";
import { defaultParameters } from "../../../src/otp/totp.ts";
import { buildIdentity, callAt, expectDecision, now } from "./example.ts";

/** A strict policy, so that short sequences reach every rule. */
const policy = { maxFailedAttempts: 2, lockSeconds: 5, maxLockSeconds: 15, disableAfter: 5 };

const stepsAway = fc.constantFrom(-1, 0, 1);
const pick = fc.nat(5);
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("live code"), stepsAway, pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("shared code"), stepsAway }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("pending code"), stepsAway, pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("code to confirm"), stepsAway, pick }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("last code") }) },
    { weight: 10, arbitrary: fc.record({ kind: fc.constant("wrong code") }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("backup code"), pick: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("old backup code"), pick: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("wrong backup code") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("configure") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("configure to confirm") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove") }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("add") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("add to confirm") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove one"), pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("regenerate") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("suspend") }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("reactivate") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("unlock") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("report") }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.integer({ min: 1, max: 90_000 }) }),
    },
    // A test tenant's clock may also run backwards.
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.integer({ min: -60_000, max: 0 }) }),
    },
  ),
  { maxLength: 120, size: "max" },
);
type Command = {
  readonly kind: string;
  readonly stepsAway?: number;
  readonly pick?: number;
  readonly ms?: number;
};

/** The sealed secrets that have the code. */
function findShowing(secrets: readonly Authenticator[], kind: string, pick: number) {
  const isPendingCode = kind === "pending code" || kind === "code to confirm";
  const isCode = isPendingCode || kind === "live code" || kind === "shared code";
  const boxes = secrets
    .filter((secret) => isCode && isLive(secret) !== isPendingCode)
    .map(({ sealed }) => sealed);
  if (kind === "shared code") return boxes.slice(0, 2);
  const box = boxes[pick % Math.max(1, boxes.length)];
  return box === undefined ? [] : [box];
}

/** One identity, and everything that was created, accepted or reported for it. */
class World {
  state: IdentityState = buildIdentity();
  at = now;
  #created = 1;
  #requests = 0;
  /** Secret and time step of every accepted TOTP code. */
  readonly accepted: string[] = [];
  /** Every backup code that was created, and every one that was accepted. */
  readonly codes: string[] = [];
  readonly spent: string[] = [];
  /** The code that was accepted last. */
  lastCode: string | null = null;
  /** Wrong codes since the last success or unlock, since the last lock, and since TOTP was last enabled. */
  consecutive = 0;
  inRound = 0;
  sinceEnabled = 0;
  refused = 0;
  alreadyUsed = 0;
  /** Accepted codes that two secrets had. */
  shared = 0;
  reportedRefusals = 0;

  run(command: Command): void {
    const { state } = this;
    const call = callAt(this.at, `request-${++this.#requests}`);
    switch (command.kind) {
      case "wait":
        this.at += command.ms ?? 0;
        return;
      case "configure":
      case "configure to confirm": {
        const enrolment = command.kind === "configure" ? "immediate" : "confirm";
        const sealed = `sealed-${++this.#created}`;
        const id = deriveId(this.at, this.#created, "model");
        const transition = configureTotp(state, call, { id, sealed }, enrolment);
        if (transition.result.ok && state.otpDisabled) this.sinceEnabled = 0;
        this.#apply(transition);
        return;
      }
      case "remove":
        this.#apply(removeTotp(state, call));
        if (this.state.backupCodes === null) this.lastCode = null;
        return;
      case "add":
      case "add to confirm": {
        const created = ++this.#created;
        const transition = addAuthenticator(state, call, {
          ...defaultParameters,
          id: deriveId(this.at, created, "model"),
          name: null,
          sealed: `sealed-${created}`,
          isPending: command.kind === "add to confirm",
        });
        if (transition.result.ok && state.otpDisabled) this.sinceEnabled = 0;
        this.#apply(transition);
        return;
      }
      case "remove one": {
        const all = listAuthenticators(state, this.at);
        const id = all[(command.pick ?? 0) % Math.max(1, all.length)]?.id ?? "";
        this.#apply(removeAuthenticator(state, call, id));
        return;
      }
      case "regenerate": {
        const codes = Array.from({ length: 3 }, (_, index) => `code-${++this.#created}-${index}`);
        const transition = replaceBackupCodes(state, call, 1, codes);
        if (transition.result.ok) {
          this.codes.push(...codes);
          // Nothing is known of the codes of a replaced set.
          if (this.lastCode?.startsWith("code-")) this.lastCode = null;
        }
        this.#apply(transition);
        return;
      }
      case "suspend":
        this.#apply(setStatus(state, call, "suspended"));
        return;
      case "reactivate":
        this.#apply(setStatus(state, call, "active"));
        return;
      case "unlock":
        this.#apply(unlock(state, call));
        this.#resetFailures();
        return;
      case "report":
        this.#apply(reportRefusals(state));
        return;
      default:
        this.#attempt(command);
    }
  }

  /** Refusals that no event has reported yet. */
  get unreportedRefusals(): number {
    return this.state.refusals.reduce((sum, { unreported }) => sum + unreported, 0);
  }

  #resetFailures(): void {
    this.consecutive = 0;
    this.inRound = 0;
    this.sinceEnabled = 0;
  }

  #apply<T>({ state, entries, result }: Transition<T>): void {
    this.state = state;
    if (!result.ok && result.error.code !== "invalid_code") this.refused += 1;
    this.reportedRefusals += entries.reduce((sum, entry) => sum + countOf(entry), 0);
  }

  /** The evidence that the guard would gather for the code. */
  #evidenceFor({ kind, stepsAway = 0, pick = 0 }: Command, purpose: Purpose): Evidence {
    const { state, at } = this;
    const shown = Math.floor(at / 30_000) + stepsAway;
    if (kind.endsWith("backup code")) {
      const method = "backup_code";
      if (findRefusal(state, method, at) !== undefined) return { method, withheld: true };
      if (state.backupCodes === null) return { method, keyVersion: null, recipes: [], hashes: [] };
      const from = kind === "backup code" ? state.backupCodes.unspent : this.codes;
      const hash = kind === "wrong backup code" ? "none" : from[pick % Math.max(1, from.length)];
      return { method, keyVersion: 1, recipes: [], hashes: [hash ?? "none"] };
    }
    const method = "totp";
    if (findRefusal(state, method, at, purpose) !== undefined) return { method, withheld: true };
    const secrets = findSecrets(state, at, purpose);
    const showing = findShowing(secrets, kind, pick);
    const comparisons = secrets.map(({ sealed }) =>
      showing.includes(sealed) ? { sealed, step: shown } : { sealed },
    );
    const lastUsed = findLastUsed(state, secrets);
    if (lastUsed === undefined) return { method, comparisons };
    const { sealed, lastTimeStep: timeStep } = lastUsed;
    const isLastCode =
      kind === "last code" || (showing.includes(sealed) && shown === lastUsed.lastTimeStep);
    return { method, comparisons, last: { sealed, timeStep, isLastCode } };
  }

  /** The codes of the secrets that have the code. */
  #namesOf({ stepsAway = 0 }: Command, evidence: Evidence): readonly string[] {
    if (!("comparisons" in evidence)) return [];
    const shown = Math.floor(this.at / 30_000) + stepsAway;
    return evidence.comparisons.flatMap(({ sealed, step }) =>
      step === undefined ? [] : [`${sealed} ${shown}`],
    );
  }

  /** One name for each code that could have been accepted last. */
  #nameCode(command: Command, evidence: Evidence): string | null {
    if ("withheld" in evidence) return null;
    if (evidence.method === "backup_code") return evidence.hashes[0] ?? null;
    const { last } = evidence;
    if (command.kind === "last code") return last ? `${last.sealed} ${last.timeStep}` : null;
    const names = this.#namesOf(command, evidence);
    return names.find((name) => name === this.lastCode) ?? names[0] ?? null;
  }

  #attempt(command: Command): void {
    const before = this.state;
    const purpose = command.kind === "code to confirm" ? "confirm" : "login";
    const evidence = this.#evidenceFor(command, purpose);
    const refusal = findRefusal(before, evidence.method, this.at, purpose);
    const call = callAt(this.at, `request-${++this.#requests}`);
    const transition = expectDecision(verify(before, call, evidence, policy, purpose));
    const { result, state: after } = transition;
    this.#apply(transition);

    const sent = this.#nameCode(command, evidence);
    const isLastCode = !result.ok && result.error.code === "code_already_used";
    if (isLastCode) expect(sent).toBe(this.lastCode);
    if (isLastCode) this.alreadyUsed += 1;
    if (refusal !== undefined || isLastCode) {
      // The attempt is not counted, and it extends no lock.
      if (refusal !== undefined) expect(result).toEqual({ ok: false, error: refusal });
      expect({ ...after, refusals: [], recent: [] }).toEqual({
        ...before,
        refusals: [],
        recent: [],
      });
      return;
    }
    if (result.ok) {
      this.#resetFailures();
      if (result.value.method === "totp") {
        const names = this.#namesOf(command, evidence);
        this.lastCode = names[0] ?? null;
        this.accepted.push(...names);
        if (names.length > 1) this.shared += 1;
        const spent = listAuthenticators(after, this.at).map(
          ({ sealed, lastTimeStep }) => `${sealed} ${lastTimeStep}`,
        );
        expect(spent).toEqual(expect.arrayContaining([...names]));
      } else {
        const used = before.backupCodes?.unspent.filter(
          (code) => !after.backupCodes?.unspent.includes(code),
        );
        expect(used).toHaveLength(1);
        this.spent.push(...(used ?? []));
        this.lastCode = used?.[0] ?? null;
      }
      return;
    }
    expect(result.error.code).toBe("invalid_code");
    if (sent !== null) expect(sent).not.toBe(this.lastCode);
    this.consecutive += 1;
    this.inRound += 1;
    this.sinceEnabled += 1;
    expect(after.lockout.failedAttempts).toBe(before.lockout.failedAttempts + 1);
    expect(after.totp).toEqual(before.totp);
    expect(after.authenticators.filter(isLive)).toEqual(before.authenticators.filter(isLive));
    expect(after.backupCodes).toEqual(before.backupCodes);
    expect(this.inRound).toBeLessThanOrEqual(policy.maxFailedAttempts);
    expect(this.sinceEnabled).toBeLessThanOrEqual(policy.disableAfter);
    expect(after.lockout.locks > before.lockout.locks).toBe(
      this.inRound === policy.maxFailedAttempts,
    );
    expect(after.otpDisabled).toBe(before.otpDisabled || this.sinceEnabled === policy.disableAfter);
    if (after.lockout.locks > before.lockout.locks) this.inRound = 0;
  }
}

function countOf({ outcome, details }: AuditEntry): number {
  const count = details?.count;
  return outcome === "refused" && typeof count === "number" ? count : 0;
}

function checkRules(before: IdentityState, world: World): void {
  const { state } = world;
  // No code is accepted twice: neither a time step of a secret nor a backup code.
  expect(new Set(world.accepted).size).toBe(world.accepted.length);
  expect(new Set(world.spent).size).toBe(world.spent.length);
  const earlier = new Map(
    listAuthenticators(before, world.at).map(({ sealed, lastTimeStep }) => [sealed, lastTimeStep]),
  );
  const all = listAuthenticators(state, world.at);
  for (const { sealed, lastTimeStep } of all) {
    expect(lastTimeStep ?? -1).toBeGreaterThanOrEqual(earlier.get(sealed) ?? -1);
  }
  expect(all.filter(({ isPrimary }) => !isPrimary).length).toBeLessThanOrEqual(5);
  // A spent backup code stays spent, and no code disappears from a set that is not replaced.
  const set = state.backupCodes;
  for (const code of world.spent) expect(set?.unspent ?? []).not.toContain(code);
  const isSameSet = before.backupCodes?.unspent[0] !== undefined && set !== null;
  const allCodes = [...(before.backupCodes?.unspent ?? []), ...(before.backupCodes?.spent ?? [])];
  if (isSameSet && allCodes.some((code) => [...set.unspent, ...set.spent].includes(code))) {
    expect([...set.unspent, ...set.spent].toSorted()).toEqual(allCodes.toSorted());
  }
  // The counter is the number of failures since the last success or unlock.
  expect(state.lockout.failedAttempts).toBe(world.consecutive);
  expect(state.lockout.failuresThisRound).toBe(world.inRound);
  // Every refusal is reported or counted as unreported.
  expect(world.reportedRefusals + world.unreportedRefusals).toBe(world.refused);
  // The stored state can be parsed.
  expect(parseState(JSON.parse(JSON.stringify(state)))).toEqual(state);
}

test("no sequence of requests breaks a rule of an identity", () => {
  const reached = {
    accepted: 0,
    spent: 0,
    refused: 0,
    locked: 0,
    disabled: 0,
    confirmed: 0,
    used: 0,
    added: 0,
    shared: 0,
  };
  fc.assert(
    fc.property(commands, (sequence) => {
      const world = new World();
      for (const command of sequence) {
        const before = world.state;
        world.run(command);
        checkRules(before, world);
        if (world.state.otpDisabled && !before.otpDisabled) reached.disabled += 1;
        if (world.state.lockout.locks > before.lockout.locks) reached.locked += 1;
        if (command.kind === "add" && world.state.authenticators !== before.authenticators)
          reached.added += 1;
        if (/pending code|code to confirm/.test(command.kind) && world.state.totp !== before.totp)
          reached.confirmed += 1;
      }
      reached.accepted += world.accepted.length;
      reached.spent += world.spent.length;
      reached.refused += world.refused;
      reached.used += world.alreadyUsed;
      reached.shared += world.shared;
    }),
    { numRuns: 500 },
  );
  // The sequences reach every rule.
  for (const [what, times] of Object.entries(reached)) {
    expect(times, `${what} never happened`).toBeGreaterThan(0);
  }
});
