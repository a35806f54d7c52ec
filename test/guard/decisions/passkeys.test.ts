/** The decisions on passkeys, with evidence that was gathered before. */
import { describe, expect, test } from "vitest";
import {
  authenticatePasskey,
  type PasskeyEvidence,
} from "../../../src/guard/decisions/authenticate-passkey.ts";
import { stale } from "../../../src/guard/decisions/evaluation.ts";
import { noPasskeys, type PasskeyState } from "../../../src/guard/decisions/passkey-state.ts";
import { removePasskey } from "../../../src/guard/decisions/passkeys.ts";
import {
  findRegistrationRefusal,
  registerPasskey,
  unclaimed,
} from "../../../src/guard/decisions/register-passkey.ts";
import {
  isUnspent,
  raiseFloor,
  spendChallenge,
} from "../../../src/guard/decisions/spent-challenges.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import { buildIdentity, call, callAt, examplePasskey, minute, now } from "./example.ts";

const challengeAt = (issuedAt: number, nonce = `nonce-${issuedAt}`) => ({ nonce, issuedAt });

function buildOwner(passkeys: Partial<PasskeyState> = {}, changes: Partial<IdentityState> = {}) {
  const credentials = [examplePasskey];
  return buildIdentity({
    createdAt: now - 60 * minute,
    totp: null,
    passkeys: { ...noPasskeys, credentials, ...passkeys },
    ...changes,
  });
}

describe("A challenge", () => {
  const spend = (passkeys: PasskeyState, times: readonly number[], at = now) =>
    times.reduce((state, time) => spendChallenge(state, challengeAt(time), at), passkeys);
  const isUsable = (passkeys: PasskeyState | null, time: number) =>
    isUnspent(buildIdentity({ createdAt: now - 60 * minute, passkeys }), challengeAt(time));
  const times = (count: number, from: number) => Array.from({ length: count }, (_, n) => from + n);

  test("is spent once, and others stay usable", () => {
    const passkeys = spend(noPasskeys, [now - 10]);
    expect(isUsable(passkeys, now - 10)).toBe(false);
    expect(isUsable(passkeys, now - 11)).toBe(true);
    expect(isUsable(passkeys, now)).toBe(true);
  });

  test("of the same instant is another one", () => {
    const passkeys = spendChallenge(noPasskeys, challengeAt(now, "a"), now);
    const state = buildIdentity({ passkeys });
    expect(isUnspent(state, challengeAt(now, "a"))).toBe(false);
    expect(isUnspent(state, challengeAt(now, "b"))).toBe(true);
  });

  test("is never usable again once 32 newer ones were spent, in whatever order", () => {
    for (const order of [times(33, now - 100), times(33, now - 100).toReversed()]) {
      const passkeys = spend(noPasskeys, order);
      expect(passkeys.spent).toHaveLength(32);
      expect(passkeys.floor).toBe(now - 100);
      for (const time of order) expect(isUsable(passkeys, time)).toBe(false);
      expect(isUsable(passkeys, now - 101)).toBe(false);
      expect(isUsable(passkeys, now - 67)).toBe(true);
    }
  });

  test("that has expired is not kept, and stays refused for a request that runs late", () => {
    const passkeys = spend(spend(noPasskeys, [now]), [now + 6 * minute], now + 6 * minute);
    expect(passkeys.spent).toEqual([challengeAt(now + 6 * minute)]);
    expect(isUsable(passkeys, now)).toBe(false);
  });

  test("that was issued up to a rise of the floor is refused, also by a clock that is ahead", () => {
    const ahead = spend(noPasskeys, [now + 100, now - 100]);
    const raised = raiseFloor(ahead, now);
    expect(raised).toEqual({ ...noPasskeys, spent: [challengeAt(now + 100)], floor: now });
    expect(isUsable(raised, now)).toBe(false);
    expect(isUsable(raised, now + 100)).toBe(false);
    expect(isUsable(raised, now + 1)).toBe(true);
    expect(raiseFloor(raised, now - minute).floor).toBe(now);
    expect(raiseFloor(null, now)).toEqual({ ...noPasskeys, floor: now });
  });

  test("of an earlier life of the identity is refused", () => {
    const state = buildIdentity({ createdAt: now });
    expect(isUnspent(state, challengeAt(now - 1))).toBe(false);
    expect(isUnspent(state, challengeAt(now))).toBe(true);
  });
});

