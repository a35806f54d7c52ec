import { hex } from "@scure/base";
import { describe, expect, it } from "vitest";
import { isSignedBy } from "../../src/crypto/signature.ts";

/** The points of small order, with each spelling of their y. The last bit of a key is the sign of x. */
const smallOrderKeys = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
].flatMap((text) => [
  hex.decode(text),
  hex.decode(text).map((byte, n) => byte ^ (n < 31 ? 0 : 0x80)),
]);

describe("A signature", () => {
  it("is not valid under a key of small order, whose signatures fit any message", async () => {
    const accepted = new Set<string>();
    for (const key of smallOrderKeys) {
      for (const point of smallOrderKeys) {
        // S is 0, so that R and the key alone decide.
        const signature = new Uint8Array([...point, ...new Uint8Array(32)]);
        for (let message = 0; message < 8; message += 1) {
          const isValid = await isSignedBy(
            new Uint8Array(key),
            signature,
            new Uint8Array([message]),
          );
          if (isValid) accepted.add(hex.encode(key));
        }
      }
    }
    expect([...accepted]).toEqual([]);
  });
});
