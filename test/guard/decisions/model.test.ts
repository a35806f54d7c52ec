/**
 * Any sequence of calls on one identity: the pure transitions, driven as the guard drives them, and
 * what must hold whatever comes.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditEntry } from "../../../src/audit/event.ts";
import {
  configureTotp,
  removeTotp,
  replaceBackupCodes,
} from "../../../src/guard/decisions/credentials.ts";
import { setStatus, unlock } from "../../../src/guard/decisions/lifecycle.ts";
import { reportRefusals } from "../../../src/guard/decisions/refusals.ts";
import { type IdentityState, parseState } from "../../../src/guard/decisions/state.ts";
import type { Transition } from "../../../src/guard/decisions/transition.ts";
import {
  confirmableTotpOf,
  type Evidence,
  findRefusal,
  liveTotpOf,
  verify,
} from "../../../src/guard/decisions/verify.ts";
import { callAt, decided, identity, now } from "./example.ts";

/** Strict, so that short sequences reach every rule. */
const policy = { maxFailedAttempts: 2, lockSeconds: 5, maxLockSeconds: 15, disableAfter: 5 };

const away = fc.constantFrom(-1, 0, 1);
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("live code"), away }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("pending code"), away }) },
    { weight: 10, arbitrary: fc.record({ kind: fc.constant("wrong code") }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("backup code"), pick: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("old backup code"), pick: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("wrong backup code") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("configure") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("configure to confirm") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove") }) },
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
  readonly away?: number;
  readonly pick?: number;
  readonly ms?: number;
};

/** One identity and everything that was ever made for it, accepted or told of it. */
class World {
  state: IdentityState = identity();
  at = now;
  #made = 1;
  #requests = 0;
  /** Secret and time step of every accepted TOTP code. */
  readonly accepted: string[] = [];
  /** Every backup code ever made, and those accepted. */
  readonly codes: string[] = [];
  readonly spent: string[] = [];
  /** Evaluated and wrong: since the last success or unlock, since the last lock or new hundred. */
  inARow = 0;
  inRound = 0;
  inHundred = 0;
  refused = 0;
  toldRefused = 0;

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
        const sealed = `sealed-${++this.#made}`;
        const transition = configureTotp(state, call, sealed, enrolment);
        if (transition.result.ok && state.otpDisabled) this.inHundred = 0;
        this.#apply(transition);
        return;
      }
      case "remove":
        this.#apply(removeTotp(state, call));
        return;
      case "regenerate": {
        const codes = Array.from({ length: 3 }, (_, index) => `code-${++this.#made}-${index}`);
        const transition = replaceBackupCodes(state, call, 1, codes);
        if (transition.result.ok) this.codes.push(...codes);
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
        this.#forgetFailures();
        return;
      case "report":
        this.#apply(reportRefusals(state));
        return;
      default:
        this.#attempt(command);
    }
  }

  /** Refused ones that nobody has told of yet. */
  get waiting(): number {
    return this.state.refusals.reduce((sum, { unreported }) => sum + unreported, 0);
  }

  #forgetFailures(): void {
    this.inARow = 0;
    this.inRound = 0;
    this.inHundred = 0;
  }

  #apply<T>({ state, entries, result }: Transition<T>): void {
    this.state = state;
    if (!result.ok && result.error.code !== "invalid_code") this.refused += 1;
    this.toldRefused += entries.reduce((sum, entry) => sum + countOf(entry), 0);
  }

  /** What the guard would compute for the code before it decides. */
  #evidenceFor({ kind, away: steps = 0, pick = 0 }: Command): Evidence {
    const { state, at } = this;
    const shown = Math.floor(at / 30_000) + steps;
    if (kind.endsWith("backup code")) {
      const method = "backup_code";
      if (findRefusal(state, method, at) !== undefined) return { method, withheld: true };
      if (state.backupCodes === null) return { method, keyVersion: null, hash: null };
      const from = kind === "backup code" ? state.backupCodes.unspent : this.codes;
      const hash = kind === "wrong backup code" ? "none" : from[pick % Math.max(1, from.length)];
      return { method, keyVersion: 1, hash: hash ?? "none" };
    }
    const method = "totp";
    if (findRefusal(state, method, at) !== undefined) return { method, withheld: true };
    const sealed = liveTotpOf(state)?.sealed ?? null;
    const pendingSealed = confirmableTotpOf(state, at)?.sealed ?? null;
    return {
      method,
      sealed,
      pendingSealed,
      step: kind === "live code" && sealed !== null ? shown : undefined,
      pendingStep: kind === "pending code" && pendingSealed !== null ? shown : undefined,
    };
  }

  #attempt(command: Command): void {
    const before = this.state;
    const evidence = this.#evidenceFor(command);
    const barred = findRefusal(before, evidence.method, this.at);
    const call = callAt(this.at, `request-${++this.#requests}`);
    const transition = decided(verify(before, call, evidence, policy));
    const { result, state: after } = transition;
    this.#apply(transition);

    if (barred !== undefined) {
      // Locked, suspended, disabled, not configured: nothing evaluated, counted or extended.
      expect(result).toEqual({ ok: false, error: barred });
      expect({ ...after, refusals: [], recent: [] }).toEqual({
        ...before,
        refusals: [],
        recent: [],
      });
      return;
    }
    if (result.ok) {
      this.#forgetFailures();
      if (result.value.method === "totp") {
        const shown = Math.floor(this.at / 30_000) + (command.away ?? 0);
        this.accepted.push(`${after.totp?.sealed} ${shown}`);
        expect(after.totp?.lastTimeStep).toBe(shown);
      } else {
        const used = before.backupCodes?.unspent.filter(
          (code) => !after.backupCodes?.unspent.includes(code),
        );
        expect(used).toHaveLength(1);
        this.spent.push(...(used ?? []));
      }
      return;
    }
    expect(result.error.code).toBe("invalid_code");
    this.inARow += 1;
    this.inRound += 1;
    this.inHundred += 1;
    expect(after.lockout.failedAttempts).toBe(before.lockout.failedAttempts + 1);
    expect(after.totp).toEqual(before.totp);
    expect(after.backupCodes).toEqual(before.backupCodes);
    expect(this.inRound).toBeLessThanOrEqual(policy.maxFailedAttempts);
    expect(this.inHundred).toBeLessThanOrEqual(policy.disableAfter);
    expect(after.lockout.locks > before.lockout.locks).toBe(
      this.inRound === policy.maxFailedAttempts,
    );
    expect(after.otpDisabled).toBe(before.otpDisabled || this.inHundred === policy.disableAfter);
    if (after.lockout.locks > before.lockout.locks) this.inRound = 0;
  }
}

