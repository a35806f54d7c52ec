import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeUtf8, joinParts, toHex } from "../../src/crypto/bytes.ts";
import { hmacSha256Of, sha256HexOf, sha256Of } from "../../src/crypto/digest.ts";

function repeatByte(byte: number, times: number): Uint8Array {
  return new Uint8Array(times).fill(byte);
}

describe("SHA-256 (examples from FIPS 180)", () => {
  test.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ])("hashes %j", (text, digest) => {
    expect(sha256HexOf(text)).toBe(digest);
    expect(toHex(sha256Of(encodeUtf8(text)))).toBe(digest);
  });
});

describe("HMAC-SHA-256 (RFC 4231)", () => {
  const large = "Test Using Larger Than Block-Size Key - Hash Key First";
  const larger =
    "This is a test using a larger than block-size key and a larger than block-size data. " +
    "The key needs to be hashed before being used by the HMAC algorithm.";
  test.each([
    {
      section: "4.2",
      key: repeatByte(0x0b, 20),
      data: encodeUtf8("Hi There"),
      mac: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    },
    {
      section: "4.3",
      key: encodeUtf8("Jefe"),
      data: encodeUtf8("what do ya want for nothing?"),
      mac: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    },
    {
      section: "4.4",
      key: repeatByte(0xaa, 20),
      data: repeatByte(0xdd, 50),
      mac: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    },
    {
      section: "4.5",
      key: Uint8Array.from({ length: 25 }, (_, index) => index + 1),
      data: repeatByte(0xcd, 50),
      mac: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    },
    {
      section: "4.7",
      key: repeatByte(0xaa, 131),
      data: encodeUtf8(large),
      mac: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    },
    {
      section: "4.8",
      key: repeatByte(0xaa, 131),
      data: encodeUtf8(larger),
      mac: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    },
  ])("matches the test case in section $section", ({ key, data, mac }) => {
    expect(toHex(hmacSha256Of(key, data))).toBe(mac);
  });
});

test("agrees with WebCrypto for any key and data", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.uint8Array({ maxLength: 300 }),
      async (key, data) => {
        const imported = await crypto.subtle.importKey(
          "raw",
          new Uint8Array(key),
          { name: "HMAC", hash: "SHA-256" },
          false,
          ["sign"],
        );
        const mac = await crypto.subtle.sign("HMAC", imported, new Uint8Array(data));
        expect(hmacSha256Of(key, data)).toEqual(new Uint8Array(mac));
        const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(data));
        expect(sha256Of(data)).toEqual(new Uint8Array(digest));
      },
    ),
  );
});

test("encodes text as UTF-8", () => {
  expect(toHex(encodeUtf8("aé€😀"))).toBe("61c3a9e282acf09f9880");
  expect(sha256HexOf("é")).toBe(sha256HexOf(new Uint8Array([0xc3, 0xa9])));
});

test("joins parts with one NUL byte", () => {
  expect(toHex(joinParts("a", "", "b"))).toBe("61000062");
  expect(toHex(joinParts("a"))).toBe("61");
});

test("joins different lists of NUL-free parts to different bytes", () => {
  const parts = fc.array(fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 2 }), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(parts, parts, (left, right) => {
      const isSame = JSON.stringify(left) === JSON.stringify(right);
      expect(toHex(joinParts(...left)) === toHex(joinParts(...right))).toBe(isSame);
    }),
    { numRuns: 1_000 },
  );
});
