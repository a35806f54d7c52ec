/**
 * The rate limits of a token and of its tenant, and the headers that show all limits. The edge only stops
 * clients that send far too much. Exact limits and security decisions belong to the guard.
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

/** As in wrangler.toml. */
const windowSeconds = 10;
const windowMs = windowSeconds * 1000;
const maxWindows = 10_000;
/** The same timeout as for stores. */
const limiterTimeoutMs = 2_000;

interface Window {
  readonly endsAt: number;
  /** The window immediately before this one exceeded the local allowance. */
  readonly followsBusy: boolean;
  count: number;
}

type Limiter = Env["TOKEN_RATE_LIMIT"];

/** One kind of limit, with the platform's limiter and this isolate's counts. */
class EdgeLimit {
  readonly #name: string;
  readonly #requests: number;
  /**
   * Requests that an isolate accepts in a window without asking the limiter: a tenth of the limit. After a
   * busy window, an isolate asks for every request of the next one, so a client that floods the service
   * receives the allowance once.
   */
  readonly #localAllowance: number;
  readonly #limiterOf: (env: Env) => Limiter;
  readonly #windows = new BoundedMap<string, Window>({ maxEntries: maxWindows });

  constructor(name: string, requests: number, limiterOf: (env: Env) => Limiter) {
    this.#name = name;
    this.#requests = requests;
    this.#localAllowance = requests / 10;
    this.#limiterOf = limiterOf;
  }

  /** Counts a request. @param now real time, Unix ms */
  async count(env: Env, key: string, now: number): Promise<RateLimit> {
    const isWithinLimit = this.#countLocally(key, now) || (await this.#askLimiter(env, key));
    return {
      name: this.#name,
      requests: this.#requests,
      windowSeconds,
      remaining: isWithinLimit ? null : 0,
      resetSeconds: windowSeconds,
    };
  }

  /** Counts a request, and returns whether the isolate may accept it without asking the limiter. */
  #countLocally(key: string, now: number): boolean {
    const window = this.#openWindow(key, now);
    window.count += 1;
    return !window.followsBusy && window.count <= this.#localAllowance;
  }

  #openWindow(key: string, now: number): Window {
    const last = this.#windows.get(key);
    if (last !== undefined && now < last.endsAt && now >= last.endsAt - windowMs) return last;
    const followsBusy =
      last !== undefined && last.count > this.#localAllowance && now < last.endsAt + windowMs;
    const window = { endsAt: now + windowMs, followsBusy, count: 0 };
    this.#windows.set(key, window);
    return window;
  }

  /** An unreachable limiter accepts the request. */
  async #askLimiter(env: Env, key: string): Promise<boolean> {
    try {
      const limited = this.#limiterOf(env).limit({ key });
      return (await awaitWithin(limiterTimeoutMs, limited)).success;
    } catch (error) {
      log("error", "rate_limit_unavailable", { cause: causeOf(error) });
      return true;
    }
  }
}

const tokenLimit = new EdgeLimit("token", 1_000, (env) => env.TOKEN_RATE_LIMIT);
/** More tokens are no more capacity than this. */
const tenantLimit = new EdgeLimit("tenant", 5_000, (env) => env.TENANT_RATE_LIMIT);

/**
 * Counts a request of a token. The request is over a limit whose `remaining` is 0.
 * @param now real time, Unix ms
 */
export async function countRequest(
  env: Env,
  { tokenId, tenantId }: { readonly tokenId: string; readonly tenantId: string },
  now: number,
): Promise<RateLimit[]> {
  return await Promise.all([
    tokenLimit.count(env, tokenId, now),
    tenantLimit.count(env, tenantId, now),
  ]);
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
