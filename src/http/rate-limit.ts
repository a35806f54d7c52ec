/**
 * Rate limits as the edge applies and tells them. The one at the edge is a ceiling against a client gone
 * wild, not a security decision: that is the guard's, as are the exact limits of each identity.
 *
 * Headers: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (draft 10).
 */
import { causeOf, log } from "../log.ts";

/** A limit that a request counted against. */
export interface RateNotice {
  readonly name: string;
  /** Requests in a window. */
  readonly requests: number;
  readonly windowSeconds: number;
  /** Requests left in the present window; null where that is not known. */
  readonly remaining: number | null;
  /** Until the window ends. */
  readonly resetSeconds: number;
}

/** As wrangler.toml sets it. */
const ofToken = { name: "token", requests: 1000, windowSeconds: 10 };

/** A limiter out of reach lets the request pass. */
async function isWithin(env: Env, tokenId: string): Promise<boolean> {
  try {
    return (await env.TOKEN_RATE_LIMIT.limit({ key: tokenId })).success;
  } catch (error) {
    log("error", "rate_limit_unavailable", { cause: causeOf(error) });
    return true;
  }
}

/** Counts a request of the token. It may pass unless nothing remains. */
export async function countRequest(env: Env, tokenId: string): Promise<RateNotice> {
  const remaining = (await isWithin(env, tokenId)) ? null : 0;
  return { ...ofToken, remaining, resetSeconds: ofToken.windowSeconds };
}

/** The headers that tell of the limits. */
export function rateHeaders(rates: readonly RateNotice[]): Readonly<Record<string, string>> {
  const known = rates.filter(({ remaining }) => remaining !== null);
  const policies = rates.map(
    ({ name, requests, windowSeconds }) => `"${name}";q=${requests};w=${windowSeconds}`,
  );
  const states = known.map(
    ({ name, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}`,
  );
  return {
    ...(policies.length === 0 ? {} : { "RateLimit-Policy": policies.join(", ") }),
    ...(states.length === 0 ? {} : { RateLimit: states.join(", ") }),
  };
}
