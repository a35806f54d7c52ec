import { base64urlnopad } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Keyring } from "../../src/crypto/keyring.ts";
import {
  type ChallengeFacts,
  createChallenge,
  openChallenge,
} from "../../src/passkeys/challenge.ts";
import { changedByte, editEncoded, editedText } from "./edits.ts";

const now = Date.UTC(2026, 10, 29, 12);

function keyOf(seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 32 }, (_, index) => (index * 7 + seed) % 256);
}

function keyringOf(...versions: readonly number[]): Keyring {
  return {
    newest: Math.max(...versions),
    keys: new Map(versions.map((version) => [version, keyOf(version)])),
  };
}

const keyring = keyringOf(1);
const facts: ChallengeFacts = {
  kind: "authentication",
  tenantId: "67c9000000000000000000aa",
  identityId: "6908bffd0000000000000001",
  rpId: "example.org",
  userVerification: "required",
};

describe("A challenge", () => {
  it("opens for its facts, with its time of issue and its own nonce", async () => {
    const challenges = [
      await createChallenge(keyring, facts, now),
      await createChallenge(keyring, facts, now),
    ];
    const opened = await Promise.all(
      challenges.map((one) => openChallenge(keyring, facts, one, now)),
    );
    expect(opened.map((one) => one?.issuedAt)).toEqual([now, now]);
    expect(opened[0]?.nonce).toMatch(/^[\w-]{22}$/);
    expect(opened[0]?.nonce).not.toBe(opened[1]?.nonce);
    expect(challenges[0]).toMatch(/^[\w-]{79}$/);
  });

  it("opens for no other facts", async () => {
    const others: Partial<ChallengeFacts>[] = [
      { kind: "registration" },
      { tenantId: "67c9000000000000000000ab" },
      { identityId: "6908bffd0000000000000002" },
      { identityId: null },
      { rpId: "example.com" },
      { userVerification: "preferred" },
    ];
    for (const other of others) {
      const changed = { ...facts, ...other };
      const challenge = await createChallenge(keyring, facts, now);
      expect(await openChallenge(keyring, changed, challenge, now)).toBeUndefined();
      const reverse = await createChallenge(keyring, changed, now);
      expect(await openChallenge(keyring, facts, reverse, now)).toBeUndefined();
      expect(await openChallenge(keyring, changed, reverse, now)).toBeDefined();
    }
  });

  it("opens from its issue until it expires, by clocks that differ a little", async () => {
    const challenge = await createChallenge(keyring, facts, now);
    const opensAt = async (at: number) =>
      (await openChallenge(keyring, facts, challenge, at)) !== undefined;
    expect(await opensAt(now + 5 * 60_000 - 1)).toBe(true);
    expect(await opensAt(now + 5 * 60_000)).toBe(false);
    expect(await opensAt(now - 30_000)).toBe(true);
    expect(await opensAt(now - 30_001)).toBe(false);
  });

  it("opens while its key is in the ring, and after a rotation", async () => {
    const challenge = await createChallenge(keyring, facts, now);
    const rotated = keyringOf(1, 2);
    expect(await openChallenge(rotated, facts, challenge, now)).toBeDefined();
    expect(await openChallenge(keyringOf(2), facts, challenge, now)).toBeUndefined();
    const newer = await createChallenge(rotated, facts, now);
    expect(await openChallenge(keyringOf(2), facts, newer, now)).toBeDefined();
    expect(await openChallenge(keyring, facts, newer, now)).toBeUndefined();
  });

  it("does not open under another key of the same version", async () => {
    const challenge = await createChallenge(keyring, facts, now);
    const other = { newest: 1, keys: new Map([[1, keyOf(99)]]) };
    expect(await openChallenge(other, facts, challenge, now)).toBeUndefined();
  });

  it("has the same form as in other builds, which may have issued it", async () => {
    // Computed with HKDF and HMAC of Python.
    const texts = [
      "AQAAAAMBoictJgAAAQIDBAUGBwgJCgsMDQ4P3LCQgPzPqKMsQmF1eJ7bf7-fB3i_h8Ojj09RR7dIQaI",
      "AgAAAAMBoictJgAAAQIDBAUGBwgJCgsMDQ4PLpTWgZ4hVaVnZen_v4kBG8SoM3vRWYuZovpRTk8SQ5M",
    ];
    const allFacts: ChallengeFacts[] = [
      { ...facts, kind: "registration" },
      { ...facts, identityId: null, userVerification: "preferred" },
    ];
    const issuedAt = 1_795_953_600_000;
    for (const [index, text] of texts.entries()) {
      const opened = await openChallenge(keyringOf(3), allFacts[index] ?? facts, text, issuedAt);
      expect(opened).toEqual({ nonce: "AAECAwQFBgcICQoLDA0ODw", issuedAt });
    }
  });

  it("keeps versions and times of any size", async () => {
    const far = Date.UTC(9999, 11, 31);
    const challenge = await createChallenge(keyringOf(999_999), facts, far);
    const opened = await openChallenge(keyringOf(999_999), facts, challenge, far);
    expect(opened?.issuedAt).toBe(far);
  });

  it("does not open with any byte or character changed", async () => {
    const challenge = await createChallenge(keyring, facts, now);
    const mutants = fc.oneof(
      changedByte.map((edit) => editEncoded(challenge, edit)),
      editedText.map((edit) => edit(challenge)),
    );
    await fc.assert(
      fc.asyncProperty(mutants, async (mutant) => {
        fc.pre(mutant !== challenge);
        expect(await openChallenge(keyring, facts, mutant, now)).toBeUndefined();
      }),
    );
  });

  it("is nothing else than what the service made", async () => {
    const texts = ["", "A", "é", base64urlnopad.encode(new Uint8Array(59)), "A".repeat(10_000)];
    for (const text of texts) {
      expect(await openChallenge(keyring, facts, text, now)).toBeUndefined();
    }
  });
});
