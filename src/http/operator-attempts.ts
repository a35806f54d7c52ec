/**
 * Attempts with a wrong operator token, counted in this isolate. An address with too many is refused without a
 * comparison. From any other address the correct token is always accepted: it has enough random bits to
 * withstand guesses, and a bound over all addresses would let anyone lock the operator out.
 */
import { BoundedMap } from "../bounded-map.ts";
import { AppError } from "../errors.ts";
import { log } from "../log.ts";
import { formatAddress } from "../sentinel/network/address.ts";
import { parseForwardedAddress } from "../sentinel/network/forwarded-address.ts";

const windowMs = 60_000;
const maxFailuresPerAddress = 10;
/** Above it, a wrong token gets a 429 from every address. */
const maxFailures = 1_000;
const maxAddresses = 10_000;
/** One subscriber has at least a /64 (RFC 6177). */
const subscriberBits = 64n;

const minLineDistanceMs = 60_000;
/** How long a line waits for further failures of a burst. */
const lineDelayMs = 20_000;
/** The platform ends work 30 s after the answer. */
const maxWaitMs = 25_000;
const maxLoggedAddresses = 20;

interface Window {
  readonly startedAt: number;
  failures: number;
}

const byAddress = new BoundedMap<string, Window>({ maxEntries: maxAddresses });
let overall: Window = { startedAt: 0, failures: 0 };

const unlogged = { count: 0, addresses: new Set<string>() };
/** When the last line was or will be logged, Unix ms. */
let lineAt = 0;

/** The client's address, or the /64 of an IPv6 address. @param header `CF-Connecting-IP`, which Cloudflare sets */
function clientAddressOf(header: string | undefined): string | undefined {
  const address = header === undefined ? undefined : parseForwardedAddress(header);
  if (address === undefined || address.family === 4) return address?.text;
  const first = (address.value >> subscriberBits) << subscriberBits;
  return `${formatAddress(6, first)}/64`;
}

/** The window if it contains this time, else a new one. */
function continueWindow(window: Window | undefined, now: number): Window {
  const isPresent =
    window !== undefined && now >= window.startedAt && now < window.startedAt + windowMs;
  return isPresent ? window : { startedAt: now, failures: 0 };
}

function createRateLimited({ startedAt }: Window, now: number): AppError {
  const seconds = Math.ceil((startedAt + windowMs - now) / 1000);
  return new AppError("rate_limited", { headers: { "Retry-After": String(seconds) } });
}

/**
 * Accepts the operator's token.
 * @param header `CF-Connecting-IP`
 * @param now real time, Unix ms
 * @param isCorrect compares the token
 * @throws AppError `invalid_token`; `rate_limited` after too many failures
 */
export function requireOperatorToken(
  header: string | undefined,
  now: number,
  isCorrect: () => boolean,
  waitUntil: (work: Promise<unknown>) => void,
): void {
  const address = clientAddressOf(header);
  const own = address === undefined ? undefined : continueWindow(byAddress.get(address), now);
  if (own !== undefined && own.failures >= maxFailuresPerAddress) {
    logFailure(address, now, waitUntil);
    throw createRateLimited(own, now);
  }
  if (isCorrect()) return;
  logFailure(address, now, waitUntil);
  if (address !== undefined && own !== undefined) {
    own.failures += 1;
    byAddress.set(address, own);
  }
  overall = continueWindow(overall, now);
  overall.failures += 1;
  if (overall.failures > maxFailures) throw createRateLimited(overall, now);
  throw new AppError("invalid_token");
}

/** Adds a failure to the next line, and schedules that line unless it is scheduled already. */
function logFailure(
  address: string | undefined,
  now: number,
  waitUntil: (work: Promise<unknown>) => void,
): void {
  unlogged.count += 1;
  if (unlogged.addresses.size < maxLoggedAddresses) unlogged.addresses.add(address ?? "unknown");
  const isScheduled = lineAt > now && lineAt - now <= maxWaitMs;
  const isRecent = lineAt <= now && now - lineAt < minLineDistanceMs;
  const nextAt = Math.max(now + lineDelayMs, isRecent ? lineAt + minLineDistanceMs : 0);
  // Too early: a later failure schedules the line, which then contains this one.
  if (isScheduled || nextAt - now > maxWaitMs) return;
  lineAt = nextAt;
  const waitAndLog = async () => {
    await scheduler.wait(nextAt - now);
    // If the wait ended late, a later line contains these failures.
    if (lineAt !== nextAt) return;
    log("error", "operator_token_refused", {
      count: unlogged.count,
      addresses: [...unlogged.addresses],
    });
    unlogged.count = 0;
    unlogged.addresses.clear();
  };
  waitUntil(waitAndLog());
}