function countOf({ outcome, details }: AuditEntry): number {
  const count = details?.count;
  return outcome === "refused" && typeof count === "number" ? count : 0;
}

function check(before: IdentityState, world: World): void {
  const { state } = world;
  // No code twice: neither a time step of a secret, nor a backup code.
  expect(new Set(world.accepted).size).toBe(world.accepted.length);
  expect(new Set(world.spent).size).toBe(world.spent.length);
  if (before.totp !== null && state.totp?.sealed === before.totp.sealed) {
    expect(state.totp.lastTimeStep ?? -1).toBeGreaterThanOrEqual(before.totp.lastTimeStep ?? -1);
  }
  // A spent backup code stays spent, and a set only shrinks unless it is a new one.
  const set = state.backupCodes;
  for (const code of world.spent) expect(set?.unspent ?? []).not.toContain(code);
  const isSameSet = before.backupCodes?.unspent[0] !== undefined && set !== null;
  const all = [...(before.backupCodes?.unspent ?? []), ...(before.backupCodes?.spent ?? [])];
  if (isSameSet && all.some((code) => [...set.unspent, ...set.spent].includes(code))) {
    expect([...set.unspent, ...set.spent].toSorted()).toEqual(all.toSorted());
  }
  // The counter is the failures since the last success or unlock, whatever else happened.
  expect(state.lockout.failedAttempts).toBe(world.inARow);
  expect(state.lockout.failuresThisRound).toBe(world.inRound);
  // Every refusal is told, or waits to be.
  expect(world.toldRefused + world.waiting).toBe(world.refused);
  // What is stored can be read back.
  expect(parseState(JSON.stringify(state))).toEqual(state);
}

test("whatever is asked in whatever order, no rule of an identity is broken", () => {
  const seen = { accepted: 0, spent: 0, refused: 0, locked: 0, disabled: 0, confirmed: 0 };
  fc.assert(
    fc.property(commands, (sequence) => {
      const world = new World();
      for (const command of sequence) {
        const before = world.state;
        world.run(command);
        check(before, world);
        if (world.state.otpDisabled && !before.otpDisabled) seen.disabled += 1;
        if (world.state.lockout.locks > before.lockout.locks) seen.locked += 1;
        if (command.kind === "pending code" && world.state.totp !== before.totp)
          seen.confirmed += 1;
      }
      seen.accepted += world.accepted.length;
      seen.spent += world.spent.length;
      seen.refused += world.refused;
    }),
    { numRuns: 500 },
  );
  // The sequences reach what the rules are about.
  for (const [what, times] of Object.entries(seen)) {
    expect(times, `${what} never happened`).toBeGreaterThan(0);
  }
});
