/** TOTP (RFC 6238): HOTP with the number of time steps since the Unix epoch as the counter. */

import { encodeUtf8 } from "../crypto/bytes.ts";
import { timingSafeEqual } from "../crypto/constant-time.ts";
import { computeHotp, type HashAlgorithm, importSecret } from "./hotp.ts";

/** As the key URI spells them. */
export const totpAlgorithms = ["SHA1", "SHA256", "SHA512"] as const;
export type TotpAlgorithm = (typeof totpAlgorithms)[number];

export const minCodeLength = 6;
export const maxCodeLength = 8;

/** How an authenticator computes codes from its secret. */
export interface TotpParameters {
  readonly algorithm: TotpAlgorithm;
  /** The length of a code: 6, 7 or 8. */
  readonly digits: number;
  /** Seconds of a time step: X of RFC 6238 §4.1. */
  readonly period: number;
}

/** The only parameters that every authenticator app supports. */
export const defaultParameters: TotpParameters = { algorithm: "SHA1", digits: 6, period: 30 };

export const minPeriodSeconds = 15;
export const maxPeriodSeconds = 300;

/** Time steps accepted before and after the current one (RFC 6238 §5.2 recommends one). */
export const defaultWindowSteps = 1;
/** The most that a tenant can set. */
export const maxWindowSteps = 2;
/** How far a clock may be off for a wrong code to be recognised as one of another time. */
export const maxClockErrorSeconds = 10 * 60;

/** Bytes of a new secret: as many as the hash has (RFC 6238 §5.1). Of SHA-1 they are those of RFC 4226 §4 R6. */
export const secretBytes: Readonly<Record<TotpAlgorithm, number>> = {
  SHA1: 20,
  SHA256: 32,
  SHA512: 64,
};

const hashes: Readonly<Record<TotpAlgorithm, HashAlgorithm>> = {
  SHA1: "SHA-1",
  SHA256: "SHA-256",
  SHA512: "SHA-512",
};

/** Six, seven or eight ASCII digits. */
export const totpCodePattern = /^[0-9]{6,8}$/;

/** Imports a secret as the key of its codes. */
export function importTotpSecret(
  secret: Uint8Array<ArrayBuffer>,
  { algorithm }: Pick<TotpParameters, "algorithm"> = defaultParameters,
): Promise<CryptoKey> {
  return importSecret(secret, hashes[algorithm]);
}

/** T of RFC 6238 §4.2. @param now Unix ms, ≥ 0 @param period seconds */
export function timeStepOf(now: number, period = defaultParameters.period): number {
  return Math.floor(now / 1000 / period);
}

/** The time steps up to `distance` steps away from the current one, the oldest first. None is negative. */
function stepsAround(current: number, distance: number): readonly number[] {
  const oldest = Math.max(0, current - distance);
  return Array.from({ length: current + distance - oldest + 1 }, (_, index) => oldest + index);
}

/** Computes and compares the codes of all steps, also after a match. @returns the steps that have the code */
async function findMatches(
  key: CryptoKey,
  code: string,
  steps: readonly number[],
  digits: number,
): Promise<readonly number[]> {
  const codes = await Promise.all(steps.map((step) => computeHotp(key, step, digits)));
  return steps.filter((_, index) =>
    timingSafeEqual(encodeUtf8(codes[index] ?? ""), encodeUtf8(code)),
  );
}

/** Whether a time step has this code. @param key from `importTotpSecret` */
export async function isCodeOfStep(
  key: CryptoKey,
  code: string,
  step: number,
  { digits }: Pick<TotpParameters, "digits"> = defaultParameters,
): Promise<boolean> {
  return (await findMatches(key, code, [step], digits)).length > 0;
}

/**
 * Finds the newest time step in the window that has this code; undefined if none has. If two steps have the same
 * code, the newest is the safe choice: accepting it spends the older step too.
 * @param key from `importTotpSecret`
 * @param now Unix ms, ≥ 0
 */
export async function findTimeStep(
  key: CryptoKey,
  code: string,
  now: number,
  { digits, period }: Pick<TotpParameters, "digits" | "period"> = defaultParameters,
  windowSteps = defaultWindowSteps,
): Promise<number | undefined> {
  const steps = stepsAround(timeStepOf(now, period), windowSteps);
  return (await findMatches(key, code, steps, digits)).at(-1);
}

/**
 * Finds the time step nearest to the current one that has a code which no step of the window has, so that a clock which
 * is off can be told from a wrong secret; undefined if no step within ten minutes has it.
 * @param lastTimeStep steps up to this one are spent
 */
export async function findDistantStep(
  key: CryptoKey,
  code: string,
  now: number,
  { digits, period }: Pick<TotpParameters, "digits" | "period">,
  lastTimeStep: number | null,
): Promise<number | undefined> {
  const current = timeStepOf(now, period);
  const steps = stepsAround(current, Math.floor(maxClockErrorSeconds / period));
  const matches = await findMatches(key, code, steps, digits);
  return matches
    .filter((step) => lastTimeStep === null || step > lastTimeStep)
    .toSorted((a, b) => Math.abs(a - current) - Math.abs(b - current))[0];
}
