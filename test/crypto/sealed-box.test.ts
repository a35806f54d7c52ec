import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Keyring, MissingKeyError } from "../../src/crypto/keyring.ts";
import type { SealContext } from "../../src/crypto/seal-context.ts";
import { BrokenSealError, reseal, seal, unseal, versionOf } from "../../src/crypto/sealed-box.ts";

function generateKey(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(32));
}

function keyringOf(...entries: readonly (readonly [number, Uint8Array<ArrayBuffer>])[]): Keyring {
  return { newest: Math.max(...entries.map(([version]) => version)), keys: new Map(entries) };
}

function encodeBase64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

const first = generateKey();
const second = generateKey();
const keyring = keyringOf([1, first]);
const context: SealContext = {
  tenantId: "0123456789abcdef01234567",
  identityId: "89abcdef0123456789abcdef",
  purpose: "totp_secret",
};
const secret = Uint8Array.from({ length: 20 }, (_, index) => index * 7);

/** Seals without the code under test, so that a test can vary each part of the associated data. */
async function sealIndependently(
  key: Uint8Array<ArrayBuffer>,
  parts: readonly string[],
  version = "1",
): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const ciphertext = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(parts.join("\0")) },
    imported,
    secret,
  );
  return `${version}.${encodeBase64url(iv)}.${encodeBase64url(new Uint8Array(ciphertext))}`;
}

test("unseals any bytes that were sealed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
      const plaintext = new Uint8Array(bytes);
      const opened = await unseal(keyring, context, await seal(keyring, context, plaintext));
      expect(opened).toEqual(plaintext);
    }),
  );
});

test("the key version of a box can be read, and is undefined for other text", async () => {
  const both = keyringOf([1, first], [12, second]);
  expect(versionOf(await seal(both, context, secret))).toBe(12);
  expect(versionOf(await seal(keyring, context, secret))).toBe(1);
  expect(versionOf("not a box")).toBeUndefined();
});

test("a box that is sealed anew is under the newest key, and does not change if it was already", async () => {
  const both = keyringOf([1, first], [2, second]);
  const renewed = await reseal(both, context, await seal(keyring, context, secret));
  expect(versionOf(renewed)).toBe(2);
  expect(await unseal(keyringOf([2, second]), context, renewed)).toEqual(secret);
  expect(await reseal(both, context, renewed)).toBe(renewed);
});

test("a box is AES-256-GCM with tenant, identity, purpose and key version as associated data", async () => {
  const { tenantId, identityId, purpose } = context;
  const box = await sealIndependently(first, [tenantId, identityId, purpose, "1"]);
  expect(await unseal(keyring, context, box)).toEqual(secret);
});

test("a box does not contain the plaintext", async () => {
  const box = await seal(keyring, context, secret);
  expect(box).toMatch(/^1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{48}$/);
  expect(box).not.toContain(encodeBase64url(secret));
});

test("each box has a new IV, so that equal secrets give different boxes", async () => {
  const boxes = await Promise.all(
    Array.from({ length: 200 }, () => seal(keyring, context, secret)),
  );
  expect(new Set(boxes.map((box) => box.split(".")[1])).size).toBe(200);
  expect(new Set(boxes.map((box) => box.split(".")[2])).size).toBe(200);
});

