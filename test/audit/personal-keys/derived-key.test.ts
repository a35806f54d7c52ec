/** The key that seals personal parts needs two secrets, and each of them alone opens nothing. */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { deriveKey, parsePersonalKey } from "../../../src/audit/derived-key.ts";
import {
  type OpenAuditKey,
  openParts,
  resealParts,
  sealParts,
} from "../../../src/audit/personal.ts";
import { encodeUtf8, toHex } from "../../../src/crypto/bytes.ts";
import { keyOf } from "../../../src/crypto/keyring.ts";

const owner = { tenantId: "tenant", identityId: "identity" };
const person = { external_id: "someone", address: "192.0.2.1" };

function bytesOf(first: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 32 }, (_, n) => first + n);
}

function auditKeyOf(key: Uint8Array<ArrayBuffer>, id = "0123456789abcdef"): OpenAuditKey {
  return { id, keyring: { newest: 1, keys: new Map([[1, key]]) } };
}

const auditKey = auditKeyOf(bytesOf(1));
const dayKey = { day: 20_787, key: bytesOf(100) };

function rawOf({ keyring }: OpenAuditKey): string {
  return toHex(keyOf(keyring, 1));
}

describe("A derived key", () => {
  it("is that of HKDF with SHA-256 (RFC 5869), as another implementation computes it", async () => {
    const info = encodeUtf8("edge-idp personal parts of day 20787");
    const expected = hkdf(sha256, bytesOf(1), dayKey.key, info, 32);
    const derived = await deriveKey(auditKey, dayKey);
    expect(rawOf(derived)).toBe(toHex(expected));
    expect(derived.id).toBe("0123456789abcdef@20787");
  });

  it("differs for each audit key, each day key and each day", async () => {
    const keys = await Promise.all([
      deriveKey(auditKey, dayKey),
      deriveKey(auditKeyOf(bytesOf(2)), dayKey),
      deriveKey(auditKey, { ...dayKey, key: bytesOf(101) }),
      deriveKey(auditKey, { ...dayKey, day: dayKey.day + 1 }),
    ]);
    const raw = [...keys.map(rawOf), rawOf(auditKey), toHex(dayKey.key)];
    expect(new Set(raw).size).toBe(raw.length);
  });

  it("opens what neither the audit key nor the day key opens alone", async () => {
    const derived = await deriveKey(auditKey, dayKey);
    const { personal, personalDigest, personalKey } = await sealParts(derived, owner, person);
    const sealed = { personal, personalDigest };
    expect(personalKey).toBe(derived.id);
    expect(await openParts(derived, owner, sealed)).toMatchObject(person);
    const others = [
      auditKey,
      auditKeyOf(dayKey.key),
      await deriveKey(auditKeyOf(dayKey.key), dayKey),
      await deriveKey(auditKey, { ...dayKey, key: bytesOf(1) }),
      await deriveKey(auditKey, { ...dayKey, day: dayKey.day - 1 }),
    ];
    for (const other of others) expect(await openParts(other, owner, sealed)).toBeUndefined();
  });

  it("seals anew what waited under the audit key, with the same nonce and digest", async () => {
    const derived = await deriveKey(auditKey, dayKey);
    const before = await sealParts(auditKey, owner, person);
    const opened = await openParts(auditKey, owner, before);
    const after = await resealParts(auditKey, derived, owner, before);
    expect(after.personalKey).toBe(derived.id);
    expect(after.personalDigest).toBe(before.personalDigest);
    expect(await openParts(derived, owner, after)).toEqual(opened);
    expect(await openParts(auditKey, owner, after)).toBeUndefined();
    const broken = {
      ...before,
      personal: before.personal.replace(/.$/, (end) => (end === "A" ? "B" : "A")),
    };
    expect(await resealParts(auditKey, derived, owner, broken)).toEqual(broken);
  });
});

describe("The name of a key", () => {
  it("is the id of the audit key and the day, or the id alone", () => {
    expect(parsePersonalKey("0123456789abcdef@20787")).toEqual({
      auditKeyId: "0123456789abcdef",
      day: 20_787,
    });
    expect(parsePersonalKey("0123456789abcdef")).toEqual({
      auditKeyId: "0123456789abcdef",
      day: null,
    });
  });

  it.each([
    "0123456789abcdef@",
    "0123456789abcdef@-1",
    "0123456789abcdef@1e3",
    "@5",
    "a@05",
    "a@5@6",
  ])("that was altered to %s names no day, and no audit key", (name) => {
    expect(parsePersonalKey(name)).toEqual({ auditKeyId: name, day: null });
  });
});
