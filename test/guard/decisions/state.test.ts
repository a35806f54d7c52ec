/** The state of an identity as the guard stores it, and as D1 keeps it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import type { AddedSecret } from "../../../src/guard/decisions/authenticator-state.ts";
import type { KnownDevice } from "../../../src/guard/decisions/device-state.ts";
import type { StoredPasskey } from "../../../src/guard/decisions/passkey-state.ts";
import {
  formatRecordedState,
  parseRecordedState,
} from "../../../src/guard/decisions/recorded-state.ts";
import { refuse, reportRefusals } from "../../../src/guard/decisions/refusals.ts";
import {
  type IdentityState,
  parseState,
  splitRefusals,
} from "../../../src/guard/decisions/state.ts";
import { totpAlgorithms } from "../../../src/otp/totp.ts";
import { algorithms } from "../../../src/passkeys/passkey.ts";
import { buildIdentity, call, exampleDevice } from "./example.ts";

const digest = fc.stringMatching(/^[0-9a-f]{64}$/);
const text = fc.string();
const time = fc.nat();
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

const passkey: fc.Arbitrary<StoredPasskey> = fc.record({
  id: text,
  claimId: text,
  credentialId: text,
  publicKey: text,
  name: text,
  rpId: text,
  algorithm: fc.constantFrom(...algorithms),
  aaguid: text,
  transports: fc.array(text, { maxLength: 2 }),
  backupEligible: fc.boolean(),
  backedUp: fc.boolean(),
  userVerified: fc.boolean(),
  signCount: fc.nat(),
  createdAt: time,
  lastUsedAt: orNull(time),
});

const authenticator: fc.Arbitrary<AddedSecret> = fc.record({
  id: text,
  name: text,
  sealed: text,
  period: fc.nat(),
  algorithm: fc.constantFrom(...totpAlgorithms),
  digits: fc.integer({ min: 6, max: 8 }),
  pendingUntil: orNull(time),
  lastTimeStep: orNull(time),
  lastUsedAt: orNull(time),
});
const device: fc.Arbitrary<KnownDevice> = fc
  .record({
    id: text,
    digest,
    name: orNull(text),
    failures: fc.nat({ max: 4 }),
    createdAt: time,
    expiresAt: time,
    passkeyId: orNull(text),
    assessmentId: orNull(text),
  })
  .map((one) => ({ ...one, lastUsedAt: one.createdAt }));

const states: fc.Arbitrary<IdentityState> = fc.record({
  tenantId: text,
  identityId: text,
  externalId: text,
  status: fc.constantFrom("active", "suspended"),
  createdAt: time,
  updatedAt: time,
  lastVerifiedAt: orNull(time),
  lastMethod: fc.constantFrom("totp", "backup_code", null),
  totp: orNull(
    fc.record(
      {
        sealed: text,
        lastTimeStep: orNull(time),
        id: text,
        name: text,
        lastUsedAt: orNull(time),
      },
      { requiredKeys: ["sealed", "lastTimeStep"] },
    ),
  ),
  pendingTotp: orNull(
    fc.record(
      { sealed: text, expiresAt: time, id: text, name: text },
      { requiredKeys: ["sealed", "expiresAt"] },
    ),
  ),
  authenticators: fc.array(authenticator, { maxLength: 2 }),
  lastAuthenticatorId: orNull(text),
  otpDisabled: fc.boolean(),
  backupCodes: orNull(
    fc.record(
      {
        keyVersion: fc.nat(),
        unspent: fc.oneof(fc.array(digest), fc.array(text)),
        spent: fc.array(digest),
        imported: fc.record({ recipes: fc.array(text, { maxLength: 2 }) }),
      },
      { requiredKeys: ["keyVersion", "unspent", "spent"] },
    ),
  ),
  passkeys: orNull(
    fc.record({
      credentials: fc.array(passkey, { maxLength: 2 }),
      spent: fc.array(fc.record({ nonce: text, issuedAt: time }), { maxLength: 2 }),
      floor: time,
    }),
  ),
  devices: fc.array(device, { maxLength: 2 }),
  lockout: fc.record({
    failedAttempts: fc.nat({ max: 2 }),
    failuresThisRound: fc.nat({ max: 2 }),
    locks: fc.nat({ max: 2 }),
    lockedUntil: orNull(time),
    failedBeforeEnrolment: fc.nat({ max: 2 }),
  }),
  auditKey: orNull(fc.record({ id: text, sealed: text })),
  refusals: fc.array(
    fc.record({
      action: fc.constantFrom("otp.verified", "session.assessed"),
      reason: text,
      unreported: fc.nat(),
      reports: fc.nat(),
      lastAt: time,
      lastActor: fc.record({ type: fc.constant("api_token"), id: orNull(text) }),
      lastRequestId: text,
    }),
    { maxLength: 2 },
  ),
  recent: fc.constant([]),
  rates: fc.constant({}),
});

function rowOf(state: IdentityState) {
  return { ...state, id: state.identityId, lockedUntil: state.lockout.lockedUntil };
}

test("the guard's own state is parsed", () => {
  const state = buildIdentity();
  expect(parseState(JSON.parse(JSON.stringify(state)))).toEqual(state);
});

/** A state without the refusals that are reported. */
function omitReported(state: IdentityState): IdentityState {
  return { ...state, refusals: state.refusals.filter(({ unreported }) => unreported > 0) };
}