describe("a box cannot be unsealed", () => {
  test.each([
    ["another tenant", { ...context, tenantId: "0123456789abcdef01234568" }],
    ["another identity", { ...context, identityId: "89abcdef0123456789abcdee" }],
    [
      "a swapped tenant and identity",
      { ...context, tenantId: context.identityId, identityId: context.tenantId },
    ],
  ])("for %s", async (_, other) => {
    const box = await seal(keyring, context, secret);
    expect(await unseal(keyring, context, box)).toEqual(secret);
    await expect(unseal(keyring, other, box)).rejects.toThrow(BrokenSealError);
  });

  test.each([
    ["purpose", ["webauthn_secret", "1"]],
    ["key version", ["totp_secret", "2"]],
  ])("when it was sealed for another %s", async (_, [purpose = "", version = ""]) => {
    const { tenantId, identityId } = context;
    const box = await sealIndependently(first, [tenantId, identityId, purpose, version]);
    await expect(unseal(keyring, context, box)).rejects.toThrow(BrokenSealError);
  });

  test("under another key of the same version", async () => {
    const box = await seal(keyring, context, secret);
    await expect(unseal(keyringOf([1, second]), context, box)).rejects.toThrow(BrokenSealError);
    // The log shows only the name of the error.
    await expect(unseal(keyringOf([1, second]), context, box)).rejects.toMatchObject({
      name: "BrokenSealError",
    });
  });

  test("when it claims another version in the keyring, even one with the same key", async () => {
    const box = await seal(keyring, context, secret);
    const both = keyringOf([1, first], [2, new Uint8Array(first)]);
    await expect(unseal(both, context, box.replace(/^1/, "2"))).rejects.toThrow(BrokenSealError);
  });

  test("when any one bit of IV, ciphertext or tag is flipped", async () => {
    const box = await seal(keyring, context, secret);
    const [version, ...encoded] = box.split(".");
    const parts = encoded.map((part) =>
      Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (character) =>
        character.charCodeAt(0),
      ),
    );
    expect(parts.map(({ length }) => length)).toEqual([12, secret.length + 16]);
    for (const [index, part] of parts.entries()) {
      for (let bit = 0; bit < part.length * 8; bit += 1) {
        const flipped = parts.map((bytes) => new Uint8Array(bytes));
        const target = flipped[index] ?? part;
        target[bit >> 3] = (target[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const altered = [version, ...flipped.map(encodeBase64url)].join(".");
        await expect(unseal(keyring, context, altered)).rejects.toThrow(BrokenSealError);
      }
    }
  });

  test("when any one character is replaced", async () => {
    const box = await seal(keyring, context, secret);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(box.length - 1),
        fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
        async (index, character) => {
          fc.pre(box[index] !== character);
          const altered = box.slice(0, index) + character + box.slice(index + 1);
          await expect(unseal(keyring, context, altered)).rejects.toThrow();
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    ["no text", () => ""],
    ["only a version", () => "1"],
    ["no ciphertext", (box: string) => box.split(".").slice(0, 2).join(".")],
    ["an empty IV", (box: string) => box.replace(/\.[^.]+\./, "..")],
    ["an empty ciphertext", (box: string) => box.replace(/[^.]+$/, "")],
    ["a truncated tag", (box: string) => box.slice(0, -4)],
    ["a truncated IV", (box: string) => box.replace(/\.[^.]{4}/, ".")],
    ["padding", (box: string) => `${box}=`],
    ["IV and ciphertext swapped", (box: string) => box.replace(/\.(.+)\.(.+)/, ".$2.$1")],
  ])("when it has %s", async (_, altered) => {
    const box = await seal(keyring, context, secret);
    await expect(unseal(keyring, context, altered(box))).rejects.toThrow(BrokenSealError);
  });

  test("when it has a fourth part", async () => {
    const box = await seal(keyring, context, secret);
    await expect(unseal(keyring, context, `${box}.AAAA`)).rejects.toThrow(BrokenSealError);
  });

  test("when its version is spelled in another way", async () => {
    const box = await seal(keyring, context, secret);
    for (const spelling of ["01", " 1", "1 ", "+1", "1e0", "0x1", "0b1"]) {
      await expect(unseal(keyring, context, box.replace(/^1/, spelling))).rejects.toThrow();
    }
  });
});

describe("after a new key was added to the keyring", () => {
  const both = keyringOf([1, first], [2, second]);

  test("old boxes can still be unsealed", async () => {
    const box = await seal(keyring, context, secret);
    expect(await unseal(both, context, box)).toEqual(secret);
  });

  test("new boxes are sealed under the newest key", async () => {
    const box = await seal(both, context, secret);
    expect(box).toMatch(/^2\./);
    expect(await unseal(both, context, box)).toEqual(secret);
    expect(await unseal(keyringOf([2, second]), context, box)).toEqual(secret);
  });

  test("a key that was removed too early causes a MissingKeyError, not a BrokenSealError", async () => {
    const box = await seal(keyring, context, secret);
    await expect(unseal(keyringOf([2, second]), context, box)).rejects.toThrow(MissingKeyError);
  });

  test("a keyring that lacks its newest key causes a MissingKeyError", async () => {
    const broken: Keyring = { newest: 2, keys: new Map([[1, first]]) };
    await expect(seal(broken, context, secret)).rejects.toThrow(MissingKeyError);
  });
});
