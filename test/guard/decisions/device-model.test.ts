/** Random sequences of attempts of strangers and known devices, against a model that keeps each wrong code by itself. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { deriveId } from "../../../src/crypto/id.ts";
import { isLive } from "../../../src/guard/decisions/authenticators.ts";
import { configureTotp } from "../../../src/guard/decisions/credentials.ts";
import { applyDevice, removeDevice } from "../../../src/guard/decisions/devices.ts";
import { findSecrets } from "../../../src/guard/decisions/evaluate-totp.ts";
import { setStatus, unlock } from "../../../src/guard/decisions/lifecycle.ts";
import {
  addAuthenticator,
  removeAuthenticator,
} from "../../../src/guard/decisions/manage-authenticators.ts";
import { type IdentityState, parseState } from "../../../src/guard/decisions/state.ts";
import type { GuardCall } from "../../../src/guard/decisions/transition.ts";
import { type Evidence, findRefusal, verify } from "../../../src/guard/decisions/verify.ts";
import { defaultParameters } from "../../../src/otp/totp.ts";
import { buildIdentity, callAt, exampleDevice, expectDecision, minute, now } from "./example.ts";

/** A strict policy, so that short sequences reach every rule. */
const policy = { maxFailedAttempts: 3, lockSeconds: 60, maxLockSeconds: 120, disableAfter: 9 };
const maxDeviceFailures = 5;

const isPending = fc.constantFrom(true, true, false);
const sender = fc.option(fc.nat(1), { freq: 3 });
const commands = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant("guess"), sender }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("log in"), sender, isPending, asks: fc.boolean() }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("configure"), isPending }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("add"), isPending }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove"), sender: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove device"), sender: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("unlock") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("suspend") }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait"), minutes: fc.nat(4) }) },
  ),
  { maxLength: 80, size: "max" },
);
interface Command {
  readonly kind: string;
  readonly sender?: number | null;
  readonly isPending?: boolean;
  readonly asks?: boolean;
  readonly minutes?: number;
}

interface Wrong {
  /** The device that it came from; null: a stranger, or a device that was removed since. */
  device: string | null;
  /** It was sent before the present secrets were set up, after failures had disabled TOTP. */
  isOld: boolean;
}

class World {
  state: IdentityState = buildIdentity({
    devices: ["a", "b"].map((id) => ({ ...exampleDevice, id, digest: id })),
  });
  at = now;
  wrong: Wrong[] = [];
  /** Wrong codes of strangers since the last lock. */
  inRound = 0;
  isDisabled = false;
  confirmedOnDevice = 0;
  #created = 1;

  run(command: Command): void {
    const call = callAt(this.at);
    const { state } = this;
    const id = deriveId(this.at, ++this.#created, "model");
    const sealed = `sealed-${this.#created}`;
    switch (command.kind) {
      case "wait":
        this.at += (command.minutes ?? 0) * minute;
        break;
      case "configure": {
        const enrolment = command.isPending ? "confirm" : "immediate";
        this.#setUp(configureTotp(state, call, { id, sealed }, enrolment).state);
        break;
      }
      case "add": {
        const { isPending = false } = command;
        const added = { ...defaultParameters, id, name: null, sealed, isPending };
        const { result, state: after } = addAuthenticator(state, call, added);
        if (result.ok) this.#setUp(after);
        break;
      }
      case "remove": {
        const removed = state.authenticators[command.sender ?? 0]?.id ?? "none";
        this.state = removeAuthenticator(state, call, removed).state;
        break;
      }
      case "remove device": {
        const removed = state.devices[command.sender ?? 0]?.id ?? "none";
        this.state = removeDevice(state, call, removed).state;
        break;
      }
      case "unlock":
        this.state = unlock(state, call).state;
        this.#takeBack(null);
        break;
      case "suspend":
        this.state = setStatus(setStatus(state, call, "suspended").state, call, "active").state;
        break;
      default:
        this.#attempt(command, { id, digest: sealed });
    }
    this.#moveFailuresOfRemoved();
  }

  /** A new secret after failures have disabled TOTP starts the count over. */
  #setUp(after: IdentityState): void {
    if (this.isDisabled) for (const one of this.wrong) one.isOld = true;
    this.isDisabled = after.otpDisabled;
    this.state = after;
  }