test("a record keeps the whole state, except for attempts, rate limits and reported refusals", () => {
  const counted = { ...buildIdentity(), rates: { attempts: { startedAt: 1, count: 2 } } };
  const recent = [{ at: 1, kind: "success" } as const];
  const restored = parseRecordedState(formatRecordedState({ ...counted, recent }), rowOf(counted));
  expect(restored).toEqual({ ...counted, rates: {} });
  fc.assert(
    fc.property(states, (state) => {
      const recorded = parseRecordedState(formatRecordedState(state), rowOf(state));
      expect(recorded).toEqual(omitReported(state));
    }),
  );
});

test("a refusal of an action that version 0.1 does not know is stored where that version ignores it", () => {
  // The first refusal of a run is reported at once, and the second one waits.
  const refuseTwice = (
    before: IdentityState,
    action: "authenticator.removed" | "otp.verified",
    code: ErrorCode,
  ) => refuse(refuse(before, call, action, { code }).state, call, action, { code }).state;
  const refused = refuseTwice(buildIdentity(), "authenticator.removed", "authenticator_not_found");
  const state = refuseTwice(refused, "otp.verified", "user_locked");
  const text = formatRecordedState(state);
  expect(JSON.parse(text).refusals).toMatchObject([{ action: "otp.verified" }]);
  const actionsOf = ({ refusals }: IdentityState) =>
    refusals.map(({ action }) => action).toSorted();
  const both = ["authenticator.removed", "otp.verified"];
  expect(actionsOf(parseRecordedState(text, rowOf(state)))).toEqual(both);
  const stored = { ...state, ...splitRefusals(state.refusals) };
  expect(actionsOf(stored)).toEqual(["otp.verified"]);
  expect(actionsOf(parseState(stored))).toEqual(both);
});

test("a record keeps when a device was used last by the day, so that a login does not change it", () => {
  const [day, noon] = [86_400_000, 43_200_000];
  const usedAt = (lastUsedAt: number) => {
    const device = { ...exampleDevice, createdAt: 3 * day + 1, lastUsedAt };
    return formatRecordedState(buildIdentity({ devices: [device] }));
  };
  expect(usedAt(5 * day + noon)).toBe(usedAt(5 * day));
  expect(usedAt(6 * day)).not.toBe(usedAt(5 * day));
  const restored = parseRecordedState(usedAt(5 * day + noon), rowOf(buildIdentity()));
  expect(restored.devices).toMatchObject([{ lastUsedAt: 5 * day }]);
  const first = parseRecordedState(usedAt(3 * day + noon), rowOf(buildIdentity()));
  expect(first.devices).toMatchObject([{ createdAt: 3 * day + 1, lastUsedAt: 3 * day + 1 }]);
});

