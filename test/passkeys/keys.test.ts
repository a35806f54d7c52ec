/** Public keys that a registration accepts, and signatures. */
import { base64urlnopad, hex } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CborValue } from "../../src/crypto/cbor.ts";
import { readPublicKey } from "../../src/passkeys/cose-key.ts";
import { readEcdsaSignature } from "../../src/passkeys/ecdsa-signature.ts";
import { isPoint } from "../../src/passkeys/ed25519-point.ts";
import { isUsableKey, verifySignature } from "../../src/passkeys/key-material.ts";
import { algorithms } from "../../src/passkeys/passkey.ts";
import {
  encodeCoseKey,
  encodeDer,
  encodeEdDsaKey,
  encodeEs256Key,
  encodeMap,
  encodeRs256Key,
} from "../support/passkey-encoding.ts";
import { createKeys, exportJwk, signMessage } from "../support/passkey-keys.ts";

async function isAccepted(cose: Uint8Array): Promise<boolean> {
  const key = readPublicKey(cose);
  return typeof key !== "string" && (await isUsableKey(key));
}

async function createCoseKey(algorithm: (typeof algorithms)[number]): Promise<Uint8Array> {
  return encodeCoseKey(algorithm, await exportJwk((await createKeys(algorithm)).publicKey));
}

