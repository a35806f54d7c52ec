/**
 * Rate limits as the edge applies and tells them. The one at the edge is a ceiling against a client gone
 * wild, not a security decision: that is the guard's, as are the exact limits of each identity.
 *
 * Headers: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (draft 10).
 */
import { BoundedMap } from "../bounded-map.ts";
import { within } from "../deadline.ts";
import { causeOf, log } from "../log.ts";

/** A limit that a request counted against. */
export interface RateLimit {
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
const windowMs = ofToken.windowSeconds * 1000;
/**
 * Requests of a token in a window that an isolate lets pass by its own count: a tenth of the limit. A token
 * asked with so rarely costs the limiter no call. One that was busy is asked about from its next window's
 * first request on, so a client gone wild passes so often once in each isolate, and no more.
 */
const passedUnasked = 100;
const maxCounted = 10_000;
/** As long as for any store. */
const limiterTimeoutMs = 2_000;

interface Window {
  readonly endsAt: number;
  /** The window before this one, right before it, had more. */
  readonly followsBusy: boolean;
  count: number;
}

const windows = new BoundedMap<string, Window>({ maxEntries: maxCounted });

function windowAt(tokenId: string, now: number): Window {
  const last = windows.get(tokenId);
  if (last !== undefined && now < last.endsAt && now >= last.endsAt - windowMs) return last;
  const followsBusy =
    last !== undefined && last.count > passedUnasked && now < last.endsAt + windowMs;
  const window = { endsAt: now + windowMs, followsBusy, count: 0 };
  windows.set(tokenId, window);
  return window;
}

/** Whether this isolate has had so few requests of the token that the limiter need not be asked. */
function isRare(tokenId: string, now: number): boolean {
  const window = windowAt(tokenId, now);
  window.count += 1;
  return !window.followsBusy && window.count <= passedUnasked;
}

/** A limiter out of reach lets the request pass. */
async function isWithin(env: Env, tokenId: string): Promise<boolean> {
  try {
    const limited = env.TOKEN_RATE_LIMIT.limit({ key: tokenId });
    return (await within(limiterTimeoutMs, limited)).success;
  } catch (error) {
    log("error", "rate_limit_unavailable", { cause: causeOf(error) });
    return true;
  }
}

/** Counts a request of the token. It may pass unless nothing remains. @param now real time, Unix ms */
export async function countRequest(env: Env, tokenId: string, now: number): Promise<RateLimit> {
  const mayPass = isRare(tokenId, now) || (await isWithin(env, tokenId));
  return { ...ofToken, remaining: mayPass ? null : 0, resetSeconds: ofToken.windowSeconds };
}

/** The headers that tell of the limits, as names and values. */
export function formatRateLimitHeaders(rates: readonly RateLimit[]): (readonly [string, string])[] {
  const policies: string[] = [];
  const states: string[] = [];
  for (const { name, requests, windowSeconds, remaining, resetSeconds } of rates) {
    policies.push(`"${name}";q=${requests};w=${windowSeconds}`);
    if (remaining !== null) states.push(`"${name}";r=${remaining};t=${resetSeconds}`);
  }
  const headers: (readonly [string, string])[] = [];
  if (policies.length > 0) headers.push(["RateLimit-Policy", policies.join(", ")]);
  if (states.length > 0) headers.push(["RateLimit", states.join(", ")]);
  return headers;
}
