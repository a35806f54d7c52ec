/** The signature counter (WebAuthn Level 3, §7.2 step 22; pure). */
import type { Passkey } from "./passkey.ts";

export type CounterResult = "ok" | "regression_refused" | "regression_noted";

/**
 * Compares the counter of an answer with the stored one. Authenticators without a counter always send 0. A counter that
 * does not grow is a sign of a clone where the stored passkey is bound to a device. A synced passkey has clones by
 * intention.
 */
export function checkCounter(
  passkey: Pick<Passkey, "signCount" | "backupEligible">,
  signCount: number,
): CounterResult {
  const hasCounter = signCount !== 0 || passkey.signCount !== 0;
  if (!hasCounter || signCount > passkey.signCount) return "ok";
  return passkey.backupEligible ? "regression_noted" : "regression_refused";
}
