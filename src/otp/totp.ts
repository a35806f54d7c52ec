/** TOTP (RFC 6238): HOTP with the number of 30-second steps since the Unix epoch as the counter. */

import { encodeUtf8 } from "../crypto/bytes.ts";
import { timingSafeEqual } from "../crypto/constant-time.ts";
import { computeHotp } from "./hotp.ts";

/** X of RFC 6238 §4.1; the only period that every authenticator app supports. */
export const periodSeconds = 30;
/** Time steps accepted before and after the current one (RFC 6238 §5.2 recommends one). */
export const maxDriftSteps = 1;
/** 160 bits, as RFC 4226 §4 R6 recommends. */
export const secretBytes = 20;

/** Six ASCII digits. */
export const totpCodePattern = /^[0-9]{6}$/;

/** T of RFC 6238 §4.2. @param now Unix ms, ≥ 0 */
export function timeStepOf(now: number): number {
  return Math.floor(now / 1000 / periodSeconds);
}

/** Whether a time step has this code. @param key from `importSecret` */
export async function isCodeOfStep(key: CryptoKey, code: string, step: number): Promise<boolean> {
  return timingSafeEqual(encodeUtf8(await computeHotp(key, step)), encodeUtf8(code));
}

/**
 * Finds the newest time step in the window that has this code; undefined if none has.
 *
 * All steps are computed and compared, also after a match. If two steps have the same code, the newest is
 * the safe choice: accepting it spends the older step too.
 * @param key from `importSecret`
 * @param now Unix ms, ≥ 0
 */
export async function findTimeStep(
  key: CryptoKey,
  code: string,
  now: number,
): Promise<number | undefined> {
  const current = timeStepOf(now);
  const steps: number[] = [];
  for (let step = Math.max(0, current - maxDriftSteps); step <= current + maxDriftSteps; step += 1)
    steps.push(step);
  const codes = await Promise.all(steps.map((step) => computeHotp(key, step)));
  let match: number | undefined;
  for (const [index, step] of steps.entries()) {
    if (timingSafeEqual(encodeUtf8(codes[index] ?? ""), encodeUtf8(code))) match = step;
  }
  return match;
}
