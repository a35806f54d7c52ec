/** TOTP, RFC 6238: HOTP over the number of 30-second steps since the Unix epoch. */

import { utf8 } from "../crypto/bytes.ts";
import { timingSafeEqual } from "../crypto/constant-time.ts";
import { computeHotp } from "./hotp.ts";

/** X of RFC 6238 §4.1; the only period every authenticator app reads. */
export const periodSeconds = 30;
/** Steps accepted before and after the present one (RFC 6238 §5.2 recommends one). */
export const maxDriftSteps = 1;
/** 160 bits, as RFC 4226 §4 R6 recommends. */
export const secretBytes = 20;

/** What a TOTP code looks like: six ASCII digits. */
export const totpCodePattern = /^[0-9]{6}$/;

/** T of RFC 6238 §4.2. @param now Unix ms, ≥ 0 */
export function timeStepAt(now: number): number {
  return Math.floor(now / 1000 / periodSeconds);
}

/**
 * The newest time step within the window whose code this is, or undefined.
 * @param key of `importSecret`
 *
 * All steps are computed and compared whatever the first ones say. The newest is the safe choice
 * should one code belong to two steps: accepting it retires the older step too.
 */
export async function findTimeStep(
  key: CryptoKey,
  code: string,
  now: number,
): Promise<number | undefined> {
  const present = timeStepAt(now);
  const steps: number[] = [];
  for (let step = Math.max(0, present - maxDriftSteps); step <= present + maxDriftSteps; step += 1)
    steps.push(step);
  const codes = await Promise.all(steps.map((step) => computeHotp(key, step)));
  let match: number | undefined;
  for (const [index, step] of steps.entries()) {
    if (timingSafeEqual(utf8(codes[index] ?? ""), utf8(code))) match = step;
  }
  return match;
}
