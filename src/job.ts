/** Scheduled work: a job that fails is logged, and its next run does what this one did not. */
import { causeOf, log } from "./log.ts";

/**
 * Runs the work and never throws.
 * @param failure name of the log event that reports a failure
 * @param fields further fields of that event
 */
export async function runJob(
  failure: string,
  work: () => Promise<void>,
  fields: { readonly source?: string; readonly tenant_id?: string } = {},
): Promise<void> {
  try {
    await work();
  } catch (error) {
    log("error", failure, { ...fields, cause: causeOf(error) });
  }
}