describe("A registration", () => {
  const hashes = ["a".repeat(64)];
  const factors: readonly (readonly [string, Partial<IdentityState>])[] = [
    ["TOTP", { totp: { sealed: "s", lastTimeStep: null } }],
    ["a disabled TOTP", { totp: { sealed: "s", lastTimeStep: null }, otpDisabled: true }],
    ["backup codes", { backupCodes: { keyVersion: 1, unspent: hashes, spent: [] } }],
    ["a passkey", { passkeys: { ...noPasskeys, credentials: [examplePasskey] } }],
  ];
  const bare: Partial<IdentityState> = { totp: null };

  test.each(factors)("with %s needs a recent verification", (_factor, factor) => {
    const refusalAt = (lastVerifiedAt: number | null) =>
      findRegistrationRefusal(buildIdentity({ ...bare, ...factor, lastVerifiedAt }), now, 600)
        ?.code;
    expect(refusalAt(null)).toBe("verification_required");
    expect(refusalAt(now - 600_001)).toBe("verification_required");
    expect(refusalAt(now - 600_000)).toBeUndefined();
    expect(refusalAt(now)).toBeUndefined();
  });

  test.each([
    ["nothing", {}],
    ["a pending secret", { pendingTotp: { sealed: "s", expiresAt: now + minute } }],
    ["spent backup codes", { backupCodes: { keyVersion: 1, unspent: [], spent: hashes } }],
    ["no passkey left", { passkeys: { ...noPasskeys, floor: now } }],
  ])("with %s needs none", (_factor, factor) => {
    expect(
      findRegistrationRefusal(buildIdentity({ ...bare, ...factor }), now, 600),
    ).toBeUndefined();
  });

  test("gives a passkey without a name one that no other has", () => {
    const nameAfter = (...names: readonly string[]) => {
      const credentials = names.map((name, n) => ({ ...examplePasskey, id: `${n}`, name }));
      const passkeys = { ...noPasskeys, credentials };
      const owner = buildIdentity({ ...bare, passkeys, lastVerifiedAt: now });
      const { id: passkeyId, claimId, rpId } = examplePasskey;
      const verified = { ok: true, value: examplePasskey } as const;
      const evidence = { passkeyId, name: null, rpId, challenge: challengeAt(now), verified };
      const registered = registerPasskey(owner, call, evidence, 600, claimId);
      if (registered === unclaimed || !registered.result.ok) throw new Error("Not registered");
      return registered.result.value.name;
    };
    expect(nameAfter()).toBe("Passkey 1");
    expect(nameAfter("My phone")).toBe("Passkey 2");
    expect(nameAfter("Passkey 2")).toBe("Passkey 3");
    expect(nameAfter("Passkey 3", "Passkey 4")).toBe("Passkey 5");
  });

  test("changes nothing before the passkey is claimed, and spends its challenge with it", () => {
    const { id: passkeyId, claimId, rpId } = examplePasskey;
    const challenge = challengeAt(now);
    const verified = { ok: true, value: examplePasskey } as const;
    const evidence = { passkeyId, name: null, rpId, challenge, verified };
    const state = buildIdentity(bare);
    expect(registerPasskey(state, call, evidence, 600, null)).toBe(unclaimed);
    const registered = registerPasskey(state, call, evidence, 600, claimId);
    if (registered === unclaimed) throw new Error("Not registered");
    expect(registered.state.passkeys).toEqual({
      credentials: [{ ...examplePasskey, createdAt: now }],
      spent: [challenge],
      floor: 0,
    });
    const verifiedOwner = { ...registered.state, lastVerifiedAt: now };
    const again = registerPasskey(verifiedOwner, call, evidence, 600, claimId);
    expect(again).toMatchObject({ result: { error: { reason: "challenge" } } });
    const other = { ...evidence, challenge: challengeAt(now, "other") };
    const double = registerPasskey(verifiedOwner, call, other, 600, claimId);
    expect(double).toMatchObject({ result: { error: { code: "passkey_exists" } } });
  });
});

describe("A login", () => {
  const assertion = { userVerified: true, signCount: 2, backedUp: false };
  const evidence: PasskeyEvidence = {
    passkey: examplePasskey,
    challenge: challengeAt(now),
    verified: { ok: true, value: assertion },
  };
  const logIn = (state: IdentityState, changes: Partial<PasskeyEvidence> = {}, at = now) =>
    authenticatePasskey(state, callAt(at), examplePasskey.credentialId, {
      ...evidence,
      ...changes,
    });

  test("with evidence of an earlier registration of the passkey is evaluated again", () => {
    const credentials = [{ ...examplePasskey, claimId: "another" }];
    expect(logIn(buildOwner({ credentials }))).toBe(stale);
    expect(authenticatePasskey(buildOwner(), call, examplePasskey.credentialId, undefined)).toBe(
      stale,
    );
  });

  test("changes the passkey and the last verification, and no failure of codes", () => {
    const lockout = { ...buildIdentity().lockout, failedAttempts: 3, lockedUntil: now + minute };
    const accepted = logIn(buildOwner({}, { lockout, lastMethod: "totp" }));
    expect(accepted).toMatchObject({
      result: { ok: true, value: { userVerified: true, externalId: "ORG_USR_9921_AFG" } },
      state: {
        lockout,
        lastMethod: "totp",
        lastVerifiedAt: now,
        recent: [{ at: now, kind: "success" }],
        passkeys: {
          credentials: [{ ...examplePasskey, signCount: 2, lastUsedAt: now }],
          spent: [challengeAt(now)],
        },
      },
    });
  });

  test("that is rejected spends nothing", () => {
    const verified = { ok: false, reason: "signature", detail: "It does not fit." } as const;
    const before = buildOwner();
    const rejected = logIn(before, { verified });
    expect(rejected).toMatchObject({
      entries: [{ action: "passkey.verified", outcome: "failure", reason: "signature" }],
      result: { error: { code: "invalid_passkey", reason: "signature" } },
      state: { passkeys: before.passkeys, lockout: before.lockout, lastVerifiedAt: null },
    });
  });

  test("that was started before the removal of another passkey is refused", () => {
    const other = { ...examplePasskey, id: "other", credentialId: "other" };
    const owner = buildOwner({ credentials: [examplePasskey, other] });
    const { state, releasedClaims } = removePasskey(owner, call, "other");
    expect(releasedClaims).toEqual([{ passkeyId: "other", claimId: examplePasskey.claimId }]);
    expect(logIn(state)).toMatchObject({
      entries: [{ outcome: "refused", reason: "challenge" }],
      result: { error: { reason: "challenge" } },
    });
    expect(logIn(state, { challenge: challengeAt(now + 1) })).toMatchObject({
      result: { ok: true },
    });
  });
});
