import fc from "fast-check";
import { Secret, TOTP } from "otpauth";
import { describe, expect, test } from "vitest";
import { computeHotp, importSecret } from "../../src/otp/hotp.ts";
import {
  maxDriftSteps,
  findTimeStep,
  periodSeconds,
  secretBytes,
  timeStepAt,
  totpCodePattern,
} from "../../src/otp/totp.ts";
import { codeFor } from "../support/authenticator.ts";
import vectors from "../vectors/otp.json";

async function stepOf(secret: Uint8Array<ArrayBuffer>, code: string, now: number) {
  return await findTimeStep(await importSecret(secret), code, now);
}

const periodMs = 30_000;
/** A step whose neighbours, two to each side, have five different codes. */
const step = 57_870_123;
const base32 = vectors.hotp.secret_base32;
const secret = new Uint8Array(new TextEncoder().encode(vectors.hotp.secret_ascii));

/** The code an authenticator shows in that step. */
function codeOf(at: number): string {
  return codeFor(base32, at * periodMs);
}

test("uses the numbers that every authenticator app reads", () => {
  expect({ periodSeconds, drift: maxDriftSteps, secretBytes }).toEqual({
    periodSeconds: 30,
    drift: 1,
    secretBytes: 20,
  });
});

test("has distinct codes around the step the window is tested with", () => {
  const codes = [-2, -1, 0, 1, 2].map((offset) => codeOf(step + offset));
  expect(new Set(codes).size).toBe(5);
});

describe("the window", () => {
  const instants = [
    { name: "first ms of the step", at: step * periodMs, present: step },
    { name: "second ms of the step", at: step * periodMs + 1, present: step },
    { name: "middle of the step", at: step * periodMs + 15_000, present: step },
    { name: "last ms of the step", at: (step + 1) * periodMs - 1, present: step },
    { name: "last ms of the step before", at: step * periodMs - 1, present: step - 1 },
    { name: "first ms of the step after", at: (step + 1) * periodMs, present: step + 1 },
  ];

  test.each(instants)("at the $name has T−1, T and T+1 in it", async ({ at, present }) => {
    expect(timeStepAt(at)).toBe(present);
    for (const offset of [-1, 0, 1]) {
      expect(await stepOf(secret, codeOf(present + offset), at)).toBe(present + offset);
    }
  });

  test.each(instants)("at the $name has neither T−2 nor T+2 in it", async ({ at, present }) => {
    for (const offset of [-2, 2]) {
      expect(await stepOf(secret, codeOf(present + offset), at)).toBeUndefined();
    }
  });

  test("opens for a code 1 ms after it was closed, and closes the same way", async () => {
    const code = codeOf(step);
    const opens = (step - 1) * periodMs;
    const closes = (step + 2) * periodMs;
    expect(await stepOf(secret, code, opens - 1)).toBeUndefined();
    expect(await stepOf(secret, code, opens)).toBe(step);
    expect(await stepOf(secret, code, closes - 1)).toBe(step);
    expect(await stepOf(secret, code, closes)).toBeUndefined();
  });
});

test.each([0, 1, 29_999])(
  "has no step before 0 in the window at %s ms after the epoch",
  async (now) => {
    expect(await stepOf(secret, codeOf(0), now)).toBe(0);
    expect(await stepOf(secret, codeOf(1), now)).toBe(1);
    expect(await stepOf(secret, codeOf(2), now)).toBeUndefined();
  },
);

test("still has step 0 in the window during step 1", async () => {
  expect(await stepOf(secret, codeOf(0), 59_999)).toBe(0);
  expect(await stepOf(secret, codeOf(0), 60_000)).toBeUndefined();
});

describe("a code that belongs to two steps", () => {
  // Found by search over the secret of RFC 4226: the first neighbours with one code.
  const earlier = 910_737;
  const code = "911617";

  test("is one in an independent implementation too", () => {
    expect([codeOf(earlier), codeOf(earlier + 1)]).toEqual([code, code]);
  });

  test.each([
    { present: earlier - 1, match: earlier },
    { present: earlier, match: earlier + 1 },
    { present: earlier + 1, match: earlier + 1 },
    { present: earlier + 2, match: earlier + 1 },
  ])("is taken for the newest in the window of $present", async ({ present, match }) => {
    expect(await stepOf(secret, code, present * periodMs)).toBe(match);
  });

  test("is taken for the newest when the step between them has another", async () => {
    const first = 153_567;
    expect([codeOf(first), codeOf(first + 2)]).toEqual(["468457", "468457"]);
    expect(await stepOf(secret, "468457", (first + 1) * periodMs)).toBe(first + 2);
  });
});

test("equals an independent implementation for any secret and time, and for no other secret", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: secretBytes, maxLength: secretBytes }),
      fc.integer({ min: 0, max: 8_640_000_000_000 }),
      fc.integer({ min: -3, max: 3 }),
      async (bytes, now, offset) => {
        const own = new Uint8Array(bytes);
        const totp = new TOTP({ secret: new Secret({ buffer: own.buffer }) });
        const shownIn = Math.max(0, timeStepAt(now) + offset);
        const code = totp.generate({ timestamp: shownIn * periodMs });
        // `validate` says how many steps away the nearest match is, or null.
        const delta = totp.validate({ token: code, timestamp: now, window: maxDriftSteps });
        const match = await stepOf(own, code, now);
        expect(match === undefined).toBe(delta === null);
        if (match !== undefined) {
          expect(Math.abs(match - timeStepAt(now))).toBeLessThanOrEqual(maxDriftSteps);
          expect(await computeHotp(await importSecret(own), match)).toBe(code);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test.each([
  ["six ASCII digits", "012345", true],
  ["five digits", "12345", false],
  ["seven digits", "1234567", false],
  ["nothing", "", false],
  ["a space before", " 123456", false],
  ["a space within", "123 456", false],
  ["a line end after", "123456\n", false],
  ["a sign", "+12345", false],
  ["an exponent", "1e1234", false],
  ["full-width digits", "１２３４５６", false],
  ["Arabic-Indic digits", "١٢٣٤٥٦", false],
])("looks like a code or not: %s", (_, text, isCode) => {
  expect(totpCodePattern.test(text)).toBe(isCode);
});

test("matches nothing that is not six digits of the window", async () => {
  const now = step * periodMs;
  const code = codeOf(step);
  for (const wrong of ["", code.slice(1), `${code}0`, `0${code}`, ` ${code}`]) {
    expect(await stepOf(secret, wrong, now)).toBeUndefined();
  }
});
