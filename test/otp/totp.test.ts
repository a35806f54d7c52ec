import fc from "fast-check";
import { Secret, TOTP } from "otpauth";
import { describe, expect, test } from "vitest";
import { computeHotp, importSecret } from "../../src/otp/hotp.ts";
import {
  defaultParameters,
  defaultWindowSteps,
  findDistantStep,
  findTimeStep,
  importTotpSecret,
  maxPeriodSeconds,
  minPeriodSeconds,
  secretBytes,
  timeStepOf,
  totpAlgorithms,
  totpCodePattern,
} from "../../src/otp/totp.ts";
import { codeFor } from "../support/authenticator.ts";
import vectors from "../vectors/otp.json";

async function findStep(secret: Uint8Array<ArrayBuffer>, code: string, now: number) {
  return await findTimeStep(await importSecret(secret), code, now);
}

const periodMs = 30_000;
/** This step and its two neighbours on each side have five different codes. */
const step = 57_870_123;
const base32 = vectors.hotp.secret_base32;
const secret = new Uint8Array(new TextEncoder().encode(vectors.hotp.secret_ascii));

/** The code that an authenticator shows in a time step. */
function codeOf(timeStep: number): string {
  return codeFor(base32, timeStep * periodMs);
}

test("uses the parameters that every authenticator app supports", () => {
  expect(defaultParameters).toEqual({ algorithm: "SHA1", digits: 6, period: 30 });
  expect(defaultWindowSteps).toBe(1);
  expect(secretBytes).toEqual({ SHA1: 20, SHA256: 32, SHA512: 64 });
});

test("the steps with which the window is tested have distinct codes", () => {
  const codes = [-2, -1, 0, 1, 2].map((offset) => codeOf(step + offset));
  expect(new Set(codes).size).toBe(5);
});

describe("the window", () => {
  const instants = [
    { name: "first ms of the step", at: step * periodMs, present: step },
    { name: "second ms of the step", at: step * periodMs + 1, present: step },
    { name: "middle of the step", at: step * periodMs + 15_000, present: step },
    { name: "last ms of the step", at: (step + 1) * periodMs - 1, present: step },
    { name: "last ms of the previous step", at: step * periodMs - 1, present: step - 1 },
    { name: "first ms of the next step", at: (step + 1) * periodMs, present: step + 1 },
  ];

  test.each(instants)("contains T−1, T and T+1 at the $name", async ({ at, present }) => {
    expect(timeStepOf(at)).toBe(present);
    for (const offset of [-1, 0, 1]) {
      expect(await findStep(secret, codeOf(present + offset), at)).toBe(present + offset);
    }
  });

  test.each(instants)("contains neither T−2 nor T+2 at the $name", async ({ at, present }) => {
    for (const offset of [-2, 2]) {
      expect(await findStep(secret, codeOf(present + offset), at)).toBeUndefined();
    }
  });

  test("opens and closes for a code from one millisecond to the next", async () => {
    const code = codeOf(step);
    const opens = (step - 1) * periodMs;
    const closes = (step + 2) * periodMs;
    expect(await findStep(secret, code, opens - 1)).toBeUndefined();
    expect(await findStep(secret, code, opens)).toBe(step);
    expect(await findStep(secret, code, closes - 1)).toBe(step);
    expect(await findStep(secret, code, closes)).toBeUndefined();
  });
});

test.each([0, 1, 29_999])("the window begins with step 0 at %s ms after the epoch", async (now) => {
  expect(await findStep(secret, codeOf(0), now)).toBe(0);
  expect(await findStep(secret, codeOf(1), now)).toBe(1);
  expect(await findStep(secret, codeOf(2), now)).toBeUndefined();
});

test("the window still contains step 0 during step 1", async () => {
  expect(await findStep(secret, codeOf(0), 59_999)).toBe(0);
  expect(await findStep(secret, codeOf(0), 60_000)).toBeUndefined();
});

describe("a code that belongs to two steps", () => {
  // A search with the secret of RFC 4226 found these first neighbours with equal codes.
  const earlier = 910_737;
  const code = "911617";

  test("belongs to the same two steps in an independent implementation", () => {
    expect([codeOf(earlier), codeOf(earlier + 1)]).toEqual([code, code]);
  });

  test.each([
    { present: earlier - 1, match: earlier },
    { present: earlier, match: earlier + 1 },
    { present: earlier + 1, match: earlier + 1 },
    { present: earlier + 2, match: earlier + 1 },
  ])("matches the newest of its steps in the window of $present", async ({ present, match }) => {
    expect(await findStep(secret, code, present * periodMs)).toBe(match);
  });

  test("matches the newest step when the step between them has another code", async () => {
    const first = 153_567;
    expect([codeOf(first), codeOf(first + 2)]).toEqual(["468457", "468457"]);
    expect(await findStep(secret, "468457", (first + 1) * periodMs)).toBe(first + 2);
  });
});

