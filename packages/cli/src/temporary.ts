/** Failures of the service that pass, such as a restart. */
import { IdpError } from "@edge-idp/sdk";
import { describeIdpError } from "./describe-error.ts";
import { printLine } from "./progress.ts";

const serverErrors = 500;
/** An answer that was cut off has one of these codes with the status of a success. */
const temporaryCodes: readonly string[] = ["unavailable", "rate_limited", "internal_error"];

/** Whether a later request may succeed: no answer, or one of a service that is overloaded, restarts or is deployed. */
export function isTemporary(error: unknown): error is IdpError {
  if (!(error instanceof IdpError)) return false;
  const { status, code } = error;
  return status === 0 || status >= serverErrors || temporaryCodes.includes(code);
}

/**
 * Repeats work until it succeeds, and reports the first failure and the recovery on standard error.
 * @param pause waits before the next try
 * @throws an error that does not pass, or that of the pause
 */
export async function repeatUntilDone<T>(
  work: () => Promise<T>,
  { pause }: { readonly pause: () => Promise<void> },
): Promise<T> {
  let hasFailed = false;
  for (;;) {
    try {
      const result = await work();
      if (hasFailed) printLine("The service answers again.");
      return result;
    } catch (error) {
      if (!isTemporary(error)) throw error;
      if (!hasFailed) printLine(`${describeIdpError(error)}; still trying`);
      hasFailed = true;
    }
    await pause();
  }
}
