/** How long a step may take. Slow connections need more: EDGE_IDP_TIMEOUT_SECONDS is the limit of one request. */

const requestSeconds = 60;
/** A run of wrangler has many requests, and may upload or download. */
const requestsPerRun = 10;

export interface TimeLimits {
  readonly requestMs: number;
  readonly wranglerMs: number;
}

export function findTimeLimits(): TimeLimits {
  const given = Number(process.env.EDGE_IDP_TIMEOUT_SECONDS);
  const requestMs = (Number.isFinite(given) && given > 0 ? given : requestSeconds) * 1_000;
  return { requestMs, wranglerMs: requestMs * requestsPerRun };
}