describe("RFC 6238 appendix B, with eight digits", () => {
  const names = { SHA1: "SHA-1", SHA256: "SHA-256", SHA512: "SHA-512" } as const;

  test.each(
    totpAlgorithms.flatMap((algorithm) =>
      vectors.totp.codes.map((row) => ({ algorithm, time: row.time, code: row[names[algorithm]] })),
    ),
  )("$algorithm finds the step of $code at $time s", async ({ algorithm, time, code }) => {
    const bytes = new TextEncoder().encode(vectors.totp.secrets_ascii[names[algorithm]]);
    const key = await importTotpSecret(new Uint8Array(bytes), { algorithm });
    const parameters = { algorithm, digits: 8, period: 30 } as const;
    const found = await findTimeStep(key, code, time * 1000, parameters, 0);
    expect(found).toBe(Math.floor(time / 30));
    expect(await findTimeStep(key, code.slice(2), time * 1000, parameters)).toBeUndefined();
  });
});

test("agrees with an independent implementation for any parameters and window", async () => {
  const cases = fc.record({
    algorithm: fc.constantFrom(...totpAlgorithms),
    digits: fc.integer({ min: 6, max: 8 }),
    period: fc.integer({ min: minPeriodSeconds, max: maxPeriodSeconds }),
    windowSteps: fc.integer({ min: 0, max: 2 }),
    away: fc.integer({ min: -3, max: 3 }),
    bytes: fc.uint8Array({ minLength: 20, maxLength: 64 }),
    now: fc.integer({ min: 4_000_000, max: 2 ** 42 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ windowSteps, away, bytes, now, ...parameters }) => {
      const app = new TOTP({ ...parameters, secret: new Secret({ buffer: bytes.slice().buffer }) });
      const code = app.generate({ timestamp: now + away * parameters.period * 1000 });
      const key = await importTotpSecret(new Uint8Array(bytes), parameters);
      const found = await findTimeStep(key, code, now, parameters, windowSteps);
      const delta = app.validate({ token: code, timestamp: now, window: windowSteps });
      expect(found === undefined).toBe(delta === null);
      if (Math.abs(away) <= windowSteps)
        expect(found).toBeGreaterThanOrEqual(timeStepOf(now, parameters.period) + away);
    }),
  );
});

describe("a step beyond the window", () => {
  const at = step * periodMs;
  const find = async (away: number, lastTimeStep: number | null = null) => {
    const key = await importTotpSecret(secret);
    return await findDistantStep(key, codeOf(step + away), at, defaultParameters, lastTimeStep);
  };

  test.each([-20, -7, 7, 20])("is found up to ten minutes away: %i steps", async (away) => {
    expect(await find(away)).toBe(step + away);
  });

  test.each([-21, 21])("is not found further away: %i steps", async (away) => {
    expect(await find(away)).toBeUndefined();
  });

  test("is not found once it is spent", async () => {
    expect(await find(-7, step - 8)).toBe(step - 7);
    expect(await find(-7, step - 7)).toBeUndefined();
  });
});

test("agrees with an independent implementation for any secret and time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: secretBytes.SHA1, maxLength: secretBytes.SHA1 }),
      fc.integer({ min: 0, max: 8_640_000_000_000 }),
      fc.integer({ min: -3, max: 3 }),
      async (bytes, now, offset) => {
        const own = new Uint8Array(bytes);
        const totp = new TOTP({ secret: new Secret({ buffer: own.buffer }) });
        const shownIn = Math.max(0, timeStepOf(now) + offset);
        const code = totp.generate({ timestamp: shownIn * periodMs });
        // `validate` returns the distance in steps to the nearest match, or null.
        const delta = totp.validate({ token: code, timestamp: now, window: defaultWindowSteps });
        const match = await findStep(own, code, now);
        expect(match === undefined).toBe(delta === null);
        if (match !== undefined) {
          expect(Math.abs(match - timeStepOf(now))).toBeLessThanOrEqual(defaultWindowSteps);
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
  ["seven digits", "1234567", true],
  ["eight digits", "12345678", true],
  ["nine digits", "123456789", false],
  ["empty text", "", false],
  ["a leading space", " 123456", false],
  ["a space in the middle", "123 456", false],
  ["a trailing line feed", "123456\n", false],
  ["a sign", "+12345", false],
  ["an exponent", "1e1234", false],
  ["full-width digits", "１２３４５６", false],
  ["Arabic-Indic digits", "١٢٣٤٥٦", false],
])("the code pattern accepts only six to eight ASCII digits: %s", (_, text, isCode) => {
  expect(totpCodePattern.test(text)).toBe(isCode);
});

test("only the exact six digits match", async () => {
  const now = step * periodMs;
  const code = codeOf(step);
  for (const wrong of ["", code.slice(1), `${code}0`, `0${code}`, ` ${code}`]) {
    expect(await findStep(secret, wrong, now)).toBeUndefined();
  }
});
