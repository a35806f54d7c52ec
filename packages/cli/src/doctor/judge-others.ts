/** Judges the clock, the lists of addresses and readiness (pure). */
import type { Feeds } from "@edge-idp/sdk";
import { type Finding, fail, levelOf, ok, warn } from "./finding.ts";
import { describeSeconds } from "./time-text.ts";

/** A code is valid for 30 s, and the window has one step before and after. */
const clockSeconds = { warnFrom: 5, failFrom: 30 };

export interface ClockReading {
  /** The service's time, Unix ms. */
  readonly service: number;
  /** This machine's time before the request and after the answer, Unix ms. */
  readonly before: number;
  readonly after: number;
}

/** How far the service's clock is surely off, in ms; above zero if it is ahead. The answer may have taken a while. */
export function clockOffsetOf({ service, before, after }: ClockReading): number {
  if (service > after) return service - after;
  return service < before ? service - before : 0;
}

export function judgeClock(reading: ClockReading): Finding {
  const offset = clockOffsetOf(reading);
  const seconds = Math.abs(offset) / 1000;
  if (levelOf(seconds, clockSeconds) === "ok") {
    return ok("clock", "The service's clock agrees with this machine's.");
  }
  const text = `The service's clock is ${seconds.toFixed(0)} s ${offset > 0 ? "ahead of" : "behind"} this machine's.`;
  const advice =
    "Set this machine's clock first (NTP). If it is right, report the service's to Cloudflare: codes of right clocks are refused.";
  return seconds >= clockSeconds.failFrom
    ? fail("clock", text, advice)
    : warn("clock", text, advice);
}

/** @param now the service's time, Unix ms */
export function judgeFeeds({ feeds, degraded }: Feeds, now: number): Finding {
  const advice =
    'Import again (npx edge-idp sentinel import), or set SENTINEL_FEEDS: docs/operations.md, "IP reputation".';
  if (feeds.length === 0) {
    return warn("feeds", "No list of addresses was ever imported: scores do not use them.", advice);
  }
  const ages = feeds.flatMap(({ fetched_at }) =>
    fetched_at === null ? [] : [(now - Date.parse(fetched_at)) / 1000],
  );
  const oldest = describeSeconds(Math.max(0, ...ages));
  const text = `${feeds.length} lists; the oldest is ${oldest} old.`;
  const refused = feeds.flatMap(({ name, last_error }) =>
    last_error === null ? [] : [`${name}: ${last_error.reason}`],
  );
  if (degraded.length > 0) {
    return warn("feeds", `${text} Missing or stale: ${degraded.join(", ")}.`, advice);
  }
  if (refused.length > 0) {
    return warn("feeds", `${text} The last fetch was refused of ${refused.join("; ")}.`, advice);
  }
  return ok("feeds", text);
}