test("a record has no session of a refusal, because a session names an address", () => {
  const session = { assessmentId: "a", address: "192.0.2.1", agent: "Agent/1.0" };
  const refuseOnce = (state: IdentityState) =>
    refuse(state, { ...call, session }, "otp.verified", { code: "user_suspended" }).state;
  const state = refuseOnce(refuseOnce(buildIdentity({ status: "suspended" })));
  expect(parseState(JSON.parse(JSON.stringify(state)))).toEqual(state);
  expect(reportRefusals(state).entries).toMatchObject([
    { details: { assessment_id: "a" }, session: { address: "192.0.2.1", agent: "Agent/1.0" } },
  ]);
  expect(JSON.stringify(reportRefusals(state).state)).not.toContain("192.0.2.1");
  expect(formatRecordedState(state)).not.toContain("192.0.2.1");
});

test("the record of an older build, which holds the whole state, is parsed", () => {
  fc.assert(
    fc.property(states, (state) => {
      expect(parseRecordedState(JSON.stringify(state), rowOf(state))).toEqual(state);
    }),
  );
});

test("the form of a record does not change: D1 holds it for years", () => {
  const [spent, unspent] = ["a".repeat(64), "0".repeat(64)];
  const state: IdentityState = {
    ...buildIdentity(),
    totp: { sealed: "1.iv.box", lastTimeStep: 7 },
    backupCodes: { keyVersion: 3, unspent: [unspent, unspent], spent: [spent] },
    lockout: { ...buildIdentity().lockout, failedAttempts: 2, lockedUntil: 9 },
    auditKey: { id: "k", sealed: "2.iv.box" },
  };
  const recorded = JSON.stringify({
    form: 2,
    id: state.identityId,
    totp: { sealed: "1.iv.box", lastTimeStep: 7 },
    backupCodes: {
      keyVersion: 3,
      unspent:
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      spent: "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo",
    },
    auditKey: { id: "k", sealed: "2.iv.box" },
    lockout: { failedAttempts: 2 },
  });
  expect(formatRecordedState(state)).toBe(recorded);
  expect(parseRecordedState(recorded, rowOf(state))).toEqual(state);
});

test.each(["tenantId", "identityId"])(
  "a whole state of another %s causes a ForeignStateError",
  (field) => {
    const state = buildIdentity();
    const row = rowOf({ ...state, [field]: "0".repeat(24) });
    // The log shows only the name of the error. The message is for debugging.
    expect(() => parseRecordedState(JSON.stringify(state), row)).toThrow(
      expect.objectContaining({
        name: "ForeignStateError",
        message: "A stored state belongs to another identity",
      }),
    );
  },
);

test("a record that was copied to the row of another identity causes a ForeignStateError", () => {
  const state = buildIdentity();
  const row = rowOf({ ...state, identityId: "0".repeat(24) });
  expect(() => parseRecordedState(formatRecordedState(state), row)).toThrow(
    expect.objectContaining({ name: "ForeignStateError" }),
  );
});

/** Adds a field to every object, as a newer build may. */
function addFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(addFields);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([name, field]) => [name, addFields(field)]);
  return { ...Object.fromEntries(fields), addedLater: { by: "a newer build" } };
}

test("fields that a newer build has added are kept, in the guard and in the record", () => {
  fc.assert(
    fc.property(states, (state) => {
      const text = JSON.stringify(addFields(state));
      const parsed = parseState(JSON.parse(text));
      expect(JSON.parse(JSON.stringify(parsed))).toEqual(JSON.parse(text));
      expect(parseRecordedState(formatRecordedState(parsed), rowOf(parsed))).toEqual({
        ...omitReported(parsed),
        rates: {},
      });
    }),
  );
});

test("a state that an older build stored has no passkeys", () => {
  const { passkeys: _passkeys, ...older } = buildIdentity();
  expect(parseState(JSON.parse(JSON.stringify(older)))).toEqual(buildIdentity());
  const { form: _form, ...record } = JSON.parse(formatRecordedState(buildIdentity()));
  expect(record).not.toHaveProperty("passkeys");
});
