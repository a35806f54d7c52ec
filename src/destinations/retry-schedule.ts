/** When failed deliveries are tried again (pure). */

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
export const maxFailingMs = 5 * 24 * hourMs;

/** The waits after the first, second and further failed attempts of one event: three days in all. */
const webhookDelaysMs: readonly number[] = [
  ...[5 * secondMs, 5 * minuteMs, 30 * minuteMs, 2 * hourMs, 5 * hourMs],
  ...[10 * hourMs, 14 * hourMs, 20 * hourMs, 24 * hourMs],
];
/** A stream waits with all events after the failed ones, so it tries more often, and for as long as it takes. */
const streamDelaysMs: readonly number[] = [
  ...[5 * secondMs, 30 * secondMs, 2 * minuteMs, 5 * minuteMs, 15 * minuteMs],
];
/** A wait is up to a tenth shorter or longer, so that what failed together does not return together. */
const jitter = 0.1;

function addJitter(delayMs: number, random: number): number {
  return Math.round(delayMs * (1 - jitter + 2 * jitter * random));
}

/**
 * How long a delivery of a webhook waits; undefined after the last attempt.
 * @param attempts how many have failed, from 1
 * @param random from 0 to 1
 */
export function findWebhookDelay(attempts: number, random: number): number | undefined {
  const delayMs = webhookDelaysMs[attempts - 1];
  return delayMs === undefined ? undefined : addJitter(delayMs, random);
}

/** How long a stream waits. @param failures consecutive failed attempts, from 1 @param random from 0 to 1 */
export function computeStreamDelay(failures: number, random: number): number {
  const delayMs = streamDelaysMs[Math.min(failures, streamDelaysMs.length) - 1] ?? 0;
  return addJitter(delayMs, random);
}