const bytes32 = new Uint8Array(32).fill(1);
/** The base point of P-256 (SEC 2 §2.4.2) and of Ed25519 (RFC 8032 §5.1). */
const p256 = {
  x: hex.decode("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
  y: hex.decode("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
  prime: hex.decode("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
};
const ed25519 = hex.decode(`58${"66".repeat(31)}`);
const modulus = new Uint8Array(256).fill(0xff);
const exponent = new Uint8Array([1, 0, 1]);

function withByte(bytes: Uint8Array, index: number, byte: number): Uint8Array {
  const changed = new Uint8Array(bytes);
  changed.set([byte], index < 0 ? bytes.length + index : index);
  return changed;
}

const es256 = [
  [1, 2],
  [3, -7],
  [-1, 1],
  [-2, p256.x],
  [-3, p256.y],
] as const satisfies (readonly [CborValue, CborValue])[];

/** Keys that fit no algorithm. */
const unreadable: Readonly<Record<string, Uint8Array>> = {
  nothing: encodeMap(),
  "no map": new Uint8Array([0x80]),
  "no CBOR": new Uint8Array([0xff]),
  "no algorithm": encodeMap(...es256.filter(([label]) => label !== 3)),
  "keys in another order": encodeMap(...es256.toReversed()),
  "a further parameter": encodeMap(es256[0], [2, bytes32], ...es256.slice(1)),
  "bytes after it": new Uint8Array([...encodeMap(...es256), 0]),
  ES384: encodeMap([1, 2], [3, -35], [-1, 2], [-2, new Uint8Array(48)], [-3, new Uint8Array(48)]),
  ES512: encodeMap([1, 2], [3, -36], [-1, 3], [-2, new Uint8Array(66)], [-3, new Uint8Array(66)]),
  Ed448: encodeMap([1, 1], [3, -53], [-1, 7], [-2, new Uint8Array(57)]),
  "Ed448 as EdDSA": encodeMap([1, 1], [3, -8], [-1, 7], [-2, new Uint8Array(57)]),
  "Ed25519 by its newer number": encodeMap([1, 1], [3, -19], [-1, 6], [-2, ed25519]),
  PS256: encodeMap([1, 3], [3, -37], [-1, modulus], [-2, new Uint8Array([1, 0, 1])]),
  ES256K: encodeMap([1, 2], [3, -47], [-1, 8], [-2, bytes32], [-3, bytes32]),
  "ES256 on another curve": encodeMap([1, 2], [3, -7], [-1, 8], [-2, p256.x], [-3, p256.y]),
  "ES256 with a key of another type": encodeMap(
    [1, 1],
    [3, -7],
    [-1, 1],
    [-2, p256.x],
    [-3, p256.y],
  ),
  "ES256 with half a point": encodeMap([1, 2], [3, -7], [-1, 1], [-2, p256.x], [-3, true]),
  "ES256 with a short coordinate": encodeEs256Key(p256.x.subarray(1), p256.y),
  "ES256 with a long coordinate": encodeEs256Key(new Uint8Array([0, ...p256.x]), p256.y),
  "EdDSA with a key of another type": encodeMap([1, 2], [3, -8], [-1, 6], [-2, ed25519]),
  "EdDSA with a further parameter": encodeMap([1, 1], [3, -8], [-1, 6], [-2, ed25519], [-3, 1]),
  "EdDSA with a key that is no bytes": encodeMap([1, 1], [3, -8], [-1, 6], [-2, 1]),
  "RS256 with a key of another type": encodeMap([1, 2], [3, -257], [-1, modulus], [-2, exponent]),
  "RS256 with a further parameter": encodeMap(
    [1, 3],
    [3, -257],
    [-1, modulus],
    [-2, exponent],
    [-3, exponent],
  ),
  "RS256 with a modulus that is no bytes": encodeMap([1, 3], [3, -257], [-1, 1], [-2, exponent]),
  "RS256 with an exponent that is no bytes": encodeMap([1, 3], [3, -257], [-1, modulus], [-2, 1]),
  "EdDSA with a short key": encodeEdDsaKey(ed25519.subarray(1)),
  "RS256 with 2,047 bits": encodeRs256Key(withByte(modulus, 0, 0x7f)),
  "RS256 with 1,024 bits": encodeRs256Key(modulus.subarray(128)),
  "RS256 with 4,097 bits": encodeRs256Key(withByte(new Uint8Array(513).fill(0xff), 0, 1)),
  "RS256 with a leading zero": encodeRs256Key(new Uint8Array([0, ...modulus])),
  "RS256 with an even modulus": encodeRs256Key(withByte(modulus, -1, 0xfe)),
  "RS256 without a modulus": encodeRs256Key(new Uint8Array()),
  "RS256 with the exponent 3": encodeRs256Key(modulus, new Uint8Array([3])),
  "RS256 with the exponent 1": encodeRs256Key(modulus, new Uint8Array([1])),
  "RS256 with an exponent that begins with 0": encodeRs256Key(
    modulus,
    new Uint8Array([0, 1, 0, 1]),
  ),
};

/** Keys that fit their algorithm, but are no points. */
const noPoints: Readonly<Record<string, Uint8Array>> = {
  "ES256 off the curve": encodeEs256Key(p256.x, withByte(p256.y, -1, 0xf4)),
  "ES256 with the coordinates 0": encodeEs256Key(new Uint8Array(32), new Uint8Array(32)),
  "ES256 with a coordinate that is not reduced": encodeEs256Key(p256.prime, p256.y),
  "EdDSA off the curve": encodeEdDsaKey(withByte(new Uint8Array(32), 0, 2)),
  "EdDSA with a coordinate that is not reduced": encodeEdDsaKey(
    hex.decode(`f0${"ff".repeat(30)}7f`),
  ),
};

describe("A public key", () => {
  it.each(algorithms)("is accepted for the algorithm %i", async (algorithm) => {
    expect(await isAccepted(await createCoseKey(algorithm))).toBe(true);
  });

  it("is accepted at the bounds", async () => {
    expect(await isAccepted(encodeEs256Key(p256.x, p256.y))).toBe(true);
    expect(await isAccepted(encodeEdDsaKey(ed25519))).toBe(true);
    expect(await isAccepted(encodeRs256Key(withByte(modulus, 0, 0x80)))).toBe(true);
    expect(await isAccepted(encodeRs256Key(new Uint8Array(512).fill(0xff)))).toBe(true);
  });

  it.each(Object.entries(unreadable))("is refused with a sentence: %s", (_name, cose) => {
    expect(readPublicKey(cose)).toMatch(/^The key.*\.$/);
  });

  it.each(Object.entries(noPoints))("is refused: %s", async (_name, cose) => {
    expect(readPublicKey(cose)).toBeTypeOf("object");
    expect(await isAccepted(cose)).toBe(false);
  });

  it("is refused if it is of small order", async () => {
    const points = [
      "00".repeat(32),
      `01${"00".repeat(31)}`,
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      `ec${"ff".repeat(30)}7f`,
    ].map((text) => hex.decode(text));
    for (const point of points) {
      expect(isPoint(point)).toBe(true);
      expect(await isAccepted(encodeEdDsaKey(point))).toBe(false);
      const negative = withByte(point, 31, (point[31] ?? 0) | 0x80);
      expect(await isAccepted(encodeEdDsaKey(negative))).toBe(false);
    }
  });

  it("is a point of Ed25519 if it is some private key's, which about half of all texts are", async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => createKeys(-8)));
    for (const { publicKey } of keys) {
      const { x = "" } = await exportJwk(publicKey);
      expect(isPoint(base64urlnopad.decode(x))).toBe(true);
    }
    const points = Array.from({ length: 64 }, (_, n) => withByte(ed25519, 1, n)).filter(isPoint);
    expect(isPoint(hex.decode(`ed${"ff".repeat(30)}7f`))).toBe(false);
    expect(points.length).toBeGreaterThan(16);
    expect(points.length).toBeLessThan(48);
  });
});

