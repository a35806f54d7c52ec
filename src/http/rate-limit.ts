/**
 * The rate limit of a token, and the headers that show all limits. The edge only stops clients that
 * send far too much. Exact limits and security decisions belong to the guard.
 *
 * Headers: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (draft 10).
 */
import { BoundedMap } from "../bounded-map.ts";
import { awaitWithin } from "../deadline.ts";
import { causeOf, log } from "../log.ts";

/** A limit that a request counted against, and its state. */
export interface RateLimit {
  readonly name: string;
  /** Requests allowed per window. */
  readonly requests: number;
  readonly windowSeconds: number;
  /** Requests left in the current window; null if that is unknown. */
  readonly remaining: number | null;
  /** Seconds until the window ends. */
  readonly resetSeconds: number;
}

/** The limit in wrangler.toml. */
const tokenLimit = { name: "token", requests: 1000, windowSeconds: 10 };
const windowMs = tokenLimit.windowSeconds * 1000;
/**
 * Requests of a token that an isolate accepts in a window without asking the limiter: a tenth of the limit.
 * After a busy window, an isolate asks for every request of the next one, so a client that floods the
 * service receives the allowance once.
 */
const localAllowance = 100;
const maxWindows = 10_000;
/** The same timeout as for stores. */
const limiterTimeoutMs = 2_000;

interface Window {
  readonly endsAt: number;
  /** The window immediately before this one exceeded the local allowance. */
  readonly followsBusy: boolean;
  count: number;
}

const windows = new BoundedMap<string, Window>({ maxEntries: maxWindows });

function openWindow(tokenId: string, now: number): Window {
  const last = windows.get(tokenId);
  if (last !== undefined && now < last.endsAt && now >= last.endsAt - windowMs) return last;
  const followsBusy =
    last !== undefined && last.count > localAllowance && now < last.endsAt + windowMs;
  const window = { endsAt: now + windowMs, followsBusy, count: 0 };
  windows.set(tokenId, window);
  return window;
}

/** Counts a request, and returns whether the isolate may accept it without asking the limiter. */
function countLocally(tokenId: string, now: number): boolean {
  const window = openWindow(tokenId, now);
  window.count += 1;
  return !window.followsBusy && window.count <= localAllowance;
}

/** An unreachable limiter accepts the request. */
async function askLimiter(env: Env, tokenId: string): Promise<boolean> {
  try {
    const limited = env.TOKEN_RATE_LIMIT.limit({ key: tokenId });
    return (await awaitWithin(limiterTimeoutMs, limited)).success;
  } catch (error) {
    log("error", "rate_limit_unavailable", { cause: causeOf(error) });
    return true;
  }
}

/** Counts a request. The token is over its limit if `remaining` is 0. @param now real time, Unix ms */
export async function countRequest(env: Env, tokenId: string, now: number): Promise<RateLimit> {
  const isWithinLimit = countLocally(tokenId, now) || (await askLimiter(env, tokenId));
  return {
    ...tokenLimit,
    remaining: isWithinLimit ? null : 0,
    resetSeconds: tokenLimit.windowSeconds,
  };
}

/** Pairs of header name and value. */
export function formatRateLimitHeaders(
  rateLimits: readonly RateLimit[],
): (readonly [string, string])[] {
  const policies: string[] = [];
  const states: string[] = [];
  for (const { name, requests, windowSeconds, remaining, resetSeconds } of rateLimits) {
    policies.push(`"${name}";q=${requests};w=${windowSeconds}`);
    if (remaining !== null) states.push(`"${name}";r=${remaining};t=${resetSeconds}`);
  }
  const headers: (readonly [string, string])[] = [];
  if (policies.length > 0) headers.push(["RateLimit-Policy", policies.join(", ")]);
  if (states.length > 0) headers.push(["RateLimit", states.join(", ")]);
  return headers;
}