  #takeBack(device: string | null): void {
    this.wrong = this.wrong.filter((one) => one.device !== device);
    if (device === null) this.inRound = 0;
  }

  #moveFailuresOfRemoved(): void {
    const known = new Set(this.state.devices.map(({ id }) => id));
    for (const one of this.wrong) {
      if (one.device !== null && !known.has(one.device)) one.device = null;
    }
  }

  #attempt(command: Command, created: { readonly id: string; readonly digest: string }): void {
    const { state: before } = this;
    const device = command.sender == null ? undefined : before.devices[command.sender];
    const call: GuardCall = {
      ...callAt(this.at),
      device: {
        digest: device?.digest ?? null,
        remember: command.asks ? { days: 30, name: null } : null,
        created,
      },
    };
    const refusal = findRefusal(before, "totp", this.at, "login", device);
    const secrets = findSecrets(before, this.at);
    const shown = secrets.find((secret) => isLive(secret) !== command.isPending);
    const isRight = command.kind === "log in" && shown !== undefined;
    // Each code is of a later time step than those before.
    const step = this.#created;
    const evidence: Evidence =
      refusal === undefined
        ? {
            method: "totp",
            comparisons: secrets.map(({ sealed }) =>
              isRight && sealed === shown.sealed ? { sealed, step } : { sealed },
            ),
            ...this.#lastOf(before),
          }
        : { method: "totp", withheld: true };
    const verified = expectDecision(verify(before, call, evidence, policy));
    const { state, result } = applyDevice(before, call, verified, null);
    this.state = state;
    if (refusal !== undefined) {
      expect(result).toEqual({ ok: false, error: refusal });
      return;
    }
    if (result.ok) {
      this.#takeBack(device?.id ?? null);
      if (!result.value.enrolmentConfirmed) return;
      if (device !== undefined) this.confirmedOnDevice += 1;
      if (this.isDisabled && device === undefined) for (const one of this.wrong) one.isOld = true;
      this.isDisabled = false;
      return;
    }
    this.wrong.push({ device: device?.id ?? null, isOld: false });
    const fresh = this.wrong.filter(({ isOld }) => !isOld).length;
    if (fresh >= policy.disableAfter) this.isDisabled = true;
    const ofDevice = this.wrong.filter((one) => one.device === device?.id).length;
    if (device !== undefined) {
      expect(state.devices.some(({ id }) => id === device.id)).toBe(ofDevice < maxDeviceFailures);
      expect(state.lockout.lockedUntil).toBe(before.lockout.lockedUntil);
      return;
    }
    this.inRound += 1;
    const locks = this.inRound === policy.maxFailedAttempts;
    expect(state.lockout.locks - before.lockout.locks).toBe(locks ? 1 : 0);
    if (locks) this.inRound = 0;
  }

  #lastOf({ totp, lastMethod, lastAuthenticatorId, authenticators }: IdentityState) {
    const used =
      lastAuthenticatorId === null
        ? totp
        : authenticators.find(({ id }) => id === lastAuthenticatorId);
    const { sealed, lastTimeStep: timeStep = null } = used ?? {};
    if (lastMethod === null || sealed === undefined || timeStep === null) return {};
    return { last: { sealed, timeStep, isLastCode: false } };
  }

  check(): void {
    const { state } = this;
    const countOf = (device: string | null) =>
      this.wrong.filter((one) => one.device === device).length;
    expect(state.lockout.failedAttempts).toBe(countOf(null));
    expect(state.devices.map(({ failures }) => failures)).toEqual(
      state.devices.map(({ id }) => countOf(id)),
    );
    expect(state.otpDisabled).toBe(this.isDisabled);
    expect(parseState(JSON.parse(JSON.stringify(state)))).toEqual(state);
  }
}

test("no sequence gives a wrong code away, or counts it twice", () => {
  let confirmedOnDevice = 0;
  fc.assert(
    fc.property(commands, (sequence) => {
      const world = new World();
      for (const command of sequence) {
        world.run(command);
        world.check();
      }
      confirmedOnDevice += world.confirmedOnDevice;
    }),
    { numRuns: 100 },
  );
  expect(confirmedOnDevice).toBeGreaterThan(0);
});
