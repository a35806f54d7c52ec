/** Scheduled work: a job that fails is logged, and its next run continues. */
import { causeOf, type LogFields, log } from "./log.ts";
import type { LogEvent } from "./log-events.ts";

type FailureFields = Omit<LogFields, "cause">;

/**
 * Runs the work and never throws.
 * @param failure name of the log event that reports a failure
 * @param fields further fields of that event, or how to derive them from what was thrown
 */
export async function runJob(
  failure: LogEvent,
  work: () => Promise<void>,
  fields: FailureFields | ((error: unknown) => FailureFields) = {},
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const details = typeof fields === "function" ? fields(error) : fields;
    log("error", failure, { ...details, cause: causeOf(error) });
  }
}