describe("A signature", () => {
  it.each(algorithms)("fits its key and message only (%i)", async (algorithm) => {
    const keys = await createKeys(algorithm);
    const key = readPublicKey(encodeCoseKey(algorithm, await exportJwk(keys.publicKey)));
    const other = readPublicKey(await createCoseKey(algorithm));
    if (typeof key === "string" || typeof other === "string") throw new TypeError("Not a key");
    const message = new Uint8Array([1, 2, 3]);
    const signature = await signMessage(algorithm, keys.privateKey, message);
    expect(await verifySignature(key, signature, message)).toBe(true);
    expect(await verifySignature(key, signature, new Uint8Array([1, 2, 4]))).toBe(false);
    expect(await verifySignature(other, signature, message)).toBe(false);
    for (const wrong of [signature.slice(1), signature.slice(0, -1), new Uint8Array()]) {
      expect(await verifySignature(key, wrong, message)).toBe(false);
    }
  });

  const one = "01";
  const full = `00ff${"01".repeat(31)}`;
  const integer = (content: string) =>
    `02${(content.length / 2).toString(16).padStart(2, "0")}${content}`;
  const sequence = (content: string) =>
    `30${(content.length / 2).toString(16).padStart(2, "0")}${content}`;

  it("of ECDSA is DER of two positive numbers", () => {
    const read = (text: string) => readEcdsaSignature(hex.decode(text));
    expect(read(sequence(integer(one) + integer(full)))).toEqual(
      hex.decode(`${"00".repeat(31)}01ff${"01".repeat(31)}`),
    );
    expect(read(sequence(integer("7f") + integer("0080")))).toEqual(
      hex.decode(`${"00".repeat(31)}7f${"00".repeat(31)}80`),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (raw) => {
        const isZero = [raw.subarray(0, 32), raw.subarray(32)].some((half) =>
          half.every((byte) => byte === 0),
        );
        expect(readEcdsaSignature(encodeDer(raw))).toEqual(isZero ? undefined : raw);
      }),
    );
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["a sequence of nothing", "3000"],
    ["one number", sequence(integer(one))],
    ["three numbers", sequence(integer(one).repeat(3))],
    ["bytes after it", `${sequence(integer(one).repeat(2))}00`],
    ["bytes after it, within the sequence", sequence(`${integer(one).repeat(2)}00`)],
    ["a sequence that ends early", sequence(integer(one).repeat(2)).slice(0, -2)],
    ["a number that ends early", "300602010102024f"],
    ["another tag", `31${sequence(integer(one).repeat(2)).slice(2)}`],
    ["another tag of a number", sequence(`03${integer(one).slice(2)}${integer(one)}`)],
    ["a length in two bytes", `3081${sequence(integer(one).repeat(2)).slice(2)}`],
    ["an indefinite length", "3080020101020101" + "0000"],
    ["a length of a number in two bytes", sequence(`02810101${integer(one)}`)],
    ["the number 0", sequence(integer("00") + integer(one))],
    ["the number 0 second", sequence(integer(one) + integer("00"))],
    ["a number that is negative by one bit", sequence(integer(one) + integer("80"))],
    ["a needless zero before 0x7f", sequence(integer("007f") + integer(one))],
    ["a negative number", sequence(integer(one) + integer("ff"))],
    ["a needless zero", sequence(integer("0001") + integer(one))],
    ["a number without digits", sequence(integer("") + integer(one))],
    ["a number of 33 bytes", sequence(integer("01".repeat(33)) + integer(one))],
    ["a number of 34 bytes", sequence(integer(`00${"ff".repeat(33)}`) + integer(one))],
  ])("of ECDSA is refused with %s", (_name, text) => {
    expect(readEcdsaSignature(hex.decode(text))).toBeUndefined();
  });
});
