/** Generates codes like an authenticator app, with the independent package `otpauth`. */
import { Secret, TOTP } from "otpauth";

const stepMs = 30_000;

/** @param at Unix ms */
export function codeFor(secret: string, at: number): string {
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at });
}

/** A code that differs from those of the time steps around `at`. */
export function wrongCodeFor(secret: string, at: number): string {
  const right = new Set([-1, 0, 1].map((step) => codeFor(secret, at + step * stepMs)));
  for (let n = 0; ; n += 1) {
    const code = String(n).padStart(6, "0");
    if (!right.has(code)) return code;
  }
}
